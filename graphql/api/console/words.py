"""The words of the console in both languages: sentences by their keys, terms of the ledger by their codes.

A term that is the same code in two vocabularies means the same here.
"""

from collections.abc import Mapping
from re import sub
from typing import Final

from domain.events import EVENTS
from domain.identifiers import PROVINCES
from domain.text import Language, Text


def say(key: str, language: Language, **values: object) -> str:
    """The sentence of a key, with its values in it."""
    return SENTENCES[key].said_in(language).format(**values)


def label(term: str | None, language: Language) -> str:
    """What people call a term of the ledger; a code that nobody named, as it is."""
    found = TERMS.get(term or "")
    return found.said_in(language) if found else term or ""


def _event_terms() -> dict[str, Text]:
    """The terms of the events: of the Chinese their definition says it, of the English their names are words."""
    return {
        name: Text((cls.__doc__ or name).partition(":")[0].partition(" (")[0].strip(), _worded(name))
        for name, cls in EVENTS.items()
    }


def _worded(name: str) -> str:
    return sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


SENTENCES: Final[Mapping[str, Text]] = {
    "console": Text("监管案件账本", "Regulatory case ledger"),
    "skip": Text("跳到正文", "Skip to content"),
    "other language": Text("English", "中文"),
    "menu": Text("主菜单", "Main menu"),
    "menu.search": Text("企业", "Enterprises"),
    "menu.lists": Text("公开名单", "Published lists"),
    "menu.api": Text("接口", "API"),
    "sign in": Text("登录", "Sign in"),
    "sign out": Text("退出", "Sign out"),
    "sign in.key": Text("密钥", "Key"),
    "sign in.help": Text(
        "请粘贴发给您的密钥（以 clk_ 开头）。它只用于登录，不会留在浏览器中。",
        "Paste the key that was given to you; it begins with clk_. It is used to sign in and is not kept by the browser.",
    ),
    "sign in.wrong": Text(
        "该密钥无效、已过期或已撤销。请检查是否完整粘贴，或向管理员索取新的密钥。",
        "This key is not valid, has expired or was revoked. See that all of it was pasted, or ask your administrator for a new one.",
    ),
    "sign in.over": Text("您的登录已结束，请重新登录。", "Your session is over; sign in again."),
    "sign in.needed": Text(
        "您查看的内容需要登录。未登录者可查看公开名单。",
        "What you asked for is for those who are signed in. The published lists are open to everybody.",
    ),
    "signed in as": Text("{role} {whom}", "{role} {whom}"),
    "search": Text("查找企业", "Find an enterprise"),
    "search.field": Text("名称、统一社会信用代码或号码", "Name, unified social credit code or number"),
    "search.status": Text("信用状态", "Credit status"),
    "search.all": Text("全部", "All"),
    "search.keys": Text(
        "按 / 键开始查找，↑ ↓ 选择，Enter 打开。", "Press / to search, ↑ ↓ to choose and Enter to open."
    ),
    "search.found": Text("找到 {count} 家企业", "{count} enterprises found"),
    "search.none": Text(
        "没有符合条件的企业。请少输几个字，或改选其他状态。",
        "No enterprise matches. Try fewer characters or another status.",
    ),
    "search.empty": Text(
        "账本中还没有企业。可运行 caseledger demo 填入示例，或用 caseledger import 导入。",
        "There are no enterprises yet. Run `caseledger demo` for an example, or `caseledger import` for yours.",
    ),
    "search.recent": Text("最近查看", "Looked at lately"),
    "more": Text("更多", "More"),
    "first page": Text("回到首页", "Back to the first page"),
    "name": Text("名称", "Name"),
    "code": Text("统一社会信用代码", "Unified social credit code"),
    "province": Text("省份", "Province"),
    "status": Text("信用状态", "Credit status"),
    "as of": Text("截至日期", "As of"),
    "known at": Text("已知至位置", "As known at"),
    "known at.help": Text(
        "账本位置 0–{head}；看当时已知的情况", "A position of the ledger, 0–{head}: what was known then"
    ),
    "today": Text("回到今天", "Back to now"),
    "look": Text("查看", "Look"),
    "then": Text(
        "以下是截至 {on}、账本位置 {position} 时已知的情况。", "This is as of {on} and as known at position {position}."
    ),
    "reasons": Text("理由", "Reasons"),
    "reasons.none": Text("没有影响信用状态的事项。", "Nothing bears on the status."),
    "basis": Text("依据", "Basis"),
    "remedy": Text("如何纠正", "Remedy"),
    "position": Text("位置", "Position"),
    "life": Text("企业历程", "The enterprise's life"),
    "life.help": Text(
        "上：信用状态；中：各类事件；下：每月投诉。指向即有说明，点按可打开事件。",
        "Above: credit status. Middle: events by area. Below: complaints a month. Point to read, click to open.",
    ),
    "life.status": Text("信用状态的变化", "Changes of the credit status"),
    "life.events": Text("每月事件", "Events by month"),
    "life.complaints": Text("投诉", "Complaints"),
    "from": Text("自", "From"),
    "to": Text("至", "To"),
    "always": Text("最初", "The beginning"),
    "month": Text("月份", "Month"),
    "count": Text("件数", "Count"),
    "event": Text("事件", "Event"),
    "area": Text("类别", "Area"),
    "history": Text("历史", "History"),
    "history.none": Text("没有这类事件。", "There are no such events."),
    "history.count": Text("共 {count} 件", "{count} in all"),
    "effective": Text("生效日期", "Effective"),
    "recorded": Text("记录时间", "Recorded"),
    "recorded by": Text("记录者", "Recorded by"),
    "what": Text("内容", "What"),
    "voided": Text("已被位置 {by} 的事件作废", "Voided by the event at {by}"),
    "licences": Text("许可证", "Licences"),
    "licence no": Text("许可证号", "Licence"),
    "valid": Text("有效期", "Valid"),
    "in force": Text("有效", "In force"),
    "not in force": Text("无效", "Not in force"),
    "numbers": Text("码号", "Numbers"),
    "number": Text("号码", "Number"),
    "use": Text("用途", "Use"),
    "directions": Text("方向", "Directions"),
    "carriers": Text("基础电信企业", "Carriers"),
    "filed": Text("备案日期", "Filed"),
    "withdrawn": Text("收回日期", "Withdrawn"),
    "accesses": Text("接入", "Accesses"),
    "carrier": Text("基础电信企业", "Carrier"),
    "state": Text("状态", "State"),
    "granted": Text("提供日期", "Granted"),
    "obligations": Text("义务", "Obligations"),
    "owed by": Text("责任方", "Owed by"),
    "due": Text("期限", "Due"),
    "rule": Text("规则", "Rule"),
    "findings": Text("发现的问题", "Findings"),
    "none": Text("没有。", "There are none."),
    "lists": Text("公开名单", "Published lists"),
    "lists.active": Text("截至", "Active on"),
    "lists.list": Text("名单", "List"),
    "lists.ground": Text("列入事由", "Ground"),
    "lists.authority": Text("列入机关", "Authority"),
    "lists.from": Text("列入日期", "Listed from"),
    "lists.none": Text("该日没有有效的列名。", "There is no active entry on that day."),
    "lists.count": Text("共 {count} 条有效列名", "{count} active entries"),
    "penalties": Text("公示的行政处罚", "Published penalties"),
    "error.title": Text("无法显示", "This cannot be shown"),
    "error.FORBIDDEN": Text("您的密钥不能查看这项内容。", "Your key may not see this."),
    "error.NOT_FOUND": Text("没有这个页面或这家企业。", "There is no such page or enterprise."),
    "error.STALE": Text(
        "这家企业的数据停在较早的位置，暂时不能回答。", "This enterprise's data stand still at an earlier position."
    ),
    "error.NOT_YET_KNOWN": Text("这个位置尚未可知，请稍后再试。", "That position is not known yet; try again shortly."),
    "error.UNAVAILABLE": Text(
        "数据库暂时不可用，请稍后再试。", "The database is away for the moment; try again shortly."
    ),
    "error.INTERNAL": Text("内部错误，已记入日志。", "Internal error; it is in the log."),
    "error.FORGED": Text(
        "该表单已过期或来自其他网站。请返回上一页，刷新后重试。",
        "This form is out of date or came from another site. Go back, load the page again and retry.",
    ),
    "error.back": Text("返回查找", "Back to the search"),
    "loading": Text("正在加载…", "Loading…"),
}

_ROLES: Final = {
    "regulator": Text("监管机构", "Regulator"),
    "carrier": Text("基础电信企业", "Carrier"),
    "auditor": Text("审计", "Auditor"),
    "intake": Text("投诉受理", "Intake"),
    "public": Text("公众", "Public"),
}
_STATUSES: Final = {
    "UNKNOWN": Text("无记录", "Unknown"),
    "GOOD": Text("良好", "Good"),
    "WATCH": Text("关注", "Watch"),
    "ADVERSE": Text("不良", "Adverse"),
    "DISHONEST": Text("失信", "Dishonest"),
}
_AREAS: Final = {
    "REGISTER": Text("登记", "Register"),
    "LICENCE": Text("许可", "Licence"),
    "NUMBER": Text("码号", "Number"),
    "ACCESS": Text("接入", "Access"),
    "COMPLAINT": Text("投诉", "Complaint"),
    "CONDUCT": Text("检查", "Inspection"),
    "INTERVIEW": Text("约谈整改", "Interview"),
    "EXPOSURE": Text("曝光", "Exposure"),
    "PENALTY": Text("处罚", "Penalty"),
    "LIST": Text("名单", "List"),
    "REPORT": Text("年报", "Annual report"),
    "LEDGER": Text("账本", "Ledger"),
}
_OTHERS: Final = {
    "DISHONESTY": Text("失信名单", "Dishonesty list"),
    "INBOUND": Text("呼入", "Inbound"),
    "INBOUND_AND_OUTBOUND": Text("呼入呼出", "Inbound and outbound"),
    "OPEN": Text("未到期", "Open"),
    "OVERDUE": Text("逾期", "Overdue"),
    "MET": Text("已履行", "Met"),
    "MET_LATE": Text("逾期履行", "Met late"),
    "ACTIVE": Text("正常", "Active"),
    "RESTRICTED": Text("受限", "Restricted"),
    "TERMINATED": Text("已终止", "Terminated"),
    "PERMIT": Text("允许", "Permit"),
    "REVIEW": Text("审慎", "Review"),
    "REFUSE": Text("拒绝", "Refuse"),
    "ANNUAL_REPORT": Text("未按规定报送年报", "Annual report not filed"),
    "HARASSING_CALLS": Text("骚扰电话", "Harassing calls"),
    "FALSE_MATERIAL": Text("提供虚假材料", "False material"),
    "UNPERFORMED_PENALTY": Text("未履行处罚决定", "Penalty not performed"),
    "OTHER": Text("其他", "Other"),
}
_CARRIERS: Final = {
    "CHINA_TELECOM": Text("中国电信", "China Telecom"),
    "CHINA_MOBILE": Text("中国移动", "China Mobile"),
    "CHINA_UNICOM": Text("中国联通", "China Unicom"),
    "CHINA_BROADNET": Text("中国广电", "China Broadnet"),
}
_PROVINCE_NAMES: Final = {
    "11": "Beijing", "12": "Tianjin", "13": "Hebei", "14": "Shanxi", "15": "Inner Mongolia", "21": "Liaoning",
    "22": "Jilin", "23": "Heilongjiang", "31": "Shanghai", "32": "Jiangsu", "33": "Zhejiang", "34": "Anhui",
    "35": "Fujian", "36": "Jiangxi", "37": "Shandong", "41": "Henan", "42": "Hubei", "43": "Hunan", "44": "Guangdong",
    "45": "Guangxi", "46": "Hainan", "50": "Chongqing", "51": "Sichuan", "52": "Guizhou", "53": "Yunnan",
    "54": "Tibet", "61": "Shaanxi", "62": "Gansu", "63": "Qinghai", "64": "Ningxia", "65": "Xinjiang",
}  # fmt: skip


def _provinces() -> dict[str, Text]:
    return {code: Text(name, _PROVINCE_NAMES[code]) for code, name in PROVINCES.items()}


def _authorities() -> dict[str, Text]:
    """The ministry, and each province's communications administration."""
    administrations = {
        f"CA-{code}": Text(f"{name}通信管理局", f"{_PROVINCE_NAMES[code]} Communications Administration")
        for code, name in PROVINCES.items()
    }
    return {"MIIT": Text("工业和信息化部", "MIIT"), **administrations}


TERMS: Final[Mapping[str, Text]] = {
    **_OTHERS,
    **_ROLES,
    **_AREAS,
    **_STATUSES,
    **_event_terms(),
    **_provinces(),
    **_authorities(),
    **_CARRIERS,
}
