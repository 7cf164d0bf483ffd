"""The ledger itself: its head and its events in order."""

from typing import Final

import strawberry

from api import arguments
from api.context import Info
from api.errors import invalid
from api.event_types import LedgerEvent, event_of
from api.permissions import check
from api.scalars import USCC, Position
from domain.events import EVENTS

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
        check(info, "Ledger.events")
        size = arguments.page_size(first, MOST_EVENTS, 100)
        place = arguments.position(after, "after")
        named = arguments.uscc(uscc) if uscc is not None else None
        if unknown := [name for name in types or [] if name not in EVENTS]:
            legal = ", ".join(EVENTS)
            raise invalid(
                "types", f"没有事件 {unknown[0]}；可用：{legal}", f"there is no event {unknown[0]}; there are {legal}"
            )
        info.context.settle()
        return [event_of(known) for known in info.context.reads.events(place, size, types, named)]

    @strawberry.field
    def event(self, info: Info, position: Position) -> LedgerEvent | None:
        check(info, "Ledger.event")
        place = arguments.position(position, "position")
        info.context.settle()
        found = info.context.reads.at([place])
        return event_of(found[0]) if found else None
