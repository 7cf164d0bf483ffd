"""The ledger itself: its head and its events in order."""

from typing import Annotated, Final

import strawberry

from api import arguments, evidence, standing_types
from api.context import Info
from api.errors import forbidden
from api.event_types import LedgerEvent, events_of
from api.evidence import Checkpoint, Receipt
from api.fields import field
from api.noted import note
from api.scalars import USCC, Date, Position
from api.seen import may_see_event, without_unseen
from api.standing_types import ReadModel
from projections.reads import Known

MOST_EVENTS: Final = 1_000


@strawberry.type
class Ledger:
    @strawberry.field
    def head(self, info: Info) -> Position:
        return Position(info.context.once("head", info.context.ledger.recorder.head))

    @strawberry.field
    def events(
        self,
        info: Info,
        after: Position = Position(0),  # noqa: B008  # a NewType call is the value itself
        first: int | None = 100,
        types: list[str] | None = None,
        uscc: USCC | None = None,
    ) -> list[LedgerEvent]:
        size = arguments.page_size(first, MOST_EVENTS, 100)
        place = arguments.position(after, "after")
        named = arguments.uscc(uscc) if uscc is not None else None
        arguments.event_types(types)
        info.context.settle("history", "draws")
        if named:
            info.context.require_current(named)
        found = _page(info, place, size, types, named)
        note(info, "Ledger.events", [named] if named else (each.recorded.uscc for each in found if each.recorded.uscc))
        return events_of(info, found)

    @strawberry.field
    def event(self, info: Info, position: Position) -> LedgerEvent | None:
        place = arguments.position(position, "position")
        info.context.settle("history", "draws")
        found = without_unseen(info, info.context.reads.at([place]))
        note(info, "Ledger.event", (each.recorded.uscc for each in found if each.recorded.uscc))
        return next(iter(events_of(info, found)), None)

    @field("The newest signed checkpoint; null until the first event is sealed.")
    def checkpoint(self, info: Info) -> Checkpoint | None:
        return evidence.newest_checkpoint(info)

    @field("Proof that an event is under a checkpoint (the newest, or the one of the given size).")
    def receipt(self, info: Info, position: Position, size: Position | None = None) -> Receipt | None:
        place = arguments.position(position, "position")
        under = None if size is None else arguments.position(size, "size")
        if not may_see_event(info, place):
            raise forbidden("Ledger.receipt")
        return evidence.receipt(info, place, under)

    @field("The last position that was recorded by the end of a legal date; 0 before the first event.")
    def head_on(self, info: Info, date: Date) -> Position:
        return Position(standing_types.head_on(info, date))

    @field("How many events were recorded in the last hours.")
    def recorded_lately(self, info: Info, hours: int = 24) -> int:
        return standing_types.recorded_lately(info, hours)

    @strawberry.field
    def read_models(self, info: Info) -> list[ReadModel]:
        return standing_types.read_models(info)

    @field("RFC 6962 consistency proof between two sizes, as lower-case hex hashes.")
    def consistency_proof(
        self, info: Info, begins: Annotated[Position, strawberry.argument(name="from")], to: Position
    ) -> list[str]:
        return evidence.consistency(info, arguments.position(begins, "from"), arguments.position(to, "to"))


def _page(info: Info, after: int, size: int, types: list[str] | None, uscc: str | None) -> list[Known]:
    """The next events that the caller may see; a page is full wherever more of them follow."""
    found: list[Known] = []
    while len(found) < size:
        page = info.context.reads.events(after, size, types, uscc)
        found += without_unseen(info, page)
        if len(page) < size:
            break
        after = page[-1].position
    return found[:size]
