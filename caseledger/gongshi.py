"""双公示 rows: what a row of a penalty or licence file states, as facts of the ledger. Pure: no file, no ledger, no clock.

What a row does not say is not made up, but for these readings:

- An enterprise that is new is of the province in the division code of its USCC (characters 3 and 4); one registered with
  the central registry (10…) is of its authority's province, or of Beijing where that is the ministry.
- A sole trader (个体工商户) with a USCC is an enterprise like others; without one it is a natural person.
- `becauseOf` is HARASSING_CALLS where 违法行为类型 names 骚扰, or 违法事实 in a row without a type names 骚扰电话.
- A licence covers the province of its bureau, or the whole country where the ministry granted it; its route is COMMITMENT
  where the row names 告知承诺. It is one of a call centre only where the row names 呼叫中心 or B24-1: files of a bureau hold
  all its licences, and one of another business must not count as one in force here.
- 长期 and 2099-12-31 are a validTo of 2099-12-31; without 有效期自 a licence is valid from its decision on.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from stdnum.cn import ric

from caseledger.cells import Cell, Numeric
from caseledger.gongshi_columns import EITHER, KINDS, LEGAL_KINDS, Kind, authority_named, half_width, label_of, plain
from domain import identifiers
from domain.commands import Code, Refusal, refusal
from domain.identifiers import PROVINCES, Malformed, malformed, uscc
from domain.text import Text, shown
from domain.vocabulary import Cause, LicenceRoute, PenaltyKind

OPEN_END: Final = date(2099, 12, 31)
CENTRAL: Final = "10"
"""Division codes of what is registered with the central registry begin so."""
BEIJING: Final = "11"

_DAY: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})-|/(\d{1,2})/|\.(\d{1,2})\.|年(\d{1,2})月)(\d{1,2})日?(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?",
    re.ASCII,
)
_SOLID_DAY: Final = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_AMOUNT: Final = re.compile(r"\d{1,11}(?:\.(\d+))?", re.ASCII)
_CARD: Final = re.compile(r"[1-8]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
_OLD_CARD: Final = re.compile(r"[1-8]\d{14}")
_OPEN: Final = frozenset(("长期", "长期有效", "永久", "永久有效", "无固定期限"))
_NATURAL: Final = frozenset(("自然人", "个人", "公民"))
_TRADER: Final = "个体工商户"
_VALID: Final = frozenset(("", "正常", "有效"))
_ORDER: Final = {kind: place for place, kind in enumerate(PenaltyKind)}


class Stated(NamedTuple):
    """What a row states, in one form whatever its file looks like."""

    kind: Kind
    authority: str
    document_no: str
    uscc: str
    on: date
    """When it was decided."""
    fact: dict[str, Any]
    """The fields of PenaltyImposedInput or LicenceGrantedInput."""
    enterprise: dict[str, Any]
    """The fields of EnterpriseRegisteredInput but the date: for the case that the enterprise is new."""
    authority_code: str = ""
    """The authority's own USCC, if the row has it."""

    @property
    def number(self) -> str:
        """What is unique in the ledger: the licence's number, the document's of a penalty."""
        return str(self.fact["licenceNo" if self.kind is Kind.LICENCE else "documentNo"])


_CHECKS: Final[dict[str, Callable[[object], str]]] = {
    "name": identifiers.name,
    "representative": identifiers.prose,
    "documentNo": identifiers.identifier,
    "licenceNo": identifiers.identifier,
    "violation": identifiers.prose,
    "violationType": identifiers.prose,
    "basis": identifiers.prose,
    "kinds": str,
}


class Refused(NamedTuple):
    """Why a row states nothing. `private`: it is about a person, or may be, so that nothing of it may be kept."""

    refusals: tuple[Refusal, ...]
    private: bool = False


def read(kind: Kind, cells: Mapping[str, Cell], *, older: bool = False) -> Stated | Refused:
    """What a row states, given by the keys of `gongshi_columns.COLUMNS`. `older`: the file is of the model of 2015/16."""
    row = _Row(kind, cells)
    if person := _person(row):
        return Refused((person,), private=True)
    try:
        code = uscc(row.text("uscc"))
    except Malformed as wrong:
        return _nobody(row, wrong)
    if isinstance(cells["uscc"], Numeric):
        row.refuse(
            "uscc",
            "该单元格是数字，表格只保留 15 位有效数字；请将该列设为文本后重新填写",
            "The cell holds a number, of which sheets keep 15 digits: make the column text and fill it in again",
        )
    authority, authority_code = _authority(row)
    decided_on = row.day("decidedOn")
    _state(row, older)
    fact = (_penalty if kind is Kind.PENALTY else _licence)(row, authority or "", decided_on)
    province = _province(row, code, authority)
    document_no, name = row.needed("documentNo"), row.needed("name")
    representative = row.needed("representative") if row.text("representative") else None
    if row.refusals or not (authority and decided_on and document_no):
        return Refused(tuple(row.refusals))
    enterprise = {"uscc": code, "name": name, "province": province}
    if representative:
        enterprise["legalRepresentative"] = representative
    fact = {"uscc": code, "authority": authority, "effectiveOn": decided_on.isoformat(), **fact}
    return Stated(kind, authority, document_no, code, decided_on, fact, enterprise, authority_code)


class _Row:
    """The cells of a row, and what is wrong with them."""

    def __init__(self, kind: Kind, cells: Mapping[str, Cell]) -> None:
        self.kind = kind
        self.cells = cells
        self.refusals: list[Refusal] = []

    def label(self, key: str) -> str:
        return label_of(self.kind, key)

    def refuse(self, key: str, zh: str, en: str) -> None:
        self.refusals.append(refusal(Code.INVALID, self.label(key), zh, en))

    def text(self, key: str) -> str:
        """The text of a cell, trimmed; empty where there is none."""
        cell = self.cells.get(key, "")
        if isinstance(cell, Numeric):
            return cell.text
        return cell.isoformat() if isinstance(cell, date) else cell.strip()

    def needed(self, key: str) -> str:
        """The text of a cell that may not be empty, as the ledger takes it."""
        text = self.text(key)
        if not text:
            self.refuse(key, "缺少该项", "This is missing")
            return ""
        return self.checked(key, _CHECKS[key], text)

    def checked(self, key: str, check: Callable[[object], str], text: str) -> str:
        try:
            return check(text)
        except Malformed as wrong:
            self.refusals.append(Refusal(Code.INVALID, self.label(key), wrong.text))
            return ""

    def day(self, key: str, default: date | None = None) -> date | None:
        """A date; `default` for an empty cell, which is refused without one."""
        cell = self.cells.get(key, "")
        if isinstance(cell, str) and not cell.strip() and default:
            return default
        try:
            return identifiers.legal_date(day_of(cell))
        except Malformed as wrong:
            self.refusals.append(Refusal(Code.INVALID, self.label(key), wrong.text))
            return None

    def yuan(self, key: str, *, needed: bool, even_none: bool) -> str | None:
        """An amount in yuan; None for an empty cell and for 0, with which files fill cells. One that is needed is refused
        where it is missing, and where it is 0 unless `even_none`."""
        text = self.text(key)
        try:
            amount = yuan_of(text) if text else None
        except Malformed as wrong:
            self.refusals.append(Refusal(Code.INVALID, self.label(key), wrong.text))
            return None
        if amount and (Decimal(amount) or (needed and even_none)):
            return amount
        if needed:
            self.refuse(key, "处罚类别含此项，须给出其金额（万元）", "A penalty of this kind has its amount, in 万元")
        return None


def _person(row: _Row) -> Refusal | None:
    """Why a row is about a natural person, who is no subject of this ledger; None where it is not."""
    category, code = plain(row.text("category")), plain(row.text("uscc"))
    if category in _NATURAL or category.startswith("自然人"):
        zh, en = "行政相对人为自然人，本账本只记录有统一社会信用代码的企业", "It is about a natural person"
    elif not code and (row.text("personNo") or category.startswith(_TRADER)):
        zh, en = (
            "该行没有统一社会信用代码，按自然人处理",
            "It has no unified social credit code, so it is about a natural person",
        )
    elif _is_paper(code):
        zh, en = "统一社会信用代码一栏是身份证件号码，按自然人处理", "The code is the number of an identity card"
    else:
        return None
    return refusal(
        Code.INVALID,
        row.label("category"),
        f"{zh}（内容不予保留）",
        f"{en}: this ledger is of enterprises (nothing of the row is kept)",
    )


@lru_cache(maxsize=4_096)
def _is_paper(code: str) -> bool:
    """Whether a code is the number of an identity card, whole or with stars, though one in thirty has a USCC's check character."""
    try:
        right = bool(uscc(code))
    except Malformed:
        right = False
    return (
        "*" in code
        or bool(_OLD_CARD.fullmatch(code))
        or bool(_CARD.fullmatch(code) and not right)
        or ric.is_valid(code)
    )


def _nobody(row: _Row, wrong: Malformed) -> Refused:
    """The refusal of a row without a right code: nobody can say then that it is about no person."""
    text = wrong.text
    if not row.text("uscc"):
        text = Text("缺少该项", "This is missing")
    elif not plain(row.text("uscc")).startswith("9"):
        text = Text(
            "应为 18 位统一社会信用代码（内容不予回显）",
            "This is a unified social credit code of 18 characters (not repeated)",
        )
    return Refused((Refusal(Code.INVALID, row.label("uscc"), text),), private=True)


def day_of(cell: Cell) -> date:
    """A date as files write them. A bare number is one only as YYYYMMDD, or in a sheet as what the sheet counts it as."""
    if isinstance(cell, date):
        return cell
    text = half_width(cell.text if isinstance(cell, Numeric) else cell).strip()
    if plain(text) in _OPEN:
        return OPEN_END
    found = _SOLID_DAY.fullmatch(text) or _DAY.fullmatch(text)
    try:
        if found:
            return date(*(int(part) for part in found.groups() if part))
    except ValueError:
        raise _bad_day(text) from None
    if isinstance(cell, Numeric) and cell.day:
        return cell.day
    raise _bad_day(text)


def _bad_day(text: str) -> Malformed:
    return malformed(
        f"日期应写作 2020-06-18、2020/6/18、2020年6月18日 或 20200618，收到 {shown(text)}",
        f"A date is written 2020-06-18, 2020/6/18, 2020年6月18日 or 20200618; got {shown(text)}",
    )


def yuan_of(text: str) -> str:
    """An amount of 万元 in yuan, exactly: 0.2 is 2000.00. Never through a binary fraction."""
    amount = half_width(text).strip().removesuffix("万元").strip()
    found = _AMOUNT.fullmatch(amount)
    if not found:
        raise malformed(
            f"金额应为以万元计的非负小数（0.2 即 2000 元），收到 {shown(text)}",
            f"An amount is a plain decimal ≥ 0 in units of 10,000 yuan (万元: 0.2 is 2,000 yuan); got {shown(text)}",
        )
    if len((found[1] or "").rstrip("0")) > 6:
        raise malformed(
            f"以万元计的金额最多 6 位小数（精确到 0.01 元），收到 {shown(text)}",
            f"An amount in 万元 has at most 6 decimals, which is 0.01 yuan; got {shown(text)}",
        )
    return f"{Decimal(amount) * 10_000:.2f}"


def _authority(row: _Row) -> tuple[str | None, str]:
    """The authority of a row, and its own USCC where the row has it; name and code must agree as far as a code tells."""
    name, code = row.text("authority"), row.text("authorityCode")
    named = authority_named(name) if name else None
    if name and named is None:
        row.refuse(
            "authority",
            f"{shown(name)}不是电信管理机构；应为工业和信息化部（MIIT）或 31 个省级通信管理局之一（如重庆市通信管理局，CA-50）",
            f"{shown(name)} is no telecommunications authority: there are 工业和信息化部 (MIIT) and the bureaus of the 31 provinces, "
            "XX通信管理局 (重庆市通信管理局, CA-50, say)",
        )
    own = authority_named(code)
    if own or not code:
        if name and own and own != named:
            _disagree(row, name, code)
        if not name and not own:
            row.refuse("authority", "缺少机关名称", "This is missing")
        return named or own, ""
    try:
        code = uscc(code)
    except Malformed as wrong:
        row.refusals.append(Refusal(Code.INVALID, row.label("authorityCode"), wrong.text))
        return named, ""
    if not name:
        row.refuse(
            "authority",
            f"仅凭代码 {code} 不能确定机关，请同时填写机关名称",
            f"The code {code} alone does not say which authority it is: give its name, too",
        )
    elif named and not (code[0] == "1" and code[2:4] in {CENTRAL, named.removeprefix("CA-")}):
        _disagree(row, name, code)
    return named, code


def _disagree(row: _Row, name: str, code: str) -> None:
    row.refuse(
        "authorityCode",
        f"机关代码{shown(code)}与机关名称{shown(name)}不符",
        f"The code {shown(code)} is not one of {shown(name)}",
    )


def _province(row: _Row, code: str, authority: str | None) -> str:
    division = code[2:4]
    if division == CENTRAL:
        return authority.removeprefix("CA-") if authority and authority != "MIIT" else BEIJING
    if division not in PROVINCES:
        row.refuse(
            "uscc",
            f"统一社会信用代码第 3、4 位“{division}”不是 31 个省级行政区之一的代码",
            f"Characters 3 and 4 of the code, “{division}”, are of none of the 31 provinces",
        )
    return division


def _state(row: _Row, older: bool) -> None:
    """Refuses a row that is no longer valid. 1 is valid in the model of 2018, and annulled in the older one, where 0 is."""
    state = plain(row.text("state"))
    if state not in _VALID and state != ("0" if older or row.kind is Kind.PENALTY else "1"):
        row.refuse(
            "state",
            f"当前状态{shown(state)}不表示有效；请先核实，再分别记录该决定及其撤销",
            f"The state {shown(state)} does not say that it is valid: find out, then record the decision and what ended it",
        )


def _penalty(row: _Row, authority: str, decided_on: date | None) -> dict[str, Any]:
    kinds = _kinds(row)
    violation = row.needed("violation" if row.text("violation") else "violationType")
    fact = {
        "documentNo": row.text("documentNo"),
        "kinds": [kind.value for kind in sorted(kinds, key=_ORDER.__getitem__)],
        "fine": row.yuan("fine", needed=PenaltyKind.FINE in kinds, even_none=False),
        "confiscated": row.yuan("confiscated", needed=PenaltyKind.CONFISCATION in kinds, even_none=True),
        "violation": violation,
        "basis": row.needed("basis"),
        "becauseOf": _cause(row).value,
    }
    return {name: value for name, value in fact.items() if value is not None}


def _cause(row: _Row) -> Cause:
    of_type, of_facts = row.text("violationType"), row.text("violation")
    harassing = "骚扰" in of_type if of_type else "骚扰电话" in of_facts
    return Cause.HARASSING_CALLS if harassing else Cause.OTHER


def _kinds(row: _Row) -> set[PenaltyKind]:
    """The kinds that a row names by their Chinese texts, between semicolons or as the law's list joins them."""
    given = ";".join(text for key in ("kinds", "moreKinds") if (text := plain(row.text(key))))
    if not given:
        row.needed("kinds")
    kinds: set[PenaltyKind] = set()
    for piece in filter(None, re.split(r"[;,|/]", given)):
        found = _kinds_of(row, piece)
        if not found:
            _refuse_kind(row, piece)
        kinds |= found
    return kinds


def _kinds_of(row: _Row, piece: str) -> set[PenaltyKind]:
    if piece in KINDS:
        return {KINDS[piece]}
    if piece.startswith(("其他", "其它")):
        return {PenaltyKind.OTHER}
    if EITHER.fullmatch(piece):
        said = row.text("content") + row.text("papers")
        kinds = {
            kind
            for word, kind in (("暂扣", PenaltyKind.LICENCE_SUSPENDED), ("吊销", PenaltyKind.LICENCE_REVOKED))
            if word in said
        }
        return kinds if len(kinds) == 1 else set()
    parts = {KINDS.get(part) for part in re.split(r"、|并处|并|和|及", piece)}
    return {part for part in parts if part} if None not in parts else set()


def _refuse_kind(row: _Row, piece: str) -> None:
    if EITHER.fullmatch(piece):
        row.refuse(
            "kinds",
            f"{shown(piece)}没有说明是暂扣还是吊销：请写明“暂扣许可证件”或“吊销许可证件”，或在处罚内容中写明其中之一",
            f"{shown(piece)} does not say which of the two it was: write 暂扣许可证件 or 吊销许可证件, or one of the two words in 处罚内容",
        )
    elif piece.isdigit():
        row.refuse(
            "kinds",
            f"处罚类别应为中文名称，收到代码{shown(piece)}：各地代码含义不同；可用：{LEGAL_KINDS}",
            f"A kind is its Chinese text; got the digit {shown(piece)}, which means another kind at every site. There are {LEGAL_KINDS}",
        )
    else:
        row.refuse(
            "kinds",
            f"没有处罚类别{shown(piece)}；可用：{LEGAL_KINDS}；多项以分号分隔",
            f"There is no kind {shown(piece)}; there are {LEGAL_KINDS}, with semicolons between",
        )


def _licence(row: _Row, authority: str, decided_on: date | None) -> dict[str, Any]:
    said = plain("".join(row.text(key) for key in ("content", "certificate", "documentName", "remark")))
    if "呼叫中心" not in said and "B24-1" not in said:
        row.refuse(
            "content",
            "许可内容未写明呼叫中心业务（B24-1）；本账本只记录呼叫中心业务的许可",
            "It does not name the call-centre business (呼叫中心, B24-1), and this ledger is of its licences alone",
        )
    valid_from, valid_to = row.day("validFrom", decided_on), row.day("validTo")
    if valid_from and valid_to and valid_to < valid_from:
        row.refuse(
            "validTo",
            f"有效期至 {valid_to} 早于有效期自 {valid_from}",
            f"It ends on {valid_to}, before it begins on {valid_from}",
        )
    return {
        "licenceNo": row.needed("licenceNo") if row.text("licenceNo") else row.text("documentNo"),
        "business": "B24-1",
        "route": (LicenceRoute.COMMITMENT if "告知承诺" in said else LicenceRoute.STANDARD).value,
        "provinces": [authority.removeprefix("CA-")] if authority.startswith("CA-") else [],
        "validFrom": valid_from.isoformat() if valid_from else None,
        "validTo": valid_to.isoformat() if valid_to else None,
        "historical": True,
    }
