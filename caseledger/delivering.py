"""Delivering: events are pushed to webhooks as they are recorded, beside the serving and never in the way of an append.

Of several processes one delivers. It follows the log as the read models know it, so that what a receiver is told can be
asked for. Each receiver has connections and a limit of its own; those that fail are tried ever more seldom, and one that
fails for many enterprises in a row is asked with one message at a time until it answers again.

A message is sent at least once: what a receiver took is sent again, under the same webhook-id, where the process ended
before this was kept.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Final

import msgspec
import psycopg
import structlog

from caseledger.alone import Alone, running
from caseledger.sending import Sender, SendLimits
from caseledger.wiring import System
from domain.callers import Caller
from domain.facts import Moment
from domain.identifiers import legal_date_of
from domain.matrix import FIELDS, Reach
from domain.recorded import Recorded
from ledger.addresses import target_of
from ledger.cloudevents import MEDIA_TYPE, cloud_event, positions_named
from ledger.deliveries import Active, Deliveries, Due, Outcome, Result
from ledger.entry import opened
from ledger.migrations import Database, Pool
from ledger.notices import listen
from ledger.sealing import Sealer
from ledger.tree import log_name
from ledger.webhook_signing import signed
from projections.sight import Sight, draws_seen

POLL_SECONDS: Final = 0.5
"""Longest time after which is seen what nobody told of."""
PACE_SECONDS: Final = 0.02
"""From one look to the next at least: what comes closely together is one look's work, and appends are not slowed by it."""
GRACE_SECONDS: Final = 2.0
"""What is under way when delivering stops has so long to come to its end."""
AWAY: Final = 8
"""A receiver that fails for so many enterprises without a success between is taken to be away."""
LONGEST_REST: Final = timedelta(minutes=1)
"""Longest time for which one that is away is not asked."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """What is needed of the ledger: `known` is the position that its read models have reached."""

    sealer: Sealer
    sight: Sight
    log_name: str
    known: Callable[[], int]
    clock: Callable[[], datetime]
    chance: Callable[[], float] = random.random


class Deliverer(Alone):
    """Delivers in a thread of its own from `start` to `stop`."""

    name = "webhooks"

    def __init__(self, pool: Pool, sources: Sources, limits: SendLimits, retry: timedelta) -> None:
        super().__init__(pool)
        self._sources = sources
        self._limits = limits
        self._retry = retry

    async def work(self, database: Database) -> None:
        await Delivering(database, self._sources, self._limits, self._retry).go_on()


@contextmanager
def delivering(system: System) -> Iterator[None]:
    """Delivers while the block runs, if no other process does."""
    hooks = system.settings.hooks
    limits = SendLimits(hooks.seconds, hooks.at_once, hooks.private)
    sight, known, clock = Sight(system.pool), system.runner.position, system.ledger.clock
    sources = Sources(system.sealer, sight, log_name(system.pool), known, clock)
    with running(Deliverer(system.pool, sources, limits, timedelta(days=hooks.days))):
        yield


@dataclass(slots=True)
class _Receiver:
    """What is remembered of a receiver while this process delivers."""

    sender: Sender
    under_way: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    """The enterprises for which it failed since its last success."""
    rests: int = 0
    rests_until: datetime | None = None
    planned_at: float = 0.0

    @property
    def is_away(self) -> bool:
        return len(self.failing) >= AWAY

    def free(self, now: datetime, to: Active, most: int) -> int:
        """How many more messages it may be sent now."""
        if to.wait_until and to.wait_until > now:
            return 0
        if self.is_away:
            return 0 if self.under_way or (self.rests_until and self.rests_until > now) else 1
        return most - len(self.under_way)

    def heard(self, lane: str, result: Result, now: datetime) -> bool:
        """Takes in what came of an attempt; says whether it is back."""
        if result is Result.DELIVERED:
            back = self.is_away
            self.failing.clear()
            self.rests, self.rests_until = 0, None
            return back
        self.failing.add(lane)
        if self.is_away:
            self.rests += 1
            self.rests_until = now + min(timedelta(seconds=2 ** min(self.rests, 10)), LONGEST_REST)
        return False


class Delivering:
    """The work of the process that delivers, on one connection and one event loop."""

    def __init__(self, database: Database, sources: Sources, limits: SendLimits, retry: timedelta) -> None:
        self._database = database
        self._deliveries = Deliveries(database, retry)
        self._sources = sources
        self._limits = limits
        self._receivers: dict[str, _Receiver] = {}
        self._woken = asyncio.Event()
        self._eager_until = 0.0
        self._has_room = False
        """Whether any receiver may be sent something now; where none may, news are of no use."""
        self._unreadable: set[str] = set()

    async def go_on(self) -> None:
        """Works until it is cancelled or the connection is lost."""
        # Without a handler psycopg keeps every notification for someone to ask for it.
        self._database.add_notify_handler(lambda _: None)
        listen(self._database)
        loop, socket = asyncio.get_running_loop(), self._database.fileno()
        try:
            async with self._sending() as tasks:
                await self._turns(tasks, loop, socket)
        finally:
            loop.remove_reader(socket)

    async def _turns(self, tasks: asyncio.TaskGroup, loop: asyncio.AbstractEventLoop, socket: int) -> None:
        try:
            while True:
                more = await self._turn(tasks)
                await asyncio.sleep(PACE_SECONDS)
                if not self._has_room:
                    await self._rest()
                # For a moment after news: the read models need it to know them.
                elif not more and monotonic() > self._eager_until:
                    # Only now: as long as nobody reads them, news are told of again and again.
                    loop.add_reader(socket, self._heard_news, loop, socket)
                    await self._rest()
        except asyncio.CancelledError:
            # What was taken and not kept would be sent again.
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    while self._is_sending:
                        await asyncio.sleep(PACE_SECONDS)
            raise

    @property
    def _is_sending(self) -> bool:
        return any(each.under_way for each in self._receivers.values())

    async def until_idle(self) -> None:
        """Works until nothing more is to be sent now."""
        async with self._sending() as tasks:
            while await self._turn(tasks) or self._is_sending:
                await asyncio.sleep(PACE_SECONDS / 10)

    @asynccontextmanager
    async def _sending(self) -> AsyncIterator[asyncio.TaskGroup]:
        try:
            async with asyncio.TaskGroup() as tasks:
                yield tasks
        finally:
            # After the attempts under way were broken off, which are no failures of their receivers.
            for receiver in self._receivers.values():
                await receiver.sender.close()
            self._receivers.clear()

    def _heard_news(self, loop: asyncio.AbstractEventLoop, socket: int) -> None:
        loop.remove_reader(socket)
        self._eager_until = monotonic() + POLL_SECONDS
        self._woken.set()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        self._woken.clear()

    async def _turn(self, tasks: asyncio.TaskGroup) -> bool:
        """Makes deliveries of what is new and begins to send what is due. Says whether there is more to do at once."""
        now = self._sources.clock()
        served = {to.id: to for to in self._deliveries.active(now)}
        await self._keep_receivers(served)
        known = self._sources.known() if served else 0
        more = False
        for to in served.values():
            if to.position < known and self._may_plan(to, now):
                more |= self._plan(to, known, now)
                await asyncio.sleep(0)
        free = {id_: self._receivers[id_].free(now, to, self._limits.at_once) for id_, to in served.items()}
        self._has_room = any(count > 0 for count in free.values())
        under_way = [id_ for each in self._receivers.values() for id_ in each.under_way]
        due = self._deliveries.due(now, {id_: count for id_, count in free.items() if count > 0}, under_way)
        for each in due:
            receiver = self._receivers[each.webhook]
            receiver.under_way.add(each.id)
            tasks.create_task(self._deliver(receiver, served[each.webhook], each, known))
        return more or bool(due)

    async def _keep_receivers(self, served: dict[str, Active]) -> None:
        for id_ in [id_ for id_, each in self._receivers.items() if id_ not in served and not each.under_way]:
            await self._receivers.pop(id_).sender.close()
        for to in served.values():
            if to.id not in self._receivers:
                # What was allowed when it was added is looked at again at each attempt.
                self._receivers[to.id] = _Receiver(Sender(target_of(to.url, True), self._limits))

    def _may_plan(self, to: Active, now: datetime) -> bool:
        """At once where there is room for more to be sent; else now and then, much at a time."""
        receiver, moment = self._receivers[to.id], monotonic()
        if receiver.free(now, to, self._limits.at_once) <= 0 and moment < receiver.planned_at + POLL_SECONDS:
            return False
        receiver.planned_at = moment
        return True

    def _plan(self, to: Active, known: int, now: datetime) -> bool:
        try:
            return self._deliveries.plan(to, known, now, self._sees(to.caller, known, now))
        except psycopg.Error:
            raise
        except Exception as fault:
            # It stands before what it cannot read, and says so once.
            if to.id not in self._unreadable:
                log.error("a webhook cannot go on", webhook=to.id, after=to.position, fault=type(fault).__name__)
                self._unreadable.add(to.id)
            return False

    def _sees(self, caller: Caller, known: int, now: datetime) -> Callable[[bytes], bool] | None:
        """What looks whether the caller sees an entry; None for one who sees all."""
        at = Moment(legal_date_of(now), known)
        if _sees_events(caller) and draws_seen(caller, at.on).everything:
            return None
        return lambda entry: self._sources.sight.sees(caller, opened(entry), at)

    async def _deliver(self, receiver: _Receiver, to: Active, due: Due, known: int) -> None:
        began = self._sources.clock()
        try:
            outcome = await self._sent(receiver, to, due, known, began)
            if outcome is None:
                self._deliveries.withhold(due, began)
                return
            now = self._sources.clock()
            is_back = receiver.heard(due.lane, outcome.result, now)
            self._deliveries.keep(due, outcome, began, now, self._sources.chance())
            if is_back:
                self._deliveries.try_all(to.id, now)
        finally:
            receiver.under_way.discard(due.id)
            self._woken.set()

    async def _sent(self, receiver: _Receiver, to: Active, due: Due, known: int, now: datetime) -> Outcome | None:
        """What came of an attempt; None where there was none, since the key's holder sees the event no more."""
        try:
            sees = self._sees(to.caller, known, now)
            if sees and not sees(due.entry):
                return None
            body, keys = self._body(opened(due.entry), to.caller), map(partial(self._opened, to.id), to.secrets)
            headers = {"content-type": MEDIA_TYPE, "user-agent": "caseledger", **signed(due.id, now, body, [*keys])}
        except psycopg.Error:
            raise
        except Exception as fault:
            log.error("a message to a webhook cannot be made", delivery=due.id, fault=type(fault).__name__)
            return Outcome(Result.FAULT)
        return await receiver.sender.post(body, headers)

    def _body(self, recorded: Recorded, caller: Caller) -> bytes:
        # The random id of an event keeps its hash from being guessed: it is for those who see the event.
        named = positions_named(recorded.event) if _sees_events(caller) else ()
        ids = self._deliveries.ids_at(list(named))
        return msgspec.json.encode(cloud_event(recorded, self._sources.log_name, ids))

    def _opened(self, webhook: str, sealed: bytes) -> bytes:
        return self._sources.sealer.open_secret(sealed, webhook)


def _sees_events(caller: Caller) -> bool:
    return caller.reach(FIELDS["Ledger.events"]) is Reach.ALL
