"""Obligations, findings, published lists and public penalties as GraphQL types, and how they are paged."""

from collections.abc import Iterable, Sequence
from typing import Final, Self

import strawberry

from api import arguments
from api.connections import Connection, encode_cursor
from api.context import Info
from api.errors import invalid
from api.reasons import Reason, reasons
from api.scalars import USCC, Date, Position, Yuan
from domain import findings as rules
from domain import obligations as owed
from domain.events import PenaltyImposed
from domain.facts import Facts, Moment
from domain.rulebook import RULEBOOK, RuleKind
from domain.vocabulary import CreditList, ObligationState
from projections.supervision_reads import DutyKey, FindingKey, Listed, Owed, Shown

MOST_ROWS: Final = 100
USUAL_ROWS: Final = 50
ASKED: Final = 200
"""Accesses whose gate is asked at a time while FND-LIVE is looked for."""

FINDING_RULES: Final = tuple(rule.id for rule in RULEBOOK.rules if rule.kind is RuleKind.FINDING)


@strawberry.type
class Obligation:
    rule: str
    uscc: USCC
    owed_by: str
    due_on: Date
    state: ObligationState
    met_on: Date | None
    arises_from: Position
    key: strawberry.Private[DutyKey]

    @classmethod
    def of(cls, found: Owed) -> Self:
        row: owed.Obligation = found.row
        return cls(
            rule=row.rule,
            uscc=USCC(row.uscc),
            owed_by=row.owed_by,
            due_on=Date(row.due_on),
            state=row.state,
            met_on=Date(row.met_on) if row.met_on else None,
            arises_from=Position(row.arises_from),
            key=found.key,
        )


@strawberry.type
class Finding:
    rule: str
    uscc: USCC
    position: Position
    effective_on: Date
    grounds: strawberry.Private[Sequence[rules.Ground]]

    @classmethod
    def of(cls, found: rules.Finding) -> Self:
        return cls(
            rule=found.rule,
            uscc=USCC(found.uscc),
            position=Position(found.position),
            effective_on=Date(found.effective_on),
            grounds=found.reasons,
        )

    @strawberry.field
    def reasons(self, info: Info) -> list[Reason]:
        return reasons(self.grounds, info)


@strawberry.type
class ListEntry:
    entry_id: strawberry.ID
    list: CreditList
    uscc: USCC
    name: str
    authority: str
    ground: str
    begins: Date = strawberry.field(name="from")
    removed_on: Date | None
    position: Position

    @classmethod
    def of(cls, found: Listed) -> Self:
        return cls(
            entry_id=strawberry.ID(found.entry_id),
            list=found.list,
            uscc=USCC(found.uscc),
            name=found.name,
            authority=found.authority,
            ground=found.ground,
            begins=Date(found.begins),
            removed_on=Date(found.removed_on) if found.removed_on else None,
            position=Position(found.position),
        )


@strawberry.type
class Penalty:
    document_no: str
    authority: str
    uscc: USCC
    name: str
    kinds: list[str]
    fine: Yuan | None
    confiscated: Yuan | None
    violation: str
    basis: str
    decided_on: Date
    public_until: Date | None
    position: Position

    @classmethod
    def of(cls, shown: Shown, event: PenaltyImposed) -> Self:
        return cls(
            document_no=event.document_no,
            authority=event.authority,
            uscc=USCC(event.uscc),
            name=shown.name,
            kinds=[kind.value for kind in event.kinds],
            fine=Yuan(event.fine) if event.fine else None,
            confiscated=Yuan(event.confiscated) if event.confiscated else None,
            violation=event.violation,
            basis=event.basis,
            decided_on=Date(shown.decided_on),
            public_until=Date(shown.public_until) if shown.public_until else None,
            position=Position(shown.position),
        )


def obligations_at(
    info: Info, uscc: str | None, state: ObligationState | None, at: Moment, first: int | None, after: str | None
) -> Connection[Obligation]:
    size, reads = arguments.page_size(first, MOST_ROWS, USUAL_ROWS), info.context.supervision
    usccs = [uscc] if uscc else None
    found = reads.obligations(at, usccs, state, size + 1, arguments.decode_duty(after))
    return Connection[Obligation].of(
        [Obligation.of(each) for each in found],
        lambda each: encode_cursor(*each.key),
        size,
        after,
        lambda: reads.obligation_count(at, usccs, state),
    )


def obligations_of(
    info: Info, usccs: Sequence[str], state: ObligationState | None, at: Moment
) -> dict[str, list[Obligation]]:
    """All obligations of some enterprises, from one statement."""
    found: dict[str, list[Obligation]] = {uscc: [] for uscc in usccs}
    for each in info.context.supervision.obligations(at, usccs, state, None, None):
        found[each.row.uscc].append(Obligation.of(each))
    return found


def findings_at(
    info: Info, uscc: str | None, rule: str | None, at: Moment, first: int | None, after: str | None
) -> Connection[Finding]:
    size = arguments.page_size(first, MOST_ROWS, USUAL_ROWS)
    if rule is not None and rule not in FINDING_RULES:
        legal = ", ".join(FINDING_RULES)
        raise invalid("rule", f"应为 {legal} 之一，收到 {rule}", f"this is one of {legal}; got {rule}")
    usccs = [uscc] if uscc else None
    found = _findings(info, usccs, rule, at, size + 1, arguments.decode_finding(after))
    return Connection[Finding].of(
        [Finding.of(each) for each in found],
        lambda each: encode_cursor(each.position, each.rule),
        size,
        after,
        lambda: len(_findings(info, usccs, rule, at, None, None)),
    )


def findings_of(info: Info, usccs: Sequence[str], at: Moment) -> dict[str, list[Finding]]:
    """All findings of some enterprises."""
    found: dict[str, list[Finding]] = {uscc: [] for uscc in usccs}
    for each in _findings(info, usccs, None, at, None, None):
        found[each.uscc].append(Finding.of(each))
    return found


def _findings(
    info: Info, usccs: Sequence[str] | None, rule: str | None, at: Moment, limit: int | None, after: FindingKey | None
) -> list[rules.Finding]:
    """What is kept (FND-GATE, FND-OUT) and what is asked now (FND-LIVE), in one order."""
    kept = info.context.supervision.findings(at, usccs, rule, limit, after)
    asked = _live(info, usccs, at, limit, after) if rule in (None, rules.LIVE) else []
    return sorted([*kept, *asked], key=lambda each: (each.position, each.rule))[:limit]


def _live(
    info: Info, usccs: Sequence[str] | None, at: Moment, limit: int | None, after: FindingKey | None
) -> list[rules.Finding]:
    """The granted accesses after a place that their gate would refuse at (D, P), until so many are found."""
    found: list[rules.Finding] = []
    # At the place itself FND-LIVE is still to come where another rule's finding stands there.
    place = (after.position - (after.rule < rules.LIVE)) if after else 0
    while page := info.context.supervision.live_accesses(at, usccs, ASKED, place):
        found += _asked(info, page, at)
        place = page[-1][1]
        if len(page) < ASKED or (limit is not None and len(found) >= limit):
            break
    return found[:limit]


def _asked(info: Info, page: Sequence[tuple[str, int]], at: Moment) -> Iterable[rules.Finding]:
    streams = info.context.ledger.streams
    folds = streams.read({f"enterprise:{uscc}" for uscc, _ in page})[1]
    tags = {tag for facts in folds.values() for tag in rules.reads_of_live_findings(facts, at)}
    known: dict[str, Facts] = streams.read({*folds, *tags})[1]
    wanted = {position for _, position in page}
    asked = [finding for tag in folds for finding in rules.live_findings(known[tag], known, at)]
    return sorted((each for each in asked if each.position in wanted), key=lambda each: each.position)


def list_entries(
    info: Info, on_list: CreditList | None, at: Moment, first: int | None, after: str | None
) -> Connection[ListEntry]:
    size, reads = arguments.page_size(first, MOST_ROWS, USUAL_ROWS), info.context.supervision
    found = reads.listings(at, on_list, size + 1, arguments.decode_place(after))
    return Connection[ListEntry].of(
        [ListEntry.of(each) for each in found],
        lambda each: encode_cursor(each.begins, each.position),
        size,
        after,
        lambda: reads.listing_count(at, on_list),
    )


def penalties(info: Info, uscc: str | None, at: Moment, first: int | None, after: str | None) -> Connection[Penalty]:
    size, reads = arguments.page_size(first, MOST_ROWS, USUAL_ROWS), info.context.supervision
    shown = reads.penalties(at, uscc, size + 1, arguments.decode_place(after))
    events = {k.recorded.position: k.recorded.event for k in info.context.reads.at([s.position for s in shown])}
    found = [Penalty.of(each, event) for each in shown if isinstance(event := events[each.position], PenaltyImposed)]
    return Connection[Penalty].of(
        found,
        lambda each: encode_cursor(each.decided_on, each.position),
        size,
        after,
        lambda: reads.penalty_count(at, uscc),
    )
