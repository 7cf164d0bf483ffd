"""Random draws (rulebook §9): drawing, who may see a draw when, and what followed from it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

import strawberry

from api import arguments, pool_pages
from api.connections import Connection, encode_cursor
from api.context import Info
from api.enterprises import Node
from api.errors import stale
from api.fields import field
from api.pool_pages import PoolPage
from api.reasons import RecordError, record_errors
from api.scalars import USCC, Date, DateTime, Position
from api.seen import draws_seen_by
from domain import draws as rules
from domain import register
from domain.draws import Inspection
from domain.events import DrawnEnterprise, InspectionDrawn
from domain.facts import Facts, Moment
from domain.recorded import Recorded
from domain.vocabulary import CreditStatus, ObligationState, Violation
from ledger.drawing import Drawing
from projections.pools import Pools, PoolStands

MOST_DRAWS: Final = 100


@strawberry.type(
    description="An inspection that a draw led to. followUp: the state of its OBL-FOLLOW, null without violations."
)
class DrawnInspection:
    inspection_id: str
    authority: str
    held_on: Date
    violations: list[Violation]
    position: Position
    follow_up: ObligationState | None
    follow_up_due_on: Date | None
    followed_on: Date | None


@strawberry.type(description="Enterprises drawn, inspected and found to violate; then OBL-FOLLOW rows by their state.")
class DrawFollowUp:
    drawn: int
    inspected: int
    not_inspected: int
    with_violations: int
    open: int
    overdue: int
    met: int
    met_late: int


class DrawPage:
    """The draws of one page, and what was looked up for all of them together."""

    def __init__(self, info: Info, made: Sequence[Recorded]) -> None:
        self._context = info.context
        self._events = [recorded.event for recorded in made if isinstance(recorded.event, InspectionDrawn)]

    def name(self, event: InspectionDrawn, uscc: str) -> str:
        """The enterprise's name as it was known to the draw."""
        facts = self._context.once((self, "drawn"), self._drawn)[f"enterprise:{uscc}"]
        return register.name(facts, Moment(event.as_of, event.known_at)) or ""

    def followed(self, event: InspectionDrawn) -> Mapping[str, Sequence[Inspection]]:
        """What followed, today and as known at the head, of each enterprise that was inspected."""
        return self._context.once((self, "followed"), self._followed)[event.draw_id]

    def _followed(self) -> dict[str, dict[str, list[Inspection]]]:
        at = Moment(self._context.today)
        _, draws = self._context.folds({f"draw:{event.draw_id}" for event in self._events})
        held = {tag: set(rules.inspections(facts, at)) for tag, facts in draws.items()}
        enterprises = self._enterprises(uscc for usccs in held.values() for uscc in usccs)
        return {
            tag.removeprefix("draw:"): rules.followed(facts, {u: enterprises[f"enterprise:{u}"] for u in held[tag]}, at)
            for tag, facts in draws.items()
        }

    def _drawn(self) -> dict[str, Facts]:
        return self._enterprises(each.uscc for event in self._events for each in event.drawn)

    def _enterprises(self, usccs: Iterable[str]) -> dict[str, Facts]:
        tags = {f"enterprise:{uscc}" for uscc in usccs}
        return self._context.folds(tags)[1] if tags else {}


@strawberry.type
class Drawn:
    one: strawberry.Private[DrawnEnterprise]
    event: strawberry.Private[InspectionDrawn]
    page: strawberry.Private[DrawPage]

    @strawberry.field
    def uscc(self) -> USCC:
        return USCC(self.one.uscc)

    @field("As it was known to the draw.")
    def name(self) -> str:
        return self.page.name(self.event, self.one.uscc)

    @strawberry.field
    def status(self) -> CreditStatus:
        return CreditStatus(self.one.status)

    @strawberry.field
    def tickets(self) -> int:
        return self.one.tickets

    @strawberry.field
    def key(self) -> str:
        return self.one.key

    @strawberry.field
    def inspectors(self) -> list[str]:
        return list(self.one.inspectors)

    @field("The inspections of this enterprise that name the draw, earliest first, today and as known at the head.")
    def inspections(self, info: Info) -> list[DrawnInspection]:
        return [_shown(each) for each in self.page.followed(self.event).get(self.one.uscc, ())]


@strawberry.type
class Draw(Node):
    recorded: strawberry.Private[Recorded]
    event: strawberry.Private[InspectionDrawn]
    page: strawberry.Private[DrawPage]

    @classmethod
    def of(cls, recorded: Recorded, page: DrawPage) -> Self:
        assert isinstance(recorded.event, InspectionDrawn)
        return cls(
            id=strawberry.ID(f"draw-{recorded.event.draw_id}"), recorded=recorded, event=recorded.event, page=page
        )

    @strawberry.field
    def draw_id(self) -> str:
        return self.event.draw_id

    @strawberry.field
    def authority(self) -> str:
        return self.event.authority

    @strawberry.field
    def as_of(self) -> Date:
        return Date(self.event.as_of)

    @field("The last position that the draw knew: the seed is the tree's root there.")
    def known_at(self) -> Position:
        return Position(self.event.known_at)

    @strawberry.field
    def root(self) -> str:
        return self.event.root

    @strawberry.field
    def pool_size(self) -> int:
        return self.event.pool_size

    @field("The RFC 9162 root over the pool's canonical lines, in order of their codes.")
    def pool_root(self) -> str:
        return self.event.pool_root

    @strawberry.field
    def drawn(self) -> list[Drawn]:
        return [Drawn(one=one, event=self.event, page=self.page) for one in self.event.drawn]

    @field(
        "The pool that was drawn from, as the log gives it, in order of their codes: those of the next 1,000 enterprises after a code."
    )
    def pool(self, info: Info, after: USCC | None = None) -> PoolPage:
        return pool_pages.page(info, self.event, after)

    @field("How many were inspected, with what result, and what followed, today and as known at the head.")
    def follow_up(self, info: Info) -> DrawFollowUp:
        return _counted(len(self.event.drawn), self.page.followed(self.event))

    @strawberry.field
    def recorded_at(self) -> DateTime:
        return DateTime(self.recorded.recorded_at)

    @strawberry.field
    def position(self) -> Position:
        return Position(self.recorded.position)


@strawberry.type
class DrawInspectionPayload:
    draw: Draw | None
    replayed: bool
    errors: list[RecordError]


def draw_inspection(info: Info, sent: Any) -> DrawInspectionPayload:
    context = info.context
    asked = {name: value for name, value in sent.items() if name != "idempotencyKey"}
    try:
        made = Drawing(context.ledger, Pools(context.runner).pool).draw(context.caller, sent["idempotencyKey"], asked)
    except PoolStands as standing:
        raise stale(standing.parked) from None
    context.wake_for(made)
    return DrawInspectionPayload(
        draw=_page(info, made.events)[0] if made.events else None,
        replayed=made.replayed,
        errors=record_errors(made.refusals, info),
    )


def find(info: Info, draw_id: str) -> Draw | None:
    """The draw of that id, where the caller may see it."""
    info.context.settle("draws")
    # No id holds a control character, and none is looked up: the database cannot hold them either.
    known = info.context.reads.draw(draws_seen_by(info), draw_id) if draw_id.isprintable() else None
    return _page(info, [known.recorded])[0] if known else None


def draws(info: Info, first: int | None, after: str | None) -> Connection[Draw]:
    size, before = arguments.page_size(first, MOST_DRAWS, 20), arguments.decode_position(after)
    info.context.settle("draws")
    reads, seen = info.context.reads, draws_seen_by(info)
    found = _page(info, [known.recorded for known in reads.draws(seen, size + 1, before)])
    return Connection[Draw].of(found, _cursor, size, after, lambda: reads.draw_count(seen))


def _page(info: Info, made: Sequence[Recorded]) -> list[Draw]:
    page = DrawPage(info, made)
    return [Draw.of(recorded, page) for recorded in made]


def _cursor(draw: Draw) -> str:
    return encode_cursor(draw.recorded.position)


def _shown(found: Inspection) -> DrawnInspection:
    held, owed = found.held.event, found.follow_up
    return DrawnInspection(
        inspection_id=held.inspection_id,
        authority=held.authority,
        held_on=Date(found.held.effective_on),
        violations=list(held.violations),
        position=Position(found.held.position),
        follow_up=owed.state if owed else None,
        follow_up_due_on=Date(owed.due_on) if owed else None,
        followed_on=Date(owed.met_on) if owed and owed.met_on else None,
    )


def _counted(drawn: int, followed: Mapping[str, Sequence[Inspection]]) -> DrawFollowUp:
    states = Counter(each.follow_up.state for held in followed.values() for each in held if each.follow_up)
    return DrawFollowUp(
        drawn=drawn,
        inspected=len(followed),
        not_inspected=drawn - len(followed),
        with_violations=sum(any(each.held.event.violations for each in held) for held in followed.values()),
        open=states[ObligationState.OPEN],
        overdue=states[ObligationState.OVERDUE],
        met=states[ObligationState.MET],
        met_late=states[ObligationState.MET_LATE],
    )
