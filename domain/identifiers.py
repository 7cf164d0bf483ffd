"""Identifiers and values of rulebook §2: each function takes what was sent and gives its one normal form.

A value that is not legal raises `Malformed`, whose sentence names what was got, the first part that is wrong and what
is legal. Nothing is guessed: no normalisation beyond what §2 says.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from operator import mul
from typing import Final

from domain.text import Text, shown

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""Legal time. China has kept UTC+8 without summer time since 1992, which is before anything this ledger judges."""

EARLIEST: Final = date(1949, 1, 1)
DAYS_AHEAD: Final = 366
"""How far effectiveOn may lie in the future (§1)."""

PROVINCES: Final = {
    "11": "北京", "12": "天津", "13": "河北", "14": "山西", "15": "内蒙古", "21": "辽宁", "22": "吉林", "23": "黑龙江",
    "31": "上海", "32": "江苏", "33": "浙江", "34": "安徽", "35": "福建", "36": "江西", "37": "山东", "41": "河南",
    "42": "湖北", "43": "湖南", "44": "广东", "45": "广西", "46": "海南", "50": "重庆", "51": "四川", "52": "贵州",
    "53": "云南", "54": "西藏", "61": "陕西", "62": "甘肃", "63": "青海", "64": "宁夏", "65": "新疆",
}  # fmt: skip
"""The 31 mainland provinces by GB/T 2260 code."""

CODE_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CODE_VALUES: Final = {character: value for value, character in enumerate(CODE_CHARACTERS)}
CODE_WEIGHTS: Final = tuple(3**place % 31 for place in range(17))
CODE: Final = re.compile(f"[{CODE_CHARACTERS}]{{2}}[0-9]{{6}}[{CODE_CHARACTERS}]{{10}}")
BLANKS_AND_HYPHENS: Final = re.compile(r"[\s\-\u2010-\u2015\u2212]")
SERVICE_NUMBER: Final = re.compile(r"9[56][0-9]{3,4}")
CARRIER: Final = re.compile(r"[A-Z][A-Z0-9_]{1,31}")
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
MONEY: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,2}))?")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
UNKEEPABLE: Final = re.compile("[\0\ud800-\udfff]")


class Malformed(ValueError):
    """A value that §2 does not allow. `text` says why, for the person who sent it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def malformed(zh: str, en: str) -> Malformed:
    return Malformed(Text(zh, en))


def _text_of(value: object, what_zh: str, what_en: str) -> str:
    if not isinstance(value, str):
        raise malformed(f"{what_zh}应为文本，收到 {shown(value)}", f"{what_en} is text; got {shown(value)}")
    return value


def uscc(value: object) -> str:
    """A unified social credit code (GB 32100-2015): 18 characters, upper-cased, without blanks and hyphens."""
    return _uscc(_text_of(value, "统一社会信用代码", "A unified social credit code"))


@lru_cache(maxsize=65_536)
def _uscc(got: str) -> str:
    """Kept for the codes asked about most: the check character costs more than a look-up."""
    if _is_code(got):
        return got
    # Blanks and hyphens alone are taken out: a digit of another script is not the digit it looks like.
    code = "".join(c.upper() if c.isascii() else c for c in BLANKS_AND_HYPHENS.sub("", got))
    if _is_code(code):
        return code
    raise _malformed_uscc(got, code)


def _is_code(text: str) -> bool:
    return bool(CODE.fullmatch(text)) and text[17] == check_character(text)


def check_character(code: str) -> str:
    """The 18th character that a code's first 17 ask for (GB 32100-2015, 4.2; ISO 7064, MOD 31).

    The library's own function cleans what it gets each time, which takes most of the time of a check.
    """
    total = sum(map(mul, map(CODE_VALUES.__getitem__, code), CODE_WEIGHTS))
    return CODE_CHARACTERS[-total % 31]


def _malformed_uscc(got: str, code: str) -> Malformed:
    """What is wrong first with text that is no code."""
    said = shown(got)
    if len(code) != 18:
        return malformed(
            f"统一社会信用代码应为 18 位，收到 {len(code)} 位：{said}",
            f"A unified social credit code has 18 characters; got {len(code)}: {said}",
        )
    for place, character in enumerate(code, start=1):
        if character not in CODE_VALUES:
            return malformed(
                f"统一社会信用代码第 {place} 位{shown(character)}不合法：只能是数字或除 I、O、S、V、Z 外的大写字母：{said}",
                f"Character {place} of the unified social credit code, {shown(character)}, is not legal: digits and capital "
                f"letters without I, O, S, V and Z are: {said}",
            )
    if not code[2:8].isdigit():
        return malformed(
            f"统一社会信用代码第 3 至 8 位应为 6 位数字的行政区划码，收到“{code[2:8]}”：{said}",
            f"Characters 3 to 8 of the unified social credit code are a 6-digit division code; got “{code[2:8]}”: {said}",
        )
    return malformed(
        f"统一社会信用代码的校验码（第 18 位）“{code[17]}”与前 17 位不符：{said}；请核对是否录入有误",
        f"The check character (18th) “{code[17]}” of the unified social credit code does not agree with the other "
        f"17: {said}; look for a slip in typing",
    )


def service_number(value: object) -> str:
    got = _text_of(value, "电信业务接入号码", "A service number")
    if not SERVICE_NUMBER.fullmatch(got.strip()):
        raise malformed(
            f"接入号码应为 95 或 96 开头、后接 3 或 4 位数字，收到 {shown(got)}",
            f"A service number is 95 or 96 followed by 3 or 4 digits; got {shown(got)}",
        )
    return got.strip()


def authority(value: object) -> str:
    got = _text_of(value, "电信管理机构", "An authority").strip()
    if got != "MIIT" and not (got.startswith("CA-") and got[3:] in PROVINCES):
        raise malformed(
            f"电信管理机构应为 MIIT 或 CA-加省级行政区划码（如 CA-11），收到 {shown(got)}",
            f"An authority is MIIT or CA-nn with the code of one of the 31 provinces (CA-11, say); got {shown(got)}",
        )
    return got


def carrier(value: object) -> str:
    got = _text_of(value, "基础电信企业代码", "A carrier code").strip()
    if not CARRIER.fullmatch(got):
        raise malformed(
            f"基础电信企业代码应为 2 至 32 位大写字母、数字或下划线并以字母开头（如 CHINA_TELECOM），收到 {shown(got)}",
            "A carrier code is 2 to 32 capital letters, digits or underscores, a letter first (CHINA_TELECOM, say); "
            f"got {shown(got)}",
        )
    return got


def province(value: object) -> str:
    got = _text_of(value, "省级行政区划码", "A province code").strip()
    if got not in PROVINCES:
        raise malformed(
            f"省级行政区划码应为 31 个省级行政区的两位代码之一（如 11），收到 {shown(got)}",
            f"A province is one of the 31 two-digit codes of GB/T 2260 (11, say); got {shown(got)}",
        )
    return got


def identifier(value: object) -> str:
    """Licence, document, order, case, complaint, entry and access ids: 1–64 code points, trimmed, not normalised."""
    got = _text_of(value, "编号", "An id").strip()
    if not 1 <= len(got) <= 64:
        raise malformed(f"编号应为 1 至 64 个字符，收到 {len(got)} 个", f"An id has 1 to 64 characters; got {len(got)}")
    # Of text that can be printed no character is of these categories.
    for place, character in enumerate("" if got.isprintable() else got, start=1):
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            raise malformed(
                f"编号第 {place} 个字符 U+{ord(character):04X} 是控制、格式或换行字符，不允许使用",
                f"Character {place} of the id, U+{ord(character):04X}, is a control, format or line separator "
                "character; ids have none",
            )
    return got


def displayed_number(value: object) -> str:
    """What the called party's screen showed: any text to 64 characters is kept as it is."""
    got = _storable(_text_of(value, "来电显示号码", "A displayed number"))
    if len(got) > 64:
        raise malformed(
            f"来电显示号码最多 64 个字符，收到 {len(got)} 个",
            f"A displayed number has at most 64 characters; got {len(got)}",
        )
    return got


def prose(value: object, limit: int = 2_000) -> str:
    got = _storable(_text_of(value, "该字段", "This field")).strip()
    if not 1 <= len(got) <= limit:
        raise malformed(
            f"文本应为 1 至 {limit} 个字符，收到 {len(got)} 个", f"Text has 1 to {limit} characters; got {len(got)}"
        )
    return got


def name(value: object) -> str:
    return prose(value, 200)


def _storable(text: str) -> str:
    """Refuses what no database or canonical JSON (RFC 8785 §3.2.2.2) can hold: U+0000 and lone surrogates."""
    if found := UNKEEPABLE.search(text):
        place, code = found.start() + 1, ord(found[0])
        raise malformed(f"第 {place} 个字符 U+{code:04X} 不能保存", f"Character {place}, U+{code:04X}, can't be kept")
    return text


def money(value: object) -> str:
    """Yuan, exact, as a decimal string with two places: 2000 → "2000.00"."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15
    got = str(value) if whole else value
    found = MONEY.fullmatch(got.strip()) if isinstance(got, str) else None
    if not found:
        raise malformed(
            f"金额应为不小于 0、最多两位小数的元数（如 2000.00），收到 {shown(value)}",
            f"An amount is yuan ≥ 0, a plain decimal with at most 2 places (2000.00, say); got {shown(value)}",
        )
    return f"{Decimal(found[0]):.2f}"


def legal_date(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, (str, date)):
        raise _bad_date(value)
    if isinstance(value, str):
        value = _date(value)
    if value < EARLIEST:
        raise malformed(
            f"日期不得早于 {EARLIEST}，收到 {value.isoformat()}",
            f"Dates begin with {EARLIEST}; got {value.isoformat()}",
        )
    return value


@lru_cache(maxsize=16_384)
def _date(text: str) -> date:
    """Kept for all days of some decades: most facts are of days that others are of, too."""
    if not DATE.fullmatch(text):
        raise _bad_date(text)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _bad_date(text) from None


def _bad_date(value: object) -> Malformed:
    return malformed(
        f"日期应为公历日期 YYYY-MM-DD（如 2020-06-18），收到 {shown(value)}",
        f"A date is a calendar date YYYY-MM-DD (2020-06-18, say); got {shown(value)}",
    )


def instant(value: object) -> str:
    """An ISO 8601 instant with an offset, as UTC with microseconds and Z; digits beyond microseconds are cut off."""
    found = INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found:
        day, clock, fraction, offset = found.groups()
        offset = "+00:00" if offset in "Zz" else offset
        try:
            moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{offset}")
            if moment.astimezone(SHANGHAI).date() >= EARLIEST:
                return instant_text(moment)
        except (ValueError, OverflowError):
            pass
    raise malformed(
        f"时刻应为 {EARLIEST} 起、带时区的 ISO 8601 时间（如 2020-06-18T09:30:00Z），收到 {shown(value)}",
        f"An instant is ISO 8601 with its offset, from {EARLIEST} on (2020-06-18T09:30:00Z, say); got {shown(value)}",
    )


@lru_cache(maxsize=64)
def instant_text(moment: datetime) -> str:
    """An aware datetime as the ledger writes instants: 2020-06-18T01:30:00.000000Z."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def position(value: object) -> int:
    # Whether there is an event at it is for the ledger to say: a position below 1 holds none (§3 “no such”).
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**53:
        raise malformed(f"位置应为整数，收到 {shown(value)}", f"A position is a whole number; got {shown(value)}")
    return value


def year(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not EARLIEST.year <= value <= 9999:
        raise malformed(
            f"年度应为 {EARLIEST.year} 至 9999 的整数，收到 {shown(value)}",
            f"A year is a whole number from {EARLIEST.year} to 9999; got {shown(value)}",
        )
    return value


def campaign(value: object) -> int:
    if isinstance(value, bool) or value != 2020:
        raise malformed(
            f"自查活动目前只有 2020，收到 {shown(value)}",
            f"The one self-inspection campaign is 2020; got {shown(value)}",
        )
    return 2020


def business(value: object) -> str:
    got = _text_of(value, "业务种类", "The business").strip()
    if got != "B24-1":
        raise malformed(
            f"业务种类应为 B24-1（呼叫中心业务），收到 {shown(got)}",
            f"The business is B24-1 (call centre); got {shown(got)}",
        )
    return got


def sha256(value: object) -> str:
    got = _text_of(value, "散列值", "A SHA-256")
    if not SHA256.fullmatch(got):
        raise malformed(
            f"SHA-256 应为 64 位小写十六进制，收到 {shown(got)}",
            f"A SHA-256 is 64 lower-case hex digits; got {shown(got)}",
        )
    return got


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise malformed(f"应为 true 或 false，收到 {shown(value)}", f"This is true or false; got {shown(value)}")
    return value


@lru_cache(maxsize=64)
def legal_date_of(moment: datetime) -> date:
    """The legal date (Asia/Shanghai) of an instant."""
    return moment.astimezone(SHANGHAI).date()


def prefixes(displayed: str) -> tuple[str, ...]:
    """The service numbers that a displayed number may belong to (§2), longest first; none where it is no number."""
    if not (3 <= len(displayed) <= 20 and displayed.isascii() and displayed.isdigit()):
        return ()
    return tuple(displayed[:n] for n in (6, 5) if n <= len(displayed) and SERVICE_NUMBER.fullmatch(displayed[:n]))
