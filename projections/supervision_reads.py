"""Questions to what supervision works with: each page is one statement on rows that hold at (D, P)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

from domain.facts import Moment
from domain.findings import Finding, Ground
from domain.obligations import Obligation, state_on
from domain.vocabulary import CreditList, ObligationState
from ledger.rows import Questions
from projections.register import TAG


class DutyKey(NamedTuple):
    """The order of obligations: by due day, enterprise, rule, and what they arise from."""

    due_on: date
    subject: str
    rule: str
    arises_from: int
    about: int


class FindingKey(NamedTuple):
    """The order of findings: as they came into the ledger."""

    position: int
    rule: str


class PlaceKey(NamedTuple):
    """The order of list entries and penalties: newest first by (date, position)."""

    on: date
    position: int


@dataclass(frozen=True, slots=True)
class Owed:
    key: DutyKey
    row: Obligation


@dataclass(frozen=True, slots=True)
class Listed:
    entry_id: str
    list: CreditList
    uscc: str
    name: str
    authority: str
    ground: str
    begins: date
    removed_on: date | None
    position: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A public penalty: its event's position, the enterprise's name and how long it is public."""

    position: int
    decided_on: date
    name: str
    public_until: date | None


class SupervisionReads(Questions):
    def obligations(
        self,
        at: Moment,
        usccs: Sequence[str] | None,
        state: ObligationState | None,
        limit: int | None,
        after: DutyKey | None,
    ) -> list[Owed]:
        """What is owed at (D, P), by due day; of all enterprises where none are named."""
        parameters = {**_moment(at), "subjects": _subjects(usccs), "state": state, "limit": limit}
        rows = self._rows(_OBLIGATIONS, {**parameters, **_after(DutyKey, after)})
        return [_owed(at.on, *row) for row in rows]

    def obligation_count(self, at: Moment, usccs: Sequence[str] | None, state: ObligationState | None) -> int:
        return self._count(_OBLIGATION_COUNT, {**_moment(at), "subjects": _subjects(usccs), "state": state})

    def findings(
        self, at: Moment, usccs: Sequence[str] | None, rule: str | None, limit: int | None, after: FindingKey | None
    ) -> list[Finding]:
        """FND-GATE and FND-OUT at (D, P), as they came into the ledger."""
        parameters = {**_moment(at), "usccs": usccs, "rule": rule, "limit": limit, **_after(FindingKey, after)}
        return [_finding(*row) for row in self._rows(_FINDINGS, parameters)]

    def live_accesses(self, at: Moment, usccs: Sequence[str] | None, limit: int, after: int) -> list[tuple[str, int]]:
        """Enterprise and position of the accesses that are GRANTED at (D, P), at most `limit` after a position."""
        parameters = {**_moment(at), "subjects": _subjects(usccs), "limit": limit, "after": after}
        return [(subject.removeprefix(TAG), position) for subject, position in self._rows(_LIVE_ACCESSES, parameters)]

    def listings(self, at: Moment, on_list: CreditList | None, limit: int, after: PlaceKey | None) -> list[Listed]:
        """The entries active on D as known at P, newest first."""
        parameters = {**_moment(at), "list": on_list, "limit": limit, **_after(PlaceKey, after)}
        return [_listed(*row) for row in self._rows(_LISTINGS, parameters)]

    def listing_count(self, at: Moment, on_list: CreditList | None) -> int:
        return self._count(_LISTING_COUNT, {**_moment(at), "list": on_list})

    def penalties(self, at: Moment, uscc: str | None, limit: int, after: PlaceKey | None) -> list[Shown]:
        """The penalties that are public on D as known at P, newest decision first."""
        parameters = {**_moment(at), "subject": TAG + uscc if uscc else None, "limit": limit, **_after(PlaceKey, after)}
        return [Shown(*row) for row in self._rows(_PENALTIES, parameters)]

    def is_published(self, at: Moment, uscc: str, position: int) -> bool:
        """Whether this event of the enterprise is an active list entry, or a public penalty, on D as known at P."""
        return self._count(_PUBLISHED, {**_moment(at), "subject": TAG + uscc, "position": position}) > 0

    def penalty_count(self, at: Moment, uscc: str | None) -> int:
        return self._count(_PENALTY_COUNT, {**_moment(at), "subject": TAG + uscc if uscc else None})


def _moment(at: Moment) -> dict[str, Any]:
    return {"on": at.on, "known_at": at.known_at}


def _subjects(usccs: Sequence[str] | None) -> list[str] | None:
    return None if usccs is None else [TAG + uscc for uscc in usccs]


def _after(key: type[DutyKey] | type[FindingKey] | type[PlaceKey], after: tuple[object, ...] | None) -> dict[str, Any]:
    values = after or (None,) * len(key._fields)
    return {f"after_{name}": value for name, value in zip(key._fields, values, strict=True)}


def _owed(
    on: date, subject: str, rule: str, arises_from: int, about: int, owed_by: str, due_on: date, met_on: date | None
) -> Owed:
    state = state_on(on, due_on, met_on)
    row = Obligation(rule, subject.removeprefix(TAG), owed_by, due_on, state, met_on, arises_from)
    return Owed(DutyKey(due_on, subject, rule, arises_from, about), row)


def _finding(rule: str, uscc: str, position: int, effective_on: date, reasons: str) -> Finding:
    return Finding(rule, uscc, position, effective_on, tuple(msgspec.json.decode(reasons, type=list[Ground])))


def _listed(
    subject: str,
    position: int,
    entry_id: str,
    on_list: str,
    name: str,
    authority: str,
    ground: str,
    begins: date,
    removed_on: date | None,
) -> Listed:
    uscc = subject.removeprefix(TAG)
    return Listed(entry_id, CreditList(on_list), uscc, name, authority, ground, begins, removed_on, position)


_AT: Final = """
    {0}.valid_from <= %(on)s AND {0}.valid_to > %(on)s AND {0}.known_from <= %(known_at)s AND {0}.known_to > %(known_at)s
"""

_WHERE_DUTY: Final = (
    _AT.format("d")
    + """
    AND (%(subjects)s::text[] IS NULL OR d.subject = ANY (%(subjects)s::text[]))
    AND (%(state)s::text IS NULL OR %(state)s::text = CASE
        WHEN d.met_on <= d.due_on THEN 'MET' WHEN d.met_on IS NOT NULL THEN 'MET_LATE'
        WHEN d.due_on < %(on)s THEN 'OVERDUE' ELSE 'OPEN' END)
"""
)
_OBLIGATIONS: Final = """
SELECT d.subject, d.rule, d.arises_from, d.about, d.owed_by, d.due_on, d.met_on FROM duties d
WHERE {which}
  AND (%(after_due_on)s::date IS NULL OR (d.due_on, d.subject, d.rule, d.arises_from, d.about)
       > (%(after_due_on)s::date, %(after_subject)s::text COLLATE "C", %(after_rule)s::text COLLATE "C",
          %(after_arises_from)s::bigint, %(after_about)s::bigint))
ORDER BY d.due_on, d.subject, d.rule, d.arises_from, d.about LIMIT %(limit)s::bigint
""".replace("{which}", _WHERE_DUTY)
_OBLIGATION_COUNT: Final = "SELECT count(*) FROM duties d WHERE {which}".replace("{which}", _WHERE_DUTY)

_WHERE_FINDING: Final = (
    _AT.format("f")
    + """
    AND (%(usccs)s::text[] IS NULL OR f.uscc = ANY (%(usccs)s::text[]))
    AND (%(rule)s::text IS NULL OR f.rule = %(rule)s::text)
"""
)
_FINDINGS: Final = """
SELECT f.rule, f.uscc, f.position, f.effective_on, f.reasons FROM findings f
WHERE {which}
  AND (%(after_position)s::bigint IS NULL
       OR (f.position, f.rule) > (%(after_position)s::bigint, %(after_rule)s::text COLLATE "C"))
ORDER BY f.position, f.rule LIMIT %(limit)s::bigint
""".replace("{which}", _WHERE_FINDING)

_LIVE_ACCESSES: Final = """
SELECT a.subject, a.position FROM live_accesses a
WHERE {which} AND (%(subjects)s::text[] IS NULL OR a.subject = ANY (%(subjects)s::text[])) AND a.position > %(after)s
ORDER BY a.position LIMIT %(limit)s::bigint
""".replace("{which}", _AT.format("a"))

_WHERE_LISTING: Final = _AT.format("l") + " AND (%(list)s::text IS NULL OR l.list = %(list)s::text) "
_LISTINGS: Final = """
SELECT l.subject, l.position, l.entry_id, l.list, l.name, l.authority, l.ground, l.valid_from, l.removed_on
FROM listings l
WHERE {which}
  AND (%(after_on)s::date IS NULL OR (l.valid_from, l.position) < (%(after_on)s::date, %(after_position)s::bigint))
ORDER BY l.valid_from DESC, l.position DESC LIMIT %(limit)s::bigint
""".replace("{which}", _WHERE_LISTING)
_LISTING_COUNT: Final = "SELECT count(*) FROM listings l WHERE {which}".replace("{which}", _WHERE_LISTING)

_WHERE_PENALTY: Final = _AT.format("e") + " AND (%(subject)s::text IS NULL OR e.subject = %(subject)s::text) "
_PENALTIES: Final = """
SELECT e.position, e.decided_on, e.name, e.public_until FROM exhibits e
WHERE {which}
  AND (%(after_on)s::date IS NULL OR (e.decided_on, e.position) < (%(after_on)s::date, %(after_position)s::bigint))
ORDER BY e.decided_on DESC, e.position DESC LIMIT %(limit)s::bigint
""".replace("{which}", _WHERE_PENALTY)
_PENALTY_COUNT: Final = "SELECT count(*) FROM exhibits e WHERE {which}".replace("{which}", _WHERE_PENALTY)

_PUBLISHED: Final = """
SELECT count(*) FROM (
    SELECT FROM listings l WHERE l.subject = %(subject)s AND l.position = %(position)s AND {listed}
    UNION ALL SELECT FROM exhibits e WHERE e.subject = %(subject)s AND e.position = %(position)s AND {shown}
) AS published
""".replace("{listed}", _AT.format("l")).replace("{shown}", _AT.format("e"))
