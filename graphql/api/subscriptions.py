"""Subscription: the ledger's events and the changes of credit after a position, then live."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Final

import strawberry

from api import arguments
from api.context import Info
from api.credit_types import CreditChange, change_of
from api.errors import invalid
from api.event_types import LedgerEvent, event_of, readable
from api.fields import subscription
from api.noted import note
from api.scalars import USCC, Position
from api.seen import without_unseen
from domain.events import InspectionDrawn
from projections.reads import Known

MOST_CODES: Final = 1_000


@strawberry.type
class Subscription:
    # Arguments are looked at before there is a stream: what is wrong with them is an error of the request.
    @subscription("Every event after a position, in order, without gap or repeat, then live.")
    async def events(
        self,
        info: Info,
        after: Position = Position(0),  # noqa: B008  # a NewType call is the value itself
        types: list[str] | None = None,
        uscc: USCC | None = None,
    ) -> AsyncGenerator[LedgerEvent, None]:
        place = info.context.place.begin(arguments.position(after, "after"))
        named = None if uscc is None else arguments.uscc(uscc)
        wanted = arguments.event_types(types)
        note(info, "Subscription.events", [named], every=named is None)
        info.context.hand_over(0)
        return _events(info, place, wanted, named)

    @subscription("Every change of a credit timeline after a position, in order, without gap or repeat, then live.")
    async def credit_changes(
        self,
        info: Info,
        after: Position = Position(0),  # noqa: B008  # a NewType call is the value itself
        usccs: list[USCC] | None = None,
    ) -> AsyncGenerator[CreditChange, None]:
        place = info.context.place.begin(arguments.position(after, "after"))
        return _changes(info, place, _codes(usccs))


def _codes(usccs: list[USCC] | None) -> frozenset[str] | None:
    if usccs is None:
        return None
    if len(usccs) > MOST_CODES:
        got = len(usccs)
        raise invalid("usccs", f"最多 {MOST_CODES} 个代码，收到 {got} 个", f"at most {MOST_CODES:,} codes; got {got}")
    return frozenset(arguments.uscc(each) for each in usccs)


async def _events(
    info: Info, after: int, types: frozenset[str] | None, uscc: str | None
) -> AsyncGenerator[LedgerEvent, None]:
    context = info.context
    async for batch in context.feeds.events(after, types, uscc):
        # Opened for each reader when it is sent, and nowhere kept: what was erased meanwhile stays closed.
        looks = context.caller.sees_personal or any(isinstance(e.recorded.event, InspectionDrawn) for e in batch)
        known = await context.feeds.in_thread(partial(_shown, info, batch)) if looks else batch
        for each in known:
            context.place.under_way = each.position
            yield event_of(each)


def _shown(info: Info, batch: Sequence[Known]) -> list[Known]:
    return readable(info, without_unseen(info, batch))


async def _changes(info: Info, after: int, usccs: frozenset[str] | None) -> AsyncGenerator[CreditChange, None]:
    async for batch in info.context.feeds.changes(after, usccs):
        for each in batch:
            info.context.place.under_way = each.position
            yield change_of(each)
