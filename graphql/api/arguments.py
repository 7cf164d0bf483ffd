"""Arguments of queries, checked before anything is read. Each raises ApiError INVALID with what is legal."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import date, datetime
from time import monotonic, sleep
from typing import Final
from uuid import UUID

from api.context import WAIT_SECONDS, Info
from api.errors import ApiError, invalid
from domain import identifiers
from domain.events import EVENTS
from domain.identifiers import Malformed
from domain.text import Text, shown
from ledger.read_log import ReadKey
from projections.supervision_reads import DutyKey, FindingKey, PlaceKey

MOST_YEARS_AHEAD: Final = 10
"""How far a question may look ahead."""
POLL_SECONDS: Final = 0.02


def uscc(value: object) -> str:
    try:
        return identifiers.uscc(value)
    except Malformed as wrong:
        raise invalid("uscc", wrong.text.zh, wrong.text.en) from None


def day(value: object, argument: str) -> date | None:
    if value is None:
        return None
    try:
        return identifiers.legal_date(value)
    except Malformed as wrong:
        raise invalid(argument, wrong.text.zh, wrong.text.en) from None


def period(begins: object, ends: object) -> tuple[date | None, date | None]:
    """The legal dates of the arguments from and to. Raises ApiError INVALID where they are in the wrong order."""
    begins_on, ends_on = day(begins, "from"), day(ends, "to")
    if begins_on and ends_on and ends_on < begins_on:
        raise invalid("to", f"{ends_on} 早于 from {begins_on}", f"{ends_on} is before from {begins_on}")
    return begins_on, ends_on


def as_of(info: Info, value: object, argument: str = "asOf") -> date:
    """The legal date asked about: today when none is named, else from 1949 to ten years ahead."""
    on = day(value, argument)
    if on is None:
        return info.context.today
    latest = _years_after(info.context.today)
    if on > latest:
        raise invalid(argument, f"最晚为 {latest}，收到 {on}", f"the latest is {latest}; got {on}")
    return on


def _years_after(day: date) -> date:
    try:
        return day.replace(year=day.year + MOST_YEARS_AHEAD)
    except ValueError:
        return date(day.year + MOST_YEARS_AHEAD, 2, 28)


def position(value: object, argument: str) -> int:
    """A position from 0 on: 0 is before the first event."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise invalid(
            argument,
            f"应为不小于 0 的整数位置，收到 {shown(value)}",
            f"this is a position from 0 on; got {shown(value)}",
        )
    return value


def text(value: str | None, argument: str, most: int) -> str | None:
    """A text that can be looked up: of at most so many characters, none of them a control character."""
    if value is not None and (len(value) > most or not value.isprintable()):
        raise invalid(argument, f"应为最多 {most} 个可打印字符", f"this is at most {most} printable characters")
    return value


def event_types(names: Sequence[str] | None) -> frozenset[str] | None:
    """The event types named; None where none are, for all."""
    if unknown := [name for name in names or [] if name not in EVENTS]:
        legal, got = ", ".join(EVENTS), shown(unknown[0])
        raise invalid("types", f"没有事件 {got}；可用：{legal}", f"there is no event {got}; there are {legal}")
    return None if names is None else frozenset(names)


def page_size(value: int | None, most: int, usual: int) -> int:
    """How many are asked for: `usual` when none is named, since null stands for the default."""
    if value is None:
        return usual
    if not 1 <= value <= most:
        raise invalid("first", f"应为 1 至 {most}，收到 {value}", f"this is 1 to {most}; got {value}")
    return value


def known_at(info: Info, value: object) -> int | None:
    """The position whose knowledge is asked for, once the log holds it; None when none is named, for the head.

    Waits briefly for a position that is not there yet. Raises ApiError NOT_YET_KNOWN when it does not come.
    """
    if value is None:
        return None
    asked, ends = position(value, "knownAt"), monotonic() + WAIT_SECONDS
    while (head := info.context.ledger.recorder.head()) < asked:
        if monotonic() >= ends:
            raise _not_yet_known(asked, head)
        sleep(POLL_SECONDS)
    return asked


def settled_at(info: Info, value: object, *names: str) -> int:
    """The same for what is read from these read models: the position named or, by default, the one they have reached."""
    ends = monotonic() + WAIT_SECONDS
    asked = known_at(info, value)
    # What came after a position changes no answer at it: who names one waits for no more than that.
    reached = info.context.settle(*names, asked=asked, seconds=max(0.0, ends - monotonic()))
    if asked is not None and asked > reached:
        raise _not_yet_known(asked, reached)
    return reached if asked is None else asked


def _not_yet_known(asked: int, known: int) -> ApiError:
    return ApiError(
        "NOT_YET_KNOWN",
        Text(
            f"knownAt：位置 {asked} 尚未可知；目前已知至 {known}",
            f"knownAt: position {asked} is not known yet; known is {known}",
        ),
        "knownAt",
    )


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """The parts that an opaque cursor was made from: printable text each."""
    try:
        padded = (cursor + "=" * (-len(cursor) % 4)).encode("ascii")
        found = b64decode(padded, b"-_", validate=True).decode().split("\n")
    except (Base64Error, ValueError):
        found = []
    if len(found) != parts or not all(part.isprintable() for part in found):
        raise bad_cursor()
    return found


def decode_position(after: str | None) -> int | None:
    """The position that a cursor names; None for no cursor."""
    return None if after is None else _place_in(decode_cursor(after, 1)[0])


def decode_place(after: str | None) -> PlaceKey | None:
    """The date and position that a cursor names; None for no cursor."""
    if after is None:
        return None
    on, place = decode_cursor(after, 2)
    return PlaceKey(_date_in(on), _place_in(place))


def decode_duty(after: str | None) -> DutyKey | None:
    """The obligation that a cursor names; None for no cursor."""
    if after is None:
        return None
    due_on, subject, rule, arises_from, about = decode_cursor(after, 5)
    return DutyKey(_date_in(due_on), subject, rule, _place_in(arises_from), _place_in(about))


def decode_finding(after: str | None) -> FindingKey | None:
    """The finding that a cursor names; None for no cursor."""
    if after is None:
        return None
    place, rule = decode_cursor(after, 2)
    return FindingKey(_place_in(place), rule)


def decode_read(after: str | None) -> ReadKey | None:
    """The read that a cursor names; None for no cursor."""
    if after is None:
        return None
    at, id_ = decode_cursor(after, 2)
    try:
        place = ReadKey(datetime.fromisoformat(at), UUID(id_))
    except ValueError:
        raise bad_cursor() from None
    if place.read_at.tzinfo is None:
        raise bad_cursor()
    return place


def decode_uscc(after: str | None) -> str:
    """The code that a cursor names; empty, before all codes, for no cursor."""
    if after is None:
        return ""
    (code,) = decode_cursor(after, 1)
    try:
        return identifiers.uscc(code)
    except Malformed:
        raise bad_cursor() from None


def _place_in(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_cursor()
    return int(text)


def _date_in(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad_cursor() from None


def bad_cursor() -> ApiError:
    return invalid("after", "不是本查询给出的游标", "this is not a cursor that this query gave")
