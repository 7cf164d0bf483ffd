"""The words of the console in both languages: sentences by their keys, terms of the ledger by their codes.

A term that is the same code in two vocabularies means the same here.
"""

from collections.abc import Mapping
from re import sub
from typing import Final

from domain.events import EVENTS
from domain.identifiers import PROVINCES
from domain.rule_texts import WORDINGS
from domain.text import Language, Text


def say(key: str, language: Language, **values: object) -> str:
    """The sentence of a key, with its values in it."""
    return SENTENCES[key].said_in(language).format(**values)


def label(term: str | None, language: Language) -> str:
    """What people call a term of the ledger; a code that nobody named, as it is."""
    found = TERMS.get(term or "")
    return found.said_in(language) if found else term or ""


def named(words: Mapping[str, Text], name: str, language: Language) -> str:
    """What people call a field; its own name where nobody said."""
    found = words.get(name) or words.get(name.rpartition(".")[2])
    return found.said_in(language) if found else name


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
    "menu.ask": Text("问一问", "Ask a gate"),
    "menu.decisions": Text("决定", "Decisions"),
    "menu.work": Text("待办", "Work list"),
    "menu.record": Text("记录", "Record"),
    "menu.ledger": Text("账本", "Ledger"),
    "ask.title": Text("可以吗？", "May it be?"),
    "ask.choose": Text("要做什么", "What is to be done"),
    "ask.preview": Text("查询", "Ask"),
    "ask.record": Text("查询并记录为决定", "Ask and record the decision"),
    "ask.recording": Text(
        "“查询”不留记录；记录的决定可以向审计证明当时已经核验。",
        "Asking leaves no record; a recorded decision proves to an auditor that you checked.",
    ),
    "ask.print": Text("打印", "Print"),
    "ask.fix": Text("请更正以下各项：", "Put these right:"),
    "yes": Text("是", "Yes"),
    "no": Text("否", "No"),
    "choose": Text("请选择", "Choose"),
    "optional": Text("（可不填）", "(may be left out)"),
    "decision": Text("决定", "Decision"),
    "decisions": Text("决定", "Decisions"),
    "decisions.none": Text("没有符合条件的决定。", "No decision matches."),
    "decisions.count": Text("共 {count} 项决定", "{count} decisions"),
    "decisions.changed": Text("仅显示如今结果会不同的", "Only those that would come out differently today"),
    "gate": Text("事项", "Gate"),
    "outcome": Text("结果", "Outcome"),
    "decision.asked": Text("问了什么", "What was asked"),
    "decision.knew": Text("截至 {on}，已知至位置 {position}", "As of {on}, as known at position {position}"),
    "decision.by": Text("询问者", "Asked by"),
    "decision.rules": Text("适用了哪些规则", "Which rules fired"),
    "decision.no rules": Text("没有规则触发，因此允许。", "No rule fired, so it is permitted."),
    "decision.replay": Text("重新判断", "Decided again"),
    "decision.then": Text("当时的决定", "As decided then"),
    "decision.again": Text("按规则版本 {version} 重放", "Replayed under rulebook {version}"),
    "decision.now": Text("如今再问", "Asked today"),
    "decision.matches": Text("与记录一致", "The same as recorded"),
    "decision.differs": Text("与记录不同", "Other than recorded"),
    "decision.rulebook": Text("规则版本", "Rulebook"),
    "decision.receipt": Text("证明", "Proof"),
    "decision.receipt help": Text(
        "该决定在签名的账本根之下。浏览器可以自行核验：条目的散列、到根的路径、根的签名，无需信任本服务器。",
        "The decision is under a signed root of the ledger. Your browser can check it by itself: the entry's hash, the path to the root, the root's signature. It need not trust this server.",
    ),
    "decision.verify": Text("在浏览器中核验", "Verify in this browser"),
    "decision.key": Text("账本的公钥", "The ledger's public key"),
    "decision.key help": Text(
        "默认取自本服务器；请换成您从别处得到的公钥。",
        "Taken from this server; put in the one that you had from elsewhere.",
    ),
    "decision.code": Text("二维码：位置、散列与根", "QR code: position, hash and root"),
    "verify.leaf": Text("条目的散列与凭证一致", "The entry has the hash that the receipt names"),
    "verify.path": Text("由路径得到检查点的根", "The path leads to the checkpoint's root"),
    "verify.note": Text("检查点写明这个根和大小", "The checkpoint names this root and size"),
    "verify.signature": Text("检查点由该公钥签名", "The checkpoint is signed by this key"),
    "verify.same": Text("条目就是本页显示的决定", "The entry is the decision on this page"),
    "verify.holds": Text("全部成立", "All of it holds"),
    "verify.fails": Text("不成立", "It does not hold"),
    "verify.unable": Text(
        "此浏览器不支持 Ed25519 核验；请用 caseledger verify。",
        "This browser cannot check Ed25519; use `caseledger verify`.",
    ),
    "record": Text("记录事实", "Record a fact"),
    "record.choose": Text("发生了什么？", "What happened?"),
    "record.do": Text("记录", "Record"),
    "record.missing": Text("请填写。", "This is needed."),
    "record.stays": Text(
        "记录后不能修改；有误时以作废事件更正。", "What is recorded stays; what was wrong is put right by a void."
    ),
    "record.void": Text("作废此事件", "Void this event"),
    "menu.draws": Text("随机抽查", "Random draws"),
    "draws": Text("随机抽查", "Random draws"),
    "draws.help": Text(
        "双随机：抽谁由账本的根决定，没有人能挑选；任何人都可以核验。",
        "The root of the ledger decides who is drawn, and who inspects: nobody can choose, and anybody can check.",
    ),
    "draws.new": Text("新的抽取", "A new draw"),
    "draws.count": Text("试算抽取范围", "Count the pool first"),
    "draws.draw": Text("抽取并记录", "Draw and record"),
    "draws.pool": Text("抽取范围共 {size} 家", "The pool has {size} enterprises"),
    "draws.none": Text("没有您可以查看的抽取。", "There is no draw that you may see."),
    "draws.drawn": Text("抽中", "Drawn"),
    "draws.made": Text("已有的抽取", "Draws that were made"),
    "draws.total": Text("合计", "Total"),
    "draw.key": Text("签", "Key"),
    "draw.tickets": Text("签数", "Tickets"),
    "draw.inspectors": Text("检查人员", "Inspectors"),
    "draw.inspected": Text("检查结果", "Inspected"),
    "draw.not yet": Text("尚未检查", "Not yet"),
    "draw.clean": Text("未发现违规", "No violations"),
    "draw.counts": Text(
        "抽中 {drawn} 家，已检查 {inspected} 家，发现违规 {withViolations} 家；后续处理：{met} 项按期，{metLate} 项逾期完成，{open} 项未到期，{overdue} 项逾期。",
        "{drawn} drawn, {inspected} inspected, {withViolations} with violations; what must follow: {met} met, {metLate} met late, {open} due, {overdue} overdue.",
    ),
    "draw.check": Text("在浏览器中核验", "Check it in this browser"),
    "draw.check help": Text(
        "浏览器取来抽取范围的每一家，自行算出每支签、名次和检查人员，并与签名的记录比对。",
        "Your browser fetches every enterprise of the pool, works out each key, the order and the inspectors by itself, and compares them with the signed record.",
    ),
    "check.pool": Text("抽取范围与记录的范围一致（家数与根）", "The pool is the recorded one (its size and root)"),
    "check.keys": Text("每家的签都由根、编号和代码算出", "Every key follows from root, draw and code"),
    "check.drawn": Text("抽中的正是签最小的各家，次序无误", "Drawn are those with the least keys, in their order"),
    "check.inspectors": Text("检查人员由同一规则选出", "The inspectors are chosen by the same rule"),
    "check.progress": Text("已核验", "Checked"),
    "work": Text("待办", "Work list"),
    "work.overdue": Text("逾期的义务", "Obligations overdue"),
    "work.open": Text("未到期的义务", "Obligations due"),
    "work.stale": Text("{count} 家企业的数据停在较早的位置", "{count} enterprises stand still at an earlier position"),
    "enterprise": Text("企业", "Enterprise"),
    "ledger": Text("账本", "Ledger"),
    "ledger.head": Text("最新位置", "Head"),
    "ledger.signed": Text("签名时间", "Signed at"),
    "ledger.root": Text("根", "Root"),
    "ledger.size": Text("大小", "Size"),
    "ledger.note": Text("签名的文本，可交他人保存", "The signed note, for others to keep"),
    "ledger.events": Text("最近的事件", "The latest events"),
    "ledger.rate": Text("记录速度", "Rate of events"),
    "ledger.rates": Text("最近一小时 {hour} 件，最近一天 {day} 件", "{hour} in the last hour, {day} in the last day"),
    "ledger.witnesses": Text("共同签名的见证方", "Witnesses who cosigned it"),
    "ledger.no witnesses": Text("该检查点尚无见证方共同签名。", "No witness has cosigned this checkpoint yet."),
    "ledger.models": Text("读模型", "Read models"),
    "ledger.model": Text("读模型", "Read model"),
    "ledger.lag": Text("落后", "Behind by"),
    "ledger.running": Text("运行", "Running"),
    "ledger.stopped": Text("停止", "Stopped"),
    "ledger.keys": Text("谁持有密钥", "Who holds a key"),
    "ledger.key": Text("密钥编号", "Key"),
    "ledger.role": Text("角色", "Role"),
    "ledger.for": Text("代表", "Speaks for"),
    "ledger.made": Text("发放时间", "Made"),
    "ledger.used": Text("最近使用", "Last used"),
    "ledger.revoked": Text("已撤销", "Revoked"),
    "ledger.until": Text("有效至 {at}", "Until {at}"),
    "ledger.good": Text("有效", "Good"),
    "ledger.empty": Text("还没有检查点。", "There is no checkpoint yet."),
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
    "download": Text("下载 CSV", "Download as CSV"),
    "more": Text("更多", "More"),
    "first page": Text("回到首页", "Back to the first page"),
    "name": Text("名称", "Name"),
    "code": Text("统一社会信用代码", "Unified social credit code"),
    "province": Text("省份", "Province"),
    "status": Text("信用状态", "Credit status"),
    "as of": Text("截至日期", "As of"),
    "known at": Text("已知至位置", "As known at"),
    "known on": Text("已知至日期", "As known on"),
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
    "STALE": Text("暂不能答", "Stands still"),
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
    "licence": Text("准予许可", "Grant a licence"),
    "numberFiling": Text("码号备案", "File a number"),
    "access": Text("提供接入", "Give access"),
    "cooperation": Text("开展合作", "Cooperate"),
    "NUMBER_FILING": Text("码号备案", "Number filing"),
    "COOPERATION": Text("合作", "Cooperation"),
    "STANDARD": Text("一般程序", "Standard"),
    "COMMITMENT": Text("告知承诺", "By commitment"),
    "CALL_CENTRE": Text("呼叫中心", "Call centre"),
    "SYSTEM_AND_SEAT_RENTAL": Text("系统和坐席出租", "Rental of systems and seats"),
    "SELF_USE": Text("自用", "Own use"),
    "LABOUR_OUTSOURCING": Text("人力外包", "Outsourced labour"),
    "TECHNICAL_SERVICE": Text("技术服务", "Technical service"),
    "PASSED": Text("合格", "Passed"),
    "FAILED": Text("不合格", "Failed"),
    "HOTLINE_12321": Text("12321 举报中心", "Hotline 12321"),
    "HOTLINE_12381": Text("12381 平台", "Hotline 12381"),
    "HOTLINE_12300": Text("12300 申诉中心", "Hotline 12300"),
    "HARASSING": Text("骚扰", "Harassing"),
    "MARKETING": Text("营销", "Marketing"),
    "NO_CONSENT": Text("未经同意", "Without consent"),
    "SPOOFED_NUMBER": Text("改号", "Spoofed number"),
    "PRIVACY": Text("侵犯隐私", "Privacy"),
    "SUBSTANTIATED": Text("属实", "Substantiated"),
    "UNSUBSTANTIATED": Text("不属实", "Unsubstantiated"),
    "WITHDRAWN": Text("撤回", "Withdrawn"),
    "RANDOM": Text("随机", "Random"),
    "TARGETED": Text("专项", "Targeted"),
    "MARKETING_OUTBOUND": Text("违规营销外呼", "Marketing calls out"),
    "RECORDS_NOT_KEPT": Text("未留存记录", "Records not kept"),
    "TRUNK_SUBLET": Text("转租中继线", "Trunk sublet"),
    "NUMBER_TRANSFERRED": Text("转让号码", "Number transferred"),
    "NUMBER_ALTERED": Text("改变主叫号码", "Number altered"),
    "UNFILED_NUMBER": Text("号码未备案", "Number not filed"),
    "PERSONAL_DATA": Text("个人信息", "Personal data"),
    "WARNING": Text("警告", "Warning"),
    "CRITICISM": Text("通报批评", "Public criticism"),
    "FINE": Text("罚款", "Fine"),
    "CONFISCATION": Text("没收", "Confiscation"),
    "LICENCE_SUSPENDED": Text("暂扣许可证", "Licence suspended"),
    "QUALIFICATION_LOWERED": Text("降低资质等级", "Qualification lowered"),
    "LICENCE_REVOKED": Text("吊销许可证", "Licence revoked"),
    "ACTIVITY_RESTRICTED": Text("限制开展经营活动", "Activity restricted"),
    "BUSINESS_SUSPENDED": Text("责令停产停业", "Business suspended"),
    "CLOSURE": Text("责令关闭", "Closure"),
    "BARRED": Text("限制从业", "Barred"),
    "PERIOD_ENDED": Text("期满", "Period ended"),
    "DUTY_PERFORMED": Text("已履行义务", "Duty performed"),
    "BASIS_ANNULLED": Text("依据被撤销", "Basis annulled"),
    "REPAIRED": Text("信用修复", "Credit repaired"),
    "ERROR": Text("列入有误", "Error"),
    "GRANTED": Text("已提供", "Granted"),
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
    **{rule: wording.message for rule, wording in WORDINGS.items()},
}
