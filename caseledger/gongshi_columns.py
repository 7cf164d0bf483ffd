"""双公示 tables: the columns of penalty and licence files, the words of their closed lists, and who may be the authority.

Columns are those of the 2018 model, by code or by Chinese label, and those of the older model (2015/16) beside them.
What the official letter says of mandatory columns and lengths could not be verified: mandatory here is what the event needs.
"""

import re
import unicodedata
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from domain.identifiers import PROVINCES
from domain.vocabulary import PenaltyKind


class Kind(StrEnum):
    PENALTY = "penalty"
    LICENCE = "licence"


class Column(NamedTuple):
    """A column: the name it has here, its label, its codes and whatever else it is called."""

    key: str
    label: str
    codes: tuple[str, ...]
    others: tuple[str, ...] = ()
    kind: Kind | None = None
    """The one kind of file that has it; None for a column of both."""
    older: tuple[str, ...] = ()
    """Its codes in the older model."""


_P, _L = Kind.PENALTY, Kind.LICENCE

COLUMNS: Final = (
    # Whom it is about
    Column("name", "行政相对人名称", ("CF_XDR_MC", "XK_XDR_MC"), ("相对人名称", "行政相对人"), None, ("CF_XDR", "XK_XDR")),
    Column("category", "行政相对人类别", ("CF_XDR_LB", "XK_XDR_LB"), ("相对人类别",)),
    Column(
        "uscc", "统一社会信用代码", ("CF_XDR_SHXYM", "XK_XDR_SHXYM"),
        ("行政相对人代码_1", "行政相对人统一社会信用代码", "社会信用代码"),
    ),
    Column("otherCode", "工商注册号", ("CF_XDR_GSZC", "XK_XDR_GSZC"), ("行政相对人代码_2", "工商登记码"), None, ("CF_XDR_GSDJ", "XK_XDR_GSDJ")),
    Column("otherCode", "组织机构代码", ("CF_XDR_ZZJG", "XK_XDR_ZZJG"), ("行政相对人代码_3",), None, ("CF_XDR_ZDM", "XK_XDR_ZDM")),
    Column("otherCode", "税务登记号", ("CF_XDR_SWDJ", "XK_XDR_SWDJ"), ("行政相对人代码_4",)),
    Column("otherCode", "事业单位证书号", ("CF_XDR_SYDW", "XK_XDR_SYDW"), ("行政相对人代码_5",)),
    Column("otherCode", "社会组织登记证号", ("CF_XDR_SHZZ", "XK_XDR_SHZZ"), ("行政相对人代码_6",)),
    # Personal data
    Column("representative", "法定代表人", ("CF_FRDB", "XK_FRDB"), ("法定代表人姓名",), None, ("CF_FR", "XK_FR")),
    Column("representativePaper", "法定代表人证件类型", ("CF_FR_ZJLX", "XK_FR_ZJLX")),
    Column(
        "representativePaper", "法定代表人证件号码", ("CF_FR_ZJHM", "XK_FR_ZJHM", "CF_FR_SFZH", "XK_FR_SFZH"),
        ("法定代表人身份证号", "法定代表人身份证号码"),
    ),
    Column("personPaper", "自然人证件类型", ("CF_XDR_ZJLX", "XK_XDR_ZJLX"), ("证件类型",)),
    Column(
        "personNo", "自然人证件号码", ("CF_XDR_ZJHM", "XK_XDR_ZJHM"),
        ("证件号码", "居民身份证号", "居民身份证号码", "身份证号", "身份证号码"), None, ("CF_XDR_SFZ", "XK_XDR_SFZ"),
    ),
    # Penalties
    Column("documentNo", "行政处罚决定书文号", ("CF_WSH",), ("处罚决定书文号", "行政处罚决定文书号"), _P),
    Column("violationType", "违法行为类型", ("CF_WFXW",), (), _P),
    Column("violation", "违法事实", ("CF_SY",), ("处罚事由", "主要违法事实"), _P),
    Column("basis", "处罚依据", ("CF_YJ",), ("行政处罚依据",), _P),
    Column("kinds", "处罚类别", ("CF_CFLB",), ("行政处罚类别", "处罚种类", "处罚类别1"), _P, ("CF_CFLB1",)),
    Column("moreKinds", "处罚类别2", (), (), _P, ("CF_CFLB2",)),
    Column("content", "处罚内容", ("CF_NR",), ("处罚结果",), _P, ("CF_JG",)),
    Column("fine", "罚款金额", ("CF_NR_FK",), (), _P),
    Column("confiscated", "没收违法所得、没收非法财物的金额", ("CF_NR_WFFF",), ("没收金额",), _P),
    Column("papers", "暂扣或吊销证照名称及编号", ("CF_NR_ZKDX",), (), _P),
    Column("decidedOn", "处罚决定日期", ("CF_JDRQ",), ("行政处罚决定日期",), _P),
    Column("unused", "处罚有效期", ("CF_YXQ",), (), _P),
    Column("unused", "公示截止期", ("CF_GSJZQ",), ("公示期限",), _P, ("GSQX",)),
    Column("authority", "处罚机关", ("CF_CFJG",), ("行政处罚机关",), _P, ("CF_XZJG",)),
    Column("authorityCode", "处罚机关统一社会信用代码", ("CF_CFJGDM",), (), _P),
    Column("unused", "处罚名称", (), ("案件名称",), _P, ("CF_CFMC",)),
    Column("state", "当前状态", ("CF_ZT", "XK_ZT")),
    # Licences
    Column("documentName", "行政许可决定文书名称", ("XK_XKWS",), ("项目名称",), _L, ("XK_XMMC",)),
    Column("documentNo", "行政许可决定文书号", ("XK_WSH",), ("行政许可决定书文号", "许可决定书文号"), _L),
    Column("unused", "许可类别", ("XK_XKLB",), ("审批类别",), _L, ("XK_SPLB",)),
    Column("certificate", "许可证书名称", ("XK_XKZS",), (), _L),
    Column("licenceNo", "许可编号", ("XK_XKBH",), ("许可证编号",), _L),
    Column("content", "许可内容", ("XK_NR",), (), _L),
    Column("decidedOn", "许可决定日期", ("XK_JDRQ",), ("行政许可决定日期",), _L),
    Column("validFrom", "有效期自", ("XK_YXQZ",), (), _L),
    Column("validTo", "有效期至", ("XK_YXQZI",), ("许可截止期", "许可截至期"), _L, ("XK_JZQ",)),
    Column("authority", "许可机关", ("XK_XKJG",), ("行政许可机关",), _L, ("XK_XZJG",)),
    Column("authorityCode", "许可机关统一社会信用代码", ("XK_XKJGDM",), (), _L),
    # Known, and not needed
    Column("unused", "数据来源单位", ("CF_SJLY", "XK_LYDW")),
    Column("unused", "数据来源单位统一社会信用代码", ("CF_SJLYDM", "XK_LYDWDM")),
    Column("remark", "备注", ("BZ",)),
    Column("unused", "地方编码", (), (), None, ("DFBM",)),
    Column("unused", "数据更新时间戳", (), ("时间戳",), None, ("SJC",)),
)  # fmt: skip

NEEDED: Final = {
    Kind.PENALTY: (
        ("name",), ("uscc",), ("documentNo",), ("kinds",), ("violation", "violationType"), ("basis",), ("decidedOn",),
        ("authority", "authorityCode"),
    ),
    Kind.LICENCE: (
        ("name",), ("uscc",), ("documentNo",), ("content",), ("decidedOn",), ("validTo",), ("authority", "authorityCode"),
    ),
}  # fmt: skip
"""The columns without which a file says too little; of a group one is enough."""

REPEATABLE: Final = frozenset(("unused", "otherCode", "representativePaper", "personPaper", "personNo"))
"""Columns that may come more than once."""
AMOUNTS: Final = frozenset(("fine", "confiscated"))
DATES: Final = frozenset(("decidedOn", "validFrom", "validTo"))
SHOWN: Final = frozenset(
    (
        "name", "uscc", "documentNo", "kinds", "moreKinds", "fine", "confiscated", "decidedOn", "authority", "authorityCode",
        "licenceNo", "validFrom", "validTo", "state",
    )
)  # fmt: skip
"""What may stand in the file of rejected rows: nothing personal, and no free text, in which anybody may be named."""

_BLANKS: Final = re.compile(r"[\s*\ufeff]+")
_NUMBERED: Final = "行政相对人代码"
_BRACKETS: Final = re.compile(r"^(.*?)\((.*)\)$")


def plain(text: str) -> str:
    """A label, code or word in one form: half-width (NFKC), without blanks and the star of a required column."""
    return _BLANKS.sub("", unicodedata.normalize("NFKC", text)).upper()


def half_width(text: str) -> str:
    """Full-width ASCII as ASCII and nothing else: a raised 2 is no digit of an amount."""
    return text.translate(_HALF_WIDTH)


_HALF_WIDTH: Final = {0xFF01 + place: 0x21 + place for place in range(0x5E)} | {0x3000: 0x20}

_BY_NAME: Final = {
    plain(name): (column, name in column.older or not column.codes)
    for column in COLUMNS
    for name in (column.label, *column.codes, *column.others, *column.older)
}


class Named(NamedTuple):
    """A header cell that is known."""

    column: Column
    older: bool
    in_yuan: bool = False
    """Whether an amount says that it is not in 万元."""


def column_of(header: str) -> Named | None:
    """The column that a header cell names, by code or label, with whatever stands in brackets behind it; or None."""
    text = plain(header)
    found = _BY_NAME.get(text)
    bracketed = None if found else _BRACKETS.match(text)
    if bracketed:
        outside, inside = (_BY_NAME.get(part) for part in bracketed.groups())
        # Which number 行政相对人代码_5 is differs between the models.
        found = inside or outside if bracketed[1].startswith(_NUMBERED) else outside or inside
    if found is None:
        return None
    unit = bracketed[2] if bracketed and found[0].key in AMOUNTS else ""
    return Named(*found, in_yuan="元" in unit and "万" not in unit)


@cache
def label_of(kind: Kind, key: str) -> str:
    """A column as messages name it: its label and code."""
    column = next(each for each in COLUMNS if each.key == key and each.kind in (kind, None))
    code = next((code for code in column.codes if code.startswith("CF" if kind is Kind.PENALTY else "XK")), None)
    return f"{column.label} {code}" if code else column.label


# 处罚类别

_KINDS: Final[dict[PenaltyKind, tuple[str, ...]]] = {
    PenaltyKind.WARNING: ("警告",),
    PenaltyKind.CRITICISM: ("通报批评",),
    PenaltyKind.FINE: ("罚款",),
    PenaltyKind.CONFISCATION: (
        "没收违法所得、没收非法财物", "没收违法所得", "没收非法财物", "没收违法所得和非法财物", "没收",
    ),
    PenaltyKind.LICENCE_SUSPENDED: (
        "暂扣许可证件", "暂扣许可证", "暂扣执照", "暂扣许可证、暂扣执照", "暂扣许可证、执照", "暂扣许可证和执照",
    ),
    PenaltyKind.QUALIFICATION_LOWERED: ("降低资质等级",),
    PenaltyKind.LICENCE_REVOKED: (
        "吊销许可证件", "吊销许可证", "吊销执照", "吊销许可证、吊销执照", "吊销许可证、执照", "吊销许可证和执照",
    ),
    PenaltyKind.ACTIVITY_RESTRICTED: ("限制开展生产经营活动",),
    PenaltyKind.BUSINESS_SUSPENDED: ("责令停产停业", "停产停业"),
    PenaltyKind.CLOSURE: ("责令关闭",),
    PenaltyKind.BARRED: ("限制从业",),
    PenaltyKind.OTHER: ("其他", "其它", "行政拘留"),
}  # fmt: skip
KINDS: Final = {text: kind for kind, texts in _KINDS.items() for text in texts}
"""By Chinese text: local digits for them differ between sites. No kind of an enterprise's penalty is 行政拘留: it is OTHER."""
LEGAL_KINDS: Final = "; ".join(texts[0] for texts in _KINDS.values())
EITHER: Final = re.compile(r"暂扣(许可证件?|执照)?(或者|或|、|/)吊销(许可证件?|执照)?.*")
"""暂扣或者吊销许可证、暂扣或者吊销执照 of the older list: suspension or revocation, which the row says elsewhere."""

# Who punishes and licenses

_MINISTRY: Final = re.compile(r"(中华人民共和国|国家)?(工业和信息化部|工信部)(信息通信管理局|信管局)?")
_BUREAU: Final = re.compile(r"(?:中华人民共和国)?(?:工业和信息化部)?(.+?)(通信管理局|通管局)")
_RANKS: Final = re.compile(r"(特别行政区|壮族自治区|回族自治区|维吾尔自治区|自治区|省|市|区)$")
_CODE_OF: Final = {name: code for code, name in PROVINCES.items()}


def authority_named(text: str) -> str | None:
    """MIIT or CA-nn for the name of an authority, or for that code itself; None for whoever is neither."""
    name = plain(text)
    if name == "MIIT" or (name.startswith("CA-") and name[3:] in PROVINCES):
        return name
    if _MINISTRY.fullmatch(name):
        return "MIIT"
    bureau = _BUREAU.fullmatch(name)
    code = _CODE_OF.get(_RANKS.sub("", bureau[1])) if bureau else None
    return f"CA-{code}" if code else None
