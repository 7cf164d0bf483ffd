"""What supervision works with: obligations (§6), list entries and public penalties (§8), findings (§7)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from domain import findings, obligations, publicity, register
from domain.events import ComplaintReceived, ComplaintResolved, Event
from domain.facts import Fact, Facts, Moment
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Rulebook
from ledger.streams import Streams
from projections.bitemporal import BitemporalTable, Row, changes, spans
from projections.projection import Database
from projections.register import TAG

DUTIES: Final = BitemporalTable(
    "duties",
    (
        ("rule", "text"), ("arises_from", "bigint"), ("about", "bigint"),
        ("owed_by", "text"), ("due_on", "date"), ("met_on", "date"),
    ),
)  # fmt: skip
LISTINGS: Final = BitemporalTable(
    "listings",
    (
        ("position", "bigint"), ("entry_id", "text"), ("list", "text"), ("name", "text"),
        ("authority", "text"), ("ground", "text"), ("removed_on", "date"),
    ),
)  # fmt: skip
EXHIBITS: Final = BitemporalTable(
    "exhibits", (("position", "bigint"), ("decided_on", "date"), ("name", "text"), ("public_until", "date"))
)
LIVE_ACCESSES: Final = BitemporalTable("live_accesses", (("position", "bigint"),))
FINDINGS: Final = BitemporalTable(
    "findings",
    (("rule", "text"), ("uscc", "text"), ("position", "bigint"), ("effective_on", "date"), ("reasons", "text")),
)
COMPLAINT: Final = "complaint:"


class Supervision:
    name = "supervision"

    def __init__(self, streams: Streams, rulebook: Rulebook = RULEBOOK) -> None:
        self._streams = streams
        self._rulebook = rulebook

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        self._enterprises(database, _touched(batch, TAG))
        self._complaints(database, _touched(batch, COMPLAINT))

    def _enterprises(self, database: Database, touched: Mapping[str, Sequence[int]]) -> None:
        if not touched:
            return
        folds = self._folds(touched)
        # Of a historical fact it is asked what its gate knew before it: its folds reach at least that far.
        streams = self._streams.read({*self._gate_tags(folds.values())})[1]
        DUTIES.apply(database, changes(touched, lambda tag, at: self._duties(tag, folds[tag], at)))
        LISTINGS.apply(database, changes(touched, lambda tag, at: _listings(folds[tag], at)))
        EXHIBITS.apply(database, changes(touched, lambda tag, at: self._exhibits(folds[tag], at)))
        LIVE_ACCESSES.apply(database, changes(touched, lambda tag, at: _live_accesses(folds[tag], at)))
        FINDINGS.apply(database, changes(touched, lambda tag, at: self._gate_findings(folds[tag], streams, at)))

    def _folds(self, touched: Mapping[str, Sequence[int]]) -> dict[str, Facts]:
        return self._streams.read(touched)[1]

    def _gate_tags(self, folds: Iterable[Facts]) -> Iterator[str]:
        for facts in folds:
            yield from findings.reads_of_gate_findings(facts, self._rulebook)

    def _duties(self, tag: str, facts: Facts, known_at: int) -> Iterator[Row]:
        for duty in obligations.duties(facts, tag.removeprefix(TAG), known_at, self._rulebook):
            steps = [
                (
                    s.begins,
                    None
                    if s.due_on is None
                    else (duty.rule, duty.arises_from, duty.about, duty.owed_by, s.due_on, s.met_on),
                )
                for s in duty.steps
            ]
            yield from spans(steps)

    def _exhibits(self, facts: Facts, known_at: int) -> Iterator[Row]:
        for exhibit in publicity.exhibits(facts, known_at, self._rulebook):
            for showing in exhibit.showings:
                yield (
                    showing.begins,
                    showing.ends or date.max,
                    exhibit.imposed.position,
                    exhibit.imposed.effective_on,
                    exhibit.name,
                    showing.public_until,
                )

    def _gate_findings(self, facts: Facts, streams: Mapping[str, Facts], known_at: int) -> Iterator[Row]:
        for found in findings.gate_findings(facts, streams, Moment(date.max, known_at), self._rulebook):
            yield (found.effective_on, date.max, *_finding(found))

    def _complaints(self, database: Database, touched: Mapping[str, Sequence[int]]) -> None:
        """FND-OUT: only complaints that show a number used to call out, and that something has settled."""
        if not touched:
            return
        folds = {tag: facts for tag, facts in self._folds(touched).items() if _may_show_calling(facts)}
        if not folds:
            return
        numbers = self._streams.read({tag for facts in folds.values() for tag in _number_tags(facts)})[1]
        asked = {tag: touched[tag] for tag in folds}
        FINDINGS.apply(database, changes(asked, lambda tag, at: _outbound(folds[tag], numbers, at)))


def _touched(batch: Sequence[Recorded], prefix: str) -> dict[str, list[int]]:
    touched: dict[str, list[int]] = {}
    for event in batch:
        for tag in event.tags:
            if tag.startswith(prefix):
                touched.setdefault(tag, []).append(event.position)
    return touched


def _listings(facts: Facts, known_at: int) -> Iterator[Row]:
    for entry in publicity.listings(facts, known_at):
        ends = entry.removed_on or date.max
        if entry.begins < ends:
            yield (
                entry.begins, ends, entry.position, entry.entry_id, entry.list.value, entry.name,
                entry.authority, entry.ground.value, entry.removed_on,
            )  # fmt: skip


def _live_accesses(facts: Facts, known_at: int) -> Iterator[Row]:
    """Each access while its state is GRANTED, found at every date on which an access event takes effect."""
    everything = Moment(date.max, known_at)
    days = sorted({f.effective_on for cls in register.ACCESS_EVENTS for f in facts.visible(cls, everything)})
    states = {
        day: {a.granted.position: a.state for a in register.accesses(facts, Moment(day, known_at))} for day in days
    }
    for position in {position for state in states.values() for position in state}:
        yield from spans((day, (position,) if states[day].get(position) == "GRANTED" else None) for day in days)


def _may_show_calling(facts: Facts) -> bool:
    return bool(_number_tags(facts)) and bool(facts.ever(ComplaintResolved))


def _number_tags(facts: Facts) -> tuple[str, ...]:
    received = facts.ever(ComplaintReceived)
    return findings.reads_of_outbound_finding(received[0].event) if received else ()


def _outbound(facts: Facts, numbers: Mapping[str, Facts], known_at: int) -> Iterator[Row]:
    folds = [numbers[tag] for tag in _number_tags(facts)]
    everything = Moment(date.max, known_at)
    known: list[Fact[Event]] = [
        *facts.visible(ComplaintReceived, everything),
        *facts.visible(ComplaintResolved, everything),
    ]
    steps = []
    for day in sorted({fact.effective_on for fact in known}):
        found = findings.outbound_finding(facts, folds, Moment(day, known_at))
        steps.append((day, _finding(found) if found else None))
    yield from spans(steps)


def _finding(found: findings.Finding) -> Row:
    reasons = msgspec.json.encode(found.reasons).decode()
    return found.rule, found.uscc, found.position, found.effective_on, reasons
