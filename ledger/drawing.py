"""The random draw (rulebook §9): drawn on what is known at the head, and recorded, as one step.

The pool is handed in: it comes from read models, which this layer knows nothing of. Whatever has come since that a pool
rests on makes the append fail, and then the draw is made again on the new head.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple, TypeAlias

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain.callers import Caller
from domain.commands import Code, Refusal, refusal
from domain.draws import (
    POOL_EVENTS,
    DrawRequest,
    Member,
    drawn,
    may_draw,
    parse_draw,
    pool_line,
    refuse_empty,
    refuse_used,
)
from domain.events import InspectionDrawn
from domain.recorded import tags_of
from domain.rulebook import Version
from ledger.appends import Once
from ledger.entry import canonical, data_of, draft
from ledger.ledger import TRIES, Ledger, Recording, Weighed, bad_key
from ledger.merkle import Frontier, leaf_hash
from ledger.verify import LONGEST_ENTRY

MOST_BYTES: Final = LONGEST_ENTRY // 2
"""Of a draw's data: an entry that is longer than what is verified is not recorded."""


class Pooled(NamedTuple):
    """A pool as known at a head, in the order of its codes, with the tree's root there (lower-case hex)."""

    head: int
    root: str
    members: Sequence[Member]
    used: int | None = None
    """The position that has the draw's id already; then there are no members."""


Pool: TypeAlias = Callable[[DrawRequest, date], Pooled | None]
"""Gives the pool at (a day, the head); None where it cannot be told in time."""


class Drawing:
    def __init__(self, ledger: Ledger, pool: Pool) -> None:
        self._ledger = ledger
        self._pool = pool

    def draw(self, caller: Caller, key: str, sent: Mapping[str, object]) -> Recording:
        """Draws and records the draw, or says why not, with paths inside what was sent."""
        ledger = self._ledger
        request, refusals = parse_draw(sent)
        if wrong := bad_key(key):
            refusals.append(wrong)
        if refusals or request is None:
            return ledger.refuse(*refusals)
        if forbidden := may_draw(caller, request):
            return ledger.refuse(*forbidden)
        once = Once(caller.holder, key, ledger.digest(["drawInspection", dict(sent)]))
        return ledger.earlier(once) or ledger.until_won(lambda: self._weigh(caller, request), once, LOST)

    def _weigh(self, caller: Caller, request: DrawRequest) -> Weighed:
        on = self._ledger.today
        pooled = self._pool(request, on)
        if pooled is None:
            return Weighed(refusals=(LOST,), head=self._ledger.recorder.head())
        refused = _refused(request, pooled)
        if refused:
            return Weighed(refusals=(refused,), head=pooled.head)
        event = event_of(request, on, pooled, self._ledger.rulebook.in_force_on(on))
        made = draft(event, tags_of(event), on, caller.signature)
        if len(made.data) > MOST_BYTES:
            return Weighed(refusals=(_too_long(len(event.drawn)),), head=pooled.head)
        return Weighed((made,), _condition(request, pooled.head), head=pooled.head)


def event_of(request: DrawRequest, on: date, pooled: Pooled, version: Version) -> InspectionDrawn:
    """The draw of a pool."""
    return InspectionDrawn(
        draw_id=request.draw_id,
        authority=request.authority,
        request=data_of(request),
        as_of=on,
        known_at=pooled.head,
        root=pooled.root,
        pool_size=len(pooled.members),
        pool_root=pool_root(pooled.members, version).hex(),
        drawn=drawn(request, pooled.root, pooled.members, version),
    )


def pool_root(members: Sequence[Member], version: Version) -> bytes:
    """The RFC 9162 root over the canonical lines of a pool, in order of their codes."""
    leaves = [leaf_hash(canonical(pool_line(member, version))) for member in members]
    return Frontier(0, ()).extend(leaves)[0].root


def _refused(request: DrawRequest, pooled: Pooled) -> Refusal | None:
    if pooled.used is not None:
        return refuse_used(request.draw_id, pooled.used)
    return None if pooled.members else refuse_empty()


def _condition(request: DrawRequest, head: int) -> DCBAppendCondition:
    """Nothing that the pool rests on may have come since, and nobody have drawn under the same id."""
    types = DCBQueryItem(types=[cls.__name__ for cls in POOL_EVENTS])
    return DCBAppendCondition(DCBQuery(items=[types, DCBQueryItem(tags=[f"draw:{request.draw_id}"])]), after=head)


def _too_long(count: int) -> Refusal:
    return refusal(
        Code.INVALID,
        "count",
        f"抽取 {count} 家企业的结果过长，无法记入一条记录；请分几次抽取",
        f"The draw of {count} enterprises is too long for one entry; make several draws of fewer",
    )


LOST: Final = refusal(
    Code.CONFLICT,
    "",
    f"抽取期间企业登记、许可或信用不断变化（最多 {TRIES} 次重试）；没有记录任何内容，请稍后以同一 idempotencyKey 重试",
    f"What the pool rests on kept changing meanwhile (tried up to {TRIES} times); nothing was recorded: try again with the "
    "same idempotencyKey",
)
