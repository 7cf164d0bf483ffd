"""Questions to the read models. Each is a bounded number of statements, for one enterprise as for a page of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from domain.identifiers import CODE_CHARACTERS, CODE_VALUES, check_character
from domain.recorded import Recorded
from ledger.entry import opened
from ledger.rows import Questions
from projections.credit import UNKNOWN, Timeline, loaded
from projections.register import folded, grams
from projections.supervision_reads import PlaceKey


@dataclass(frozen=True, slots=True)
class Known:
    """An event with its entry's bytes and what voided it."""

    recorded: Recorded
    entry: bytes
    voided_by: int | None

    @property
    def position(self) -> int:
        return self.recorded.position


class Slice(NamedTuple):
    """Which part of a history is asked for. `areas` and `types` narrow together by either."""

    areas: tuple[str, ...] | None = None
    types: tuple[str, ...] = ()
    begins: date | None = None
    ends: date | None = None
    known_at: int | None = None


class MonthOfEvents(NamedTuple):
    month: date
    area: str
    type: str
    events: int
    position: int
    """Of the latest of them."""


class Day(NamedTuple):
    on: date
    received: int
    substantiated: int


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for enterprises asks: every part that is given must hold today."""

    today: date
    text: str | None = None
    province: str | None = None
    status: str | None = None
    by_number: bool = True


class DecisionFilter(NamedTuple):
    """Which decisions are asked for."""

    uscc: str | None = None
    gate: str | None = None
    outcome: str | None = None
    carrier: str | None = None


class DrawsSeen(NamedTuple):
    """Which draws a caller may see: all, those of its authority, and those that are public today."""

    today: date
    everything: bool = False
    authority: str | None = None


class CreditChange(NamedTuple):
    position: int
    uscc: str
    timeline: Timeline


class Reads(Questions):
    def history(self, usccs: Sequence[str], asked: Slice, limit: int, after: PlaceKey | None) -> dict[str, list[Known]]:
        """For each enterprise its events newest first, at most `limit` of them after a place."""
        parameters = {
            **_slice(asked),
            "usccs": list(usccs),
            "after_on": after.on if after else None,
            "after_position": after.position if after else None,
            "limit": limit,
        }
        found: dict[str, list[Known]] = {uscc: [] for uscc in usccs}
        for uscc, data, voided_by in self._rows(_HISTORY, parameters):
            found[uscc].append(_known(data, voided_by))
        return found

    def history_count(self, usccs: Sequence[str], asked: Slice) -> dict[str, int]:
        found = dict.fromkeys(usccs, 0)
        found.update(self._rows(_HISTORY_COUNT, {**_slice(asked), "usccs": list(usccs)}))
        return found

    def activity(self, usccs: Sequence[str], on: date, known_at: int) -> dict[str, list[MonthOfEvents]]:
        """For each enterprise its events by month and type, oldest first, as of a date and as known at a position."""
        found: dict[str, list[MonthOfEvents]] = {uscc: [] for uscc in usccs}
        for uscc, *month in self._rows(_ACTIVITY, {"usccs": list(usccs), "on": on, "known_at": known_at}):
            found[uscc].append(MonthOfEvents(*month))
        return found

    def events(
        self, after: int, limit: int, types: Sequence[str] | None = None, uscc: str | None = None
    ) -> list[Known]:
        """Events after a position in their order, of these types, bearing this enterprise."""
        parameters = {
            "after": after,
            "limit": limit,
            "types": sorted(set(types)) if types is not None else None,
            "uscc": uscc,
        }
        statement = _EVENTS_OF_ENTERPRISE if uscc else _EVENTS_OF_TYPES if types is not None else _EVENTS
        return [_known(data, voided_by) for data, voided_by in self._rows(statement, parameters)]

    def last_before(self, at: datetime, head: int) -> int:
        """The position of the last event that was recorded before an instant; 0 for none. Looks at a few entries only,
        since positions and instants grow together."""
        return self._count(_LAST_BEFORE, {"at": at, "head": head})

    def at(self, positions: Sequence[int]) -> list[Known]:
        """The events at these positions, in order; positions that hold none are left out."""
        return [_known(data, by) for data, by in self._rows(_AT, {"positions": list(positions)})]

    def complaint_counts(self, usccs: Sequence[str], begins: date, ends: date, today: date) -> dict[str, list[Day]]:
        found: dict[str, list[Day]] = {uscc: [] for uscc in usccs}
        parameters = {"usccs": list(usccs), "begins": begins, "ends": ends, "today": today}
        for uscc, on, received, substantiated in self._rows(_COMPLAINT_COUNTS, parameters):
            found[uscc].append(Day(on, received, substantiated))
        return found

    def search(self, asked: Search, limit: int, after: str) -> list[str]:
        """The codes of the enterprises found, ascending, at most `limit` of them after a code."""
        return [uscc for (uscc,) in self._found(asked, _PAGE_OF_FOUND, limit=limit, after=after)]

    def search_count(self, asked: Search) -> int:
        count: int = self._found(asked, _COUNT_OF_FOUND)[0][0]
        return count

    def _found(self, asked: Search, shown: str, **page: Any) -> list[tuple[Any, ...]]:
        # Planned for each text anew: which index finds it soonest depends on it.
        return self._rows(_search(asked, shown), {**_searched(asked), **page}, prepare=False)

    def decisions(self, asked: DecisionFilter, limit: int, before: int | None) -> list[Known]:
        """Decisions newest first, at most `limit` of them before a position."""
        parameters = {**asked._asdict(), "limit": limit, "before": before}
        return [_known(data, None) for (data,) in self._rows(_DECISIONS, parameters)]

    def decision_count(self, asked: DecisionFilter) -> int:
        return self._count(_DECISION_COUNT, asked._asdict())

    def draws(self, seen: DrawsSeen, limit: int, before: int | None) -> list[Known]:
        """Draws newest first, at most `limit` of them before a position."""
        parameters = {**seen._asdict(), "limit": limit, "before": before, "draw_id": None}
        return [_known(data, None) for (data,) in self._rows(_DRAWS, parameters)]

    def draw(self, seen: DrawsSeen, draw_id: str) -> Known | None:
        """The draw of an id, where it may be seen."""
        parameters = {**seen._asdict(), "limit": 1, "before": None, "draw_id": draw_id}
        return next((_known(data, None) for (data,) in self._rows(_DRAWS, parameters)), None)

    def draw_count(self, seen: DrawsSeen) -> int:
        return self._count(_DRAW_COUNT, {**seen._asdict(), "draw_id": None})

    def draws_seen(self, seen: DrawsSeen, positions: Sequence[int]) -> set[int]:
        """Those of the positions whose draws may be seen."""
        parameters = {**seen._asdict(), "draw_id": None, "positions": list(positions)}
        return {position for (position,) in self._rows(_DRAWS_SEEN, parameters)}

    def enterprises_after(self, after: str, limit: int, known_at: int) -> list[str]:
        """The codes that any event up to a position bears, ascending, at most `limit` of them after a code."""
        return [uscc for (uscc,) in self._rows(_ENTERPRISES, {"after": after, "limit": limit, "known_at": known_at})]

    def provinces(self, usccs: Sequence[str], today: date) -> dict[str, str]:
        """The province of registration of each enterprise that is registered today."""
        return dict(self._rows(_PROVINCES, {"usccs": list(usccs), "today": today}))

    def timelines(self, usccs: Sequence[str], known_at: int) -> dict[str, Timeline]:
        """The credit timeline of each enterprise as known at a position; UNKNOWN throughout where nothing is known."""
        rows = self._rows(_TIMELINES, {"usccs": list(usccs), "known_at": known_at})
        return {uscc: loaded(timeline) if timeline else UNKNOWN for uscc, timeline in rows}

    def credit_changes(self, after: int, limit: int, usccs: Sequence[str] | None = None) -> list[CreditChange]:
        """Changes of credit timelines after a position, oldest first; of these enterprises, where any are named."""
        statement = _CREDIT_CHANGES if usccs is None else _CREDIT_CHANGES_OF
        rows = self._rows(statement, {"after": after, "limit": limit, "usccs": list(usccs or ())})
        return [CreditChange(position, uscc, loaded(timeline)) for position, uscc, timeline in rows]


def _known(data: bytes, voided_by: int | None) -> Known:
    return Known(opened(data), data, voided_by)


def _slice(asked: Slice) -> dict[str, Any]:
    return {
        "areas": list(asked.areas) if asked.areas is not None else None,
        "types": list(asked.types),
        "begins": asked.begins,
        "ends": asked.ends,
        "known_at": asked.known_at,
    }


def _searched(asked: Search) -> dict[str, Any]:
    text = (asked.text or "").strip()
    code = _code(text)
    return {
        "today": asked.today,
        "province": asked.province,
        "status": asked.status,
        "text": folded(text),
        "code": code,
        "codes": _whole_codes(code),
        "parts": _code_parts(code),
        "letters": len(code),
        "grams": grams(text),
        "number": text if text.isascii() and text.isdigit() else None,
    }


def _search(asked: Search, shown: str) -> str:
    text = (asked.text or "").strip()
    if not text:
        return shown.format(found="")
    # All find the same: a name or a code that holds all of a text has its grams as well.
    found = _FOUND_BY_GRAMS
    if _MAY_BE_OF_A_CODE.fullmatch(code := _code(text)) and text.isascii():
        found = _FOUND_BY_CODE_PART if len(code) < _NEARLY_WHOLE else _FOUND_BY_WHOLE_CODE
    by_number = _FOUND_BY_NUMBER if asked.by_number else ""
    return shown.format(found=f"AND r.uscc IN ({found} {by_number})")


def _code(text: str) -> str:
    """What of a code a text would be."""
    return "".join(text.upper().split())


def _whole_codes(code: str) -> list[str]:
    """The codes, correct in their check character as all that are recorded, that hold a text of 17 characters or more."""
    if len(code) != _NEARLY_WHOLE:
        return [code]
    if not CODE_VALUES.keys() >= set(code):
        return []
    before = [first + code for first in CODE_CHARACTERS if check_character(first + code) == code[-1]]
    return [code + check_character(code), *before]


def _code_parts(code: str) -> list[str]:
    """The last two parts of it: the end is what tells enterprises apart. Parts that all share would cost what they hold."""
    return [code[-_CODE_PART - 1 : -1], code[-_CODE_PART:]] if len(code) > _CODE_PART else [code]


_WHERE_SLICE: Final = """
    (%(areas)s::text[] IS NULL OR h.area = ANY (%(areas)s::text[]) OR h.type = ANY (%(types)s::text[]))
    AND (%(begins)s::date IS NULL OR h.effective_on >= %(begins)s::date)
    AND (%(ends)s::date IS NULL OR h.effective_on <= %(ends)s::date)
    AND (%(known_at)s::bigint IS NULL OR h.position <= %(known_at)s::bigint)
"""

_HISTORY: Final = """
SELECT asked.uscc, event.data, page.voided_by
FROM unnest(%(usccs)s::text[]) AS asked (uscc)
CROSS JOIN LATERAL (
    SELECT h.position, h.effective_on,
        CASE WHEN h.voided_by > %(known_at)s::bigint THEN NULL ELSE h.voided_by END AS voided_by
    FROM history h
    WHERE h.uscc = asked.uscc AND {slice}
      AND (%(after_position)s::bigint IS NULL
           OR (h.effective_on, h.position) < (%(after_on)s::date, %(after_position)s::bigint))
    ORDER BY h.effective_on DESC, h.position DESC LIMIT %(limit)s
) AS page
JOIN events event ON event.position = page.position
ORDER BY page.effective_on DESC, page.position DESC
""".replace("{slice}", _WHERE_SLICE)

_HISTORY_COUNT: Final = """
SELECT h.uscc, count(*) FROM history h WHERE h.uscc = ANY (%(usccs)s::text[]) AND {slice} GROUP BY h.uscc
""".replace("{slice}", _WHERE_SLICE)

_ACTIVITY: Final = """
SELECT h.uscc, date_trunc('month', h.effective_on)::date AS month, h.area, h.type, count(*), max(h.position)
FROM history h
WHERE h.uscc = ANY (%(usccs)s::text[]) AND h.effective_on <= %(on)s::date AND h.position <= %(known_at)s::bigint
  AND (h.voided_by IS NULL OR h.voided_by > %(known_at)s::bigint)
GROUP BY h.uscc, month, h.area, h.type ORDER BY month, h.type
"""

_EVENTS: Final = """
SELECT event.data, h.voided_by FROM events event JOIN history h ON h.position = event.position
WHERE event.position > %(after)s ORDER BY event.position LIMIT %(limit)s
"""

_EVENTS_OF_ENTERPRISE: Final = """
SELECT event.data, page.voided_by
FROM (
    SELECT h.position, h.voided_by FROM history h
    WHERE h.uscc = %(uscc)s AND h.position > %(after)s AND (%(types)s::text[] IS NULL OR h.type = ANY (%(types)s::text[]))
    ORDER BY h.position LIMIT %(limit)s
) AS page
JOIN events event ON event.position = page.position ORDER BY page.position
"""

# One index walk a type, so that rare types cost what is found and not what lies between.
_EVENTS_OF_TYPES: Final = """
SELECT event.data, page.voided_by
FROM (
    SELECT one.position, one.voided_by FROM unnest(%(types)s::text[]) AS asked (type)
    CROSS JOIN LATERAL (
        SELECT h.position, h.voided_by FROM history h
        WHERE h.type = asked.type AND h.position > %(after)s ORDER BY h.position LIMIT %(limit)s
    ) AS one
    ORDER BY one.position LIMIT %(limit)s
) AS page
JOIN events event ON event.position = page.position ORDER BY page.position
"""

_AT: Final = """
SELECT event.data, h.voided_by FROM unnest(%(positions)s::bigint[]) AS asked (position)
JOIN events event ON event.position = asked.position
LEFT JOIN history h ON h.position = event.position
ORDER BY event.position
"""

_LAST_BEFORE: Final = """
WITH RECURSIVE between (low, high) AS (
    SELECT 0::bigint, %(head)s::bigint
    UNION ALL
    SELECT CASE WHEN middle.recorded_at < %(at)s THEN middle.position ELSE low END,
        CASE WHEN middle.recorded_at < %(at)s THEN high ELSE middle.position - 1 END
    FROM between JOIN events middle ON middle.position = (low + high + 1) / 2
    WHERE low < high
)
SELECT low FROM between WHERE low >= high
"""

_COMPLAINT_COUNTS: Final = """
SELECT uscc, received_on, sum(received)::bigint, sum(substantiated)::bigint FROM complaint_days
WHERE uscc = ANY (%(usccs)s::text[]) AND received_on >= %(begins)s AND received_on <= least(%(ends)s::date, %(today)s::date)
  AND visible_from <= %(today)s
GROUP BY uscc, received_on HAVING sum(received) > 0 ORDER BY received_on
"""

_CODE_PART: Final = 5
_NEARLY_WHOLE: Final = 17
"""Characters of a text that is a code but for its first character or its last, or that is longer: few codes can hold it."""
_MAY_BE_OF_A_CODE: Final = re.compile(f"[0-9A-Z]{{{_CODE_PART},}}")

_FOUND_BY_GRAMS: Final = """
SELECT named.uscc FROM register named
WHERE named.grams @> %(grams)s::text[] AND named.valid_from <= %(today)s AND named.valid_to > %(today)s
  AND (position(%(text)s::text in named.folded) > 0 OR position(%(code)s::text in named.uscc) > 0)
"""

# The expressions are those of the indexes register_code_parts and register_letters.
_FOUND_BY_CODE: Final = """
SELECT coded.uscc FROM register coded
WHERE {which} AND coded.valid_from <= %(today)s AND coded.valid_to > %(today)s
UNION ALL
SELECT named.uscc FROM register named
WHERE length(regexp_replace(named.folded COLLATE "C", '[^0-9a-z]', '', 'g')) >= %(letters)s
  AND named.grams @> %(grams)s::text[] AND named.valid_from <= %(today)s AND named.valid_to > %(today)s
  AND position(%(text)s::text in named.folded) > 0
"""
_FOUND_BY_WHOLE_CODE: Final = _FOUND_BY_CODE.replace("{which}", "coded.uscc = ANY(%(codes)s::text[])")
_FOUND_BY_CODE_PART: Final = _FOUND_BY_CODE.replace(
    "{which}",
    f"ARRAY[{', '.join(f'substr(coded.uscc, {begin}, {_CODE_PART})' for begin in range(1, 15))}] @> %(parts)s::text[]"
    " AND position(%(code)s::text in coded.uscc) > 0",
)

_FOUND_BY_NUMBER: Final = """
UNION ALL
SELECT filed.uscc FROM filed_numbers filed
WHERE filed.number LIKE %(number)s::text || '%%' AND filed.valid_from <= %(today)s AND filed.valid_to > %(today)s
"""

_TODAY: Final = """
FROM register r
WHERE r.valid_from <= %(today)s AND r.valid_to > %(today)s
  AND (%(province)s::text IS NULL OR r.province = %(province)s::text)
  AND (%(status)s::text IS NULL OR EXISTS (
      SELECT FROM credit_spans c
      WHERE c.uscc = r.uscc AND c.status = %(status)s::text AND c.valid_from <= %(today)s AND c.valid_to > %(today)s
  ))
  {found}
"""

_PAGE_OF_FOUND: Final = "SELECT r.uscc " + _TODAY + " AND r.uscc > %(after)s ORDER BY r.uscc LIMIT %(limit)s"
_COUNT_OF_FOUND: Final = "SELECT count(*) " + _TODAY

_WHERE_DECISION: Final = """
    (%(uscc)s::text IS NULL OR d.uscc = %(uscc)s::text)
    AND (%(gate)s::text IS NULL OR d.gate = %(gate)s::text)
    AND (%(outcome)s::text IS NULL OR d.outcome = %(outcome)s::text)
    AND (%(carrier)s::text IS NULL OR d.carrier = %(carrier)s::text)
"""
_DECISIONS: Final = """
SELECT event.data FROM (
    SELECT d.position FROM decisions d
    WHERE {which} AND (%(before)s::bigint IS NULL OR d.position < %(before)s::bigint)
    ORDER BY d.position DESC LIMIT %(limit)s
) AS page
JOIN events event ON event.position = page.position ORDER BY page.position DESC
""".replace("{which}", _WHERE_DECISION)
_DECISION_COUNT: Final = "SELECT count(*) FROM decisions d WHERE {which}".replace("{which}", _WHERE_DECISION)

_WHERE_DRAW: Final = """
    (%(everything)s OR d.authority = %(authority)s::text OR d.public_from <= %(today)s)
    AND (%(draw_id)s::text IS NULL OR d.draw_id = %(draw_id)s::text)
"""
_DRAWS: Final = """
SELECT event.data FROM (
    SELECT d.position FROM draws d
    WHERE {which} AND (%(before)s::bigint IS NULL OR d.position < %(before)s::bigint)
    ORDER BY d.position DESC LIMIT %(limit)s
) AS page
JOIN events event ON event.position = page.position ORDER BY page.position DESC
""".replace("{which}", _WHERE_DRAW)
_DRAW_COUNT: Final = "SELECT count(*) FROM draws d WHERE {which}".replace("{which}", _WHERE_DRAW)
_DRAWS_SEEN: Final = """
SELECT d.position FROM draws d WHERE {which} AND d.position = ANY (%(positions)s::bigint[])
""".replace("{which}", _WHERE_DRAW)

# A step of the index for each enterprise, however many events it has: its tag with the first position that bears it.
_ENTERPRISES: Final = """
WITH RECURSIVE found (tag, position) AS (
    (SELECT t.tag, t.position FROM tags t
     WHERE t.tag > 'enterprise:' || %(after)s::text || CASE WHEN %(after)s::text = '' THEN '' ELSE '~' END
       AND t.tag < 'enterprise;' ORDER BY t.tag, t.position LIMIT 1)
    UNION ALL
    SELECT next.tag, next.position FROM found CROSS JOIN LATERAL (
        SELECT t.tag, t.position FROM tags t WHERE t.tag > found.tag AND t.tag < 'enterprise;'
        ORDER BY t.tag, t.position LIMIT 1
    ) AS next
)
SELECT substring(tag FROM 12) FROM found WHERE position <= %(known_at)s LIMIT %(limit)s
"""

_PROVINCES: Final = """
SELECT r.uscc, r.province FROM register r
WHERE r.uscc = ANY (%(usccs)s::text[]) AND r.valid_from <= %(today)s AND r.valid_to > %(today)s
"""

_TIMELINES: Final = """
SELECT asked.uscc, latest.timeline FROM unnest(%(usccs)s::text[]) AS asked (uscc)
LEFT JOIN LATERAL (
    SELECT c.timeline::text FROM credit_changes c
    WHERE c.uscc = asked.uscc AND c.position <= %(known_at)s ORDER BY c.position DESC LIMIT 1
) AS latest ON true
"""

_CREDIT_CHANGES: Final = """
SELECT position, uscc, timeline::text FROM credit_changes
WHERE position > %(after)s ORDER BY position, uscc LIMIT %(limit)s
"""

_CREDIT_CHANGES_OF: Final = """
SELECT one.position, asked.uscc, one.timeline::text FROM unnest(%(usccs)s::text[]) AS asked (uscc)
CROSS JOIN LATERAL (
    SELECT c.position, c.timeline FROM credit_changes c
    WHERE c.uscc = asked.uscc AND c.position > %(after)s ORDER BY c.position LIMIT %(limit)s
) AS one
ORDER BY one.position LIMIT %(limit)s
"""
