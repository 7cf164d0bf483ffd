"""What supervision works with: obligations (§6), list entries and public penalties (§8), findings (§7)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, cast

import msgspec

from domain import findings, obligations, publicity, register
from domain.events import (
    ComplaintReceived,
    ComplaintResolved,
    Event,
    EventVoided,
    ListEntryMade,
    ListEntryRemoved,
    PenaltyAnnulled,
    PenaltyImposed,
    PenaltyPublicised,
)
from domain.facts import Fact, Facts, Moment
from domain.live import GATED
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Rulebook
from ledger.streams import Streams
from projections.bitemporal import BitemporalTable, Change, Row, changes, spans
from projections.projection import Database, Moves, moved_position, moved_type, tagged
from projections.register import NAMES, TAG

DUTIES: Final = BitemporalTable(
    "duties",
    (
        ("rule", "text"), ("arises_from", "bigint"), ("about", "bigint"),
        ("owed_by", "text"), ("due_on", "date"), ("met_on", "date"),
    ),
    part="rule",
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
    part="position",
)
COMPLAINT: Final = "complaint:"


class Supervision:
    name = "supervision"
    version = 1

    def __init__(self, streams: Streams, rulebook: Rulebook = RULEBOOK) -> None:
        self._streams = streams
        self._rulebook = rulebook

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        moves = Moves.of_batch(batch)
        if owed := list(tagged(moves.of(obligations.READ), TAG)):
            self._write_duties(database, owed, batch)
        for table, types, rows in self._tables():
            if touched := moves.touching(TAG, types):
                folds = self._streams.upto(batch, touched)
                touched = {tag: at for tag, at in touched.items() if folds[tag].ever(types[0])}
                table.apply(database, changes(touched, _from_folds(folds, rows)))
        if gated := list(tagged(moves.of(GATED), TAG)):
            self._write_gate_findings(database, gated, batch)
        if complained := moves.of((ComplaintReceived, ComplaintResolved)):
            self._write_outbound_findings(database, complained, batch)

    def _tables(
        self,
    ) -> Iterator[tuple[BitemporalTable, Sequence[type[Event]], Callable[[str, Facts, int], Iterable[Row]]]]:
        """Each table that follows from an enterprise's facts alone, with the events that its rows are made from.

        Who never had an event of the first type has no rows, and never had any.
        """
        yield LISTINGS, (ListEntryMade, ListEntryRemoved, *NAMES), _listings
        yield EXHIBITS, (PenaltyPublicised, PenaltyImposed, PenaltyAnnulled, *NAMES), self._exhibits
        yield LIVE_ACCESSES, register.ACCESS_EVENTS, _live_accesses

    def _write_duties(
        self, database: Database, owed: Sequence[tuple[str, Recorded]], batch: Sequence[Recorded]
    ) -> None:
        """Of an enterprise's rows only those that an event can change are made anew at its position."""
        folds = self._streams.upto(batch, {tag for tag, _ in owed})
        DUTIES.apply(database, (self._change_of_duties(tag, folds[tag], event) for tag, event in owed))

    def _change_of_duties(self, tag: str, facts: Facts, event: Recorded) -> Change:
        parts = obligations.BY_TYPE[moved_type(event)]
        rows = frozenset(self._duties(tag, facts, event.position, parts))
        return Change(tag, event.position, rows, {rule for part in parts for rule in part.rules})

    def _duties(self, tag: str, facts: Facts, known_at: int, parts: Sequence[obligations.Part]) -> Iterator[Row]:
        for duty in obligations.duties(facts, tag.removeprefix(TAG), known_at, self._rulebook, parts):
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

    def _exhibits(self, _: str, facts: Facts, known_at: int) -> Iterator[Row]:
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

    def _write_gate_findings(
        self, database: Database, gated: Sequence[tuple[str, Recorded]], batch: Sequence[Recorded]
    ) -> None:
        """FND-GATE: what a historical fact's gate knew before it, which the folds at the head still tell.

        A fact's finding never changes, only whether the fact is visible: so it is asked once, and a void takes it out.
        """
        folds = self._streams.upto(batch, {tag for tag, _ in gated})
        facts = [(tag, event, _historical(folds[tag], event)) for tag, event in gated]
        asked = [fact for _, _, fact in facts if fact]
        tags = {tag for fact in asked for tag in findings.reads_of_gate_finding(fact, self._rulebook)}
        streams = self._streams.upto(batch, tags)

        def change(tag: str, event: Recorded, fact: Fact[findings.Gated] | None) -> Change:
            found = findings.gate_finding(fact, streams, self._rulebook) if fact else None
            rows = [(found.effective_on, date.max, *_finding(found))] if found else []
            return Change(tag, event.position, frozenset(rows), (moved_position(event),))

        FINDINGS.apply(database, [change(*each) for each in facts])

    def _write_outbound_findings(
        self, database: Database, complained: Sequence[Recorded], batch: Sequence[Recorded]
    ) -> None:
        """FND-OUT: only complaints that show a number used to call out, and that something has settled."""
        touched = _may_be_found(complained)
        if not touched:
            return
        found = self._streams.upto(batch, touched)
        folds = {tag: facts for tag, facts in found.items() if _may_show_calling(facts)}
        numbers = self._streams.upto(batch, {tag for facts in folds.values() for tag in _number_tags(facts)})
        asked = {tag: touched[tag] for tag in folds}
        FINDINGS.apply(database, changes(asked, lambda tag, at: _outbound(folds[tag], numbers, at)))


def _historical(facts: Facts, event: Recorded) -> Fact[findings.Gated] | None:
    """The fact that an event records, if it is one of the past; None for a void."""
    if isinstance(event.event, EventVoided):
        return None
    fact = facts.at_position(event.position)
    return cast(Fact[findings.Gated], fact) if fact and fact.historical else None


def _may_be_found(complained: Sequence[Recorded]) -> dict[str, list[int]]:
    """The positions by complaint, without those of which the batch itself says that there is nothing to find.

    Most complaints are received and settled soon after: what is told by the batch need not be read from the log.
    """
    settled = {each.event.complaint_id for each in complained if isinstance(each.event, ComplaintResolved)}
    idle = {
        event.complaint_id
        for each in complained
        if isinstance(event := each.event, ComplaintReceived)
        and (event.complaint_id not in settled or not findings.reads_of_outbound_finding(event))
    }
    touched: dict[str, list[int]] = {}
    for tag, each in tagged([each for each in complained if _complaint(each.event) not in idle], COMPLAINT):
        if tag.removeprefix(COMPLAINT) not in idle:
            touched.setdefault(tag, []).append(each.position)
    return touched


def _complaint(event: Event) -> str | None:
    """The complaint that an event names; a void names none."""
    return event.complaint_id if isinstance(event, ComplaintReceived | ComplaintResolved) else None


def _from_folds(
    folds: Mapping[str, Facts], rows: Callable[[str, Facts, int], Iterable[Row]]
) -> Callable[[str, int], Iterable[Row]]:
    return lambda tag, known_at: rows(tag, folds[tag], known_at)


def _listings(_: str, facts: Facts, known_at: int) -> Iterator[Row]:
    for entry in publicity.listings(facts, known_at):
        ends = entry.removed_on or date.max
        if entry.begins < ends:
            yield (
                entry.begins, ends, entry.position, entry.entry_id, entry.list.value, entry.name,
                entry.authority, entry.ground.value, entry.removed_on,
            )  # fmt: skip


def _live_accesses(_: str, facts: Facts, known_at: int) -> Iterator[Row]:
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
