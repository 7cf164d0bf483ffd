"""The sequencer: appends wait in a bounded queue, and one thread of the process commits what waits as one group.

So one wait for the disk serves all who wait, and any number of processes may do the same: the head row orders their
groups. While the database writes one group the next is made ready and sent behind it, so that neither waits for the other.
A refused or faulty append never fails its neighbours. Who comes while nobody waits commits by itself, without two changes
of thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from time import monotonic, perf_counter
from typing import Final, NamedTuple

import psycopg
from eventsourcing.persistence import IntegrityError
from psycopg_pool import PoolTimeout

from ledger.appending import Appender, Sent, Tree
from ledger.appends import AlreadyAppended, Append, Appended, Clock, Result, Seal
from ledger.bell import Bell
from ledger.deadlines import CONNECTION_SECONDS
from ledger.migrations import Pool, is_silent
from ledger.notifier import Notifier
from ledger.observed import UNOBSERVED, Observer, Outcome
from ledger.prepared import Line

MOST_TOGETHER: Final = 1_024
"""Appends that are committed as one group."""
MOST_EVENTS_TOGETHER: Final = 4_096
"""Events of one group, unless its first append alone has more."""
MOST_UNDER_WAY: Final = 2
"""Groups: the database writes one, and has the next."""
MANY: Final = 16
"""Submitted appends from which they are two groups, of which one is made ready or answered while the other is written."""
GATHER_SECONDS: Final = 0.001
"""So long more is waited for where many are submitted at once and nothing is under way."""
MOST_WAITING: Final = 4_096
"""Appends that wait; one more is turned away."""
HOLD_SECONDS: Final = 0.2
"""So long a connection is held for the next group; what it has prepared need not be prepared again."""
IDLE_SECONDS: Final = 10.0
"""After so long without an append the thread ends; the next append starts it again."""


class Overloaded(Exception):
    """More appends wait than the ledger takes in for now: nothing was appended, try again in a moment."""


class Pending:
    """An append under way."""

    __slots__ = ("_done", "_next", "_result", "append", "began", "is_chained")

    def __init__(self, append: Append, *, is_chained: bool = False) -> None:
        self.append = append
        self.began = perf_counter()
        self.is_chained = is_chained
        """Whether a thread stands still for it already, and so can wake the next one."""
        self._done = threading.Lock()
        self._done.acquire()
        self._next: Pending | None = None
        self._result: Result | BaseException | None = None

    def result(self) -> Appended:
        """What came of it, once that is known. Raises what it was refused or failed with."""
        if self.is_chained:
            self._wait_in_chain()
        elif self._result is None:
            with self._done:
                pass
        if isinstance(self._result, Appended):
            return self._result
        assert self._result is not None
        raise self._result

    def _wait_in_chain(self) -> None:
        try:
            self._wake_next()
        except BaseException:
            # Interrupted: somebody must wake the next one all the same.
            threading.Thread(target=self._wake_next, daemon=True).start()
            raise

    def _wake_next(self) -> None:
        self._done.acquire()
        if self._next:
            self._next._done.release()

    @staticmethod
    def tell(group: Sequence[Pending], results: Sequence[Result | BaseException]) -> None:
        """Gives each its result. Of those who stand still the first is woken, and each wakes the next: woken at once, they
        would all contend."""
        before: Pending | None = None
        for pending, result in zip(group, results, strict=True):
            pending._result = result
            if not pending.is_chained:
                pending._done.release()
            elif before is None:
                first = before = pending
            else:
                before._next = before = pending
        if before is not None:
            first._done.release()


class _Flight(NamedTuple):
    """A group that is under way, and since when."""

    group: Sequence[Pending]
    sent: Sent
    began: float


class Sequencer:
    """Commits appends in groups. Safe for many threads."""

    def __init__(
        self, pool: Pool, seal: Seal, clock: Clock, tree: Tree | None = None, observer: Observer = UNOBSERVED
    ) -> None:
        self._pool = pool
        self._observer = observer
        self._appender = Appender(seal, clock, tree)
        self._notifier = Notifier(pool)
        self._waiting: deque[Pending] = deque()
        self._arrived = threading.Condition()
        self._running = False
        self._led = False
        """Whether somebody commits: the connection is theirs alone."""
        self._held: Line | None = None
        """That of the connection which is held."""
        self._used = 0.0
        self._bell: Bell | None = None
        """Wakes the thread where it waits for the database."""
        self._enough = 0
        """So many must wait for that; 0 while it does not wait."""
        self._sizes = deque([0, 0], maxlen=MOST_UNDER_WAY)
        """Of the last groups, if they were submitted: together about as many as are at once."""

    def append(self, append: Append) -> Appended:
        """Waits until the append is durable.

        Raises IntegrityError when its condition does not hold, AlreadyAppended when its key is kept, Overloaded when
        too many wait, and psycopg.Error or PoolTimeout when the database fails: then it is unknown whether it was kept.
        """
        began, outcome = perf_counter(), Outcome.APPENDED
        try:
            return self._append(append)
        except BaseException as fault:
            outcome = _outcome(fault)
            raise
        finally:
            self._observer.appended(outcome, len(append.events), perf_counter() - began)

    def submit(self, append: Append) -> Pending:
        """Lets the append wait for its group and gives it at once: its `result` is what `append` gives, and raises.

        Who has many appends under way needs no thread for each. Raises Overloaded.
        """
        pending = Pending(append)
        try:
            with self._arrived:
                self._enqueue(pending)
        except Overloaded:
            self._observer.appended(Outcome.OVERLOADED, len(append.events), perf_counter() - pending.began)
            raise
        return pending

    def _append(self, append: Append) -> Appended:
        pending, leads = Pending(append, is_chained=True), False
        try:
            with self._arrived:
                leads = not self._led and not self._waiting
                if leads:
                    self._led = True
                    self._start()
                    if self._held is None:
                        # The thread gives back the connection that is held from now on.
                        self._arrived.notify()
                else:
                    self._enqueue(pending)
            if leads:
                # In no context of the caller's: its deadline ends no append that is under way (`ledger.deadlines`).
                Context().run(self._commit, [pending])
        finally:
            # Whatever interrupts the caller, others follow.
            if leads:
                self._follow()
        return pending.result()

    def _enqueue(self, pending: Pending) -> None:
        """With the lock had."""
        if len(self._waiting) >= MOST_WAITING:
            raise Overloaded(f"{MOST_WAITING} appends wait already")
        self._start()
        self._waiting.append(pending)
        if not self._led:
            self._arrived.notify()
        elif self._bell and len(self._waiting) == self._enough:
            self._bell.ring()

    def _start(self) -> None:
        if not self._running:
            threading.Thread(target=self._run, name="sequencer", daemon=True).start()
            self._running = True

    def _run(self) -> None:
        try:
            with Bell() as self._bell:
                while self._lead():
                    try:
                        self._serve()
                    finally:
                        self._follow()
        except BaseException as fault:
            # The next append starts another thread; those who wait do not wait for that.
            with self._arrived:
                self._running = False
                waiting = list(self._waiting)
                self._waiting.clear()
            self._tell(waiting, [fault] * len(waiting))
            raise

    def _serve(self) -> None:
        """Commits until nothing waits and nothing is under way."""
        flights: deque[_Flight] = deque()
        try:
            while flights or self._has_gathered():
                if group := self._take(len(flights)):
                    self._launch(flights, group)
                elif self._is_answered(len(flights)):
                    self._land(flights)
        except BaseException as fault:
            # Whatever failed, those whose group was sent do not wait for ever.
            if flights:
                self._let_go()
            for flight in flights:
                self._tell(flight.group, [fault] * len(flight.group))
            raise

    def _launch(self, flights: deque[_Flight], group: Sequence[Pending]) -> None:
        """Sends a group behind those that are under way, or commits it by itself after them."""
        began = perf_counter()
        sent = None if group[0].is_chained else self._sent(flights, group)
        if isinstance(sent, Sent):
            flights.append(_Flight(group, sent, began))
            return
        while flights:
            self._land(flights)
        if sent is None:
            self._commit(group)
        else:
            self._let_go()
            self._fail(group, sent, may_be_kept=True)

    def _sent(self, flights: Sequence[_Flight], group: Sequence[Pending]) -> Sent | BaseException | None:
        """What was sent; why it is unknown whether it was; or None where it was not, and is to be committed by itself."""
        appends = [pending.append for pending in group]
        try:
            if flights:
                return self._appender.send(self._flown, appends, flights[-1].sent)
            return self._appender.send(self._hold(), appends, None)
        except BaseException as fault:
            return fault if self._appender.may_be_kept or _is_away(fault) else None

    def _land(self, flights: deque[_Flight]) -> None:
        """Tells the eldest group that is under way what came of it. Where it was not written those behind it were not either:
        each is committed by itself then.
        """
        flight = flights.popleft()
        landed = [(flight, came := self._received(flight))]
        if not isinstance(came, list):
            for flight in flights:
                # Whose answer is which is known only as long as each was had to its end.
                lost = isinstance(came, BaseException) and not _was_refused(came)
                landed.append((flight, came := came if lost else self._received(flight)))
            flights.clear()
        if any(isinstance(came, BaseException) for _, came in landed):
            self._let_go()
        for flight, came in landed:
            if isinstance(came, list):
                self._acknowledge(flight.group, came, flight.began)
            elif came is None:
                self._commit(flight.group)
            else:
                self._fail(flight.group, came, may_be_kept=True)

    def _received(self, flight: _Flight) -> list[Result] | BaseException | None:
        try:
            return self._appender.receive(self._flown, flight.sent)
        except BaseException as fault:
            return fault

    def _has_gathered(self) -> bool:
        """Whether anything waits; where many are submitted at once, after most had the time to come."""
        if self._least >= MANY // 2:
            self._wait_for_enough(None, GATHER_SECONDS)
        return bool(self._waiting)

    def _is_answered(self, flights: int) -> bool:
        """Waits for the answer to the eldest group under way, or for another to send behind it; whether it is the answer."""
        line = self._flown
        if flights == MOST_UNDER_WAY or line.is_answered or (self._waiting and self._waiting[0].is_chained):
            return True
        return self._wait_for_enough(line, None)

    def _wait_for_enough(self, line: Line | None, seconds: float | None) -> bool:
        """Waits until enough wait for a group, or the line has an answer, or the time is over; whether it has an answer."""
        assert self._bell
        with self._arrived:
            self._enough = self._least
            if len(self._waiting) >= self._enough:
                return False
        try:
            return self._bell.wait(line, seconds)
        finally:
            self._enough = 0

    def _lead(self) -> bool:
        """Waits until somebody waits and nobody leads; False after a long time in which nobody came."""
        with self._arrived:
            while self._led or not self._waiting:
                resting = self._held is None and not self._led
                if self._arrived.wait(IDLE_SECONDS if resting else HOLD_SECONDS) or self._led:
                    continue
                idle = monotonic() - self._used
                if self._held is not None and idle >= HOLD_SECONDS:
                    self._let_go()
                elif self._held is None and idle >= IDLE_SECONDS:
                    self._running = False
                    return False
            self._led = True
        return True

    def _follow(self) -> None:
        """Leads no more."""
        with self._arrived:
            self._led = False
            self._used = monotonic()
            if self._waiting:
                self._arrived.notify()

    @property
    def _least(self) -> int:
        """So many are worth a group behind another: half of those that are submitted at once."""
        return max(1, sum(self._sizes) // 2)

    def _take(self, flights: int) -> list[Pending]:
        """What waits, as much as goes into a group behind so many; nothing where it is better waited for more."""
        with self._arrived:
            # To wake a thread costs more than to overlap gains: those who stand still are one group.
            overlaps = bool(self._waiting) and not self._waiting[0].is_chained
            if flights and (flights == MOST_UNDER_WAY or not overlaps or len(self._waiting) < self._least):
                return []
            most = MOST_TOGETHER
            if overlaps and not flights and len(self._waiting) >= MANY:
                most = min(most, max(self._least, len(self._waiting) // 2))
            group: list[Pending] = []
            events = 0
            while self._waiting and len(group) < most:
                events += len(self._waiting[0].append.events)
                if group and events > MOST_EVENTS_TOGETHER:
                    break
                group.append(self._waiting.popleft())
            self._sizes.append(len(group) if overlaps else 0)
            return group

    def _commit(self, group: Sequence[Pending]) -> None:
        results: Sequence[Result] = ()
        began = perf_counter()
        try:
            results = self._appender.append(self._hold().database, [pending.append for pending in group])
        except BaseException as fault:
            self._let_go()
            # What has results is durable: what failed is what came after, and nothing may be written once more.
            if not results:
                self._fail(group, fault, may_be_kept=self._appender.may_be_kept)
                return
        self._acknowledge(group, results, began)

    def _acknowledge(self, group: Sequence[Pending], results: Sequence[Result], began: float) -> None:
        self._tell(group, results)
        self._notifier.tell()
        self._observer.committed(len(group), perf_counter() - began)

    def _tell(self, group: Sequence[Pending], results: Sequence[Result | BaseException]) -> None:
        Pending.tell(group, results)
        ended = perf_counter()
        for pending, result in zip(group, results, strict=True):
            if not pending.is_chained:
                self._observer.appended(_outcome(result), len(pending.append.events), ended - pending.began)

    def _hold(self) -> Line:
        """A connection that answers: the one that is held, while it does."""
        if self._held is not None and not is_silent(self._held.database):
            self._let_go()
        if self._held is None:
            self._held = Line(self._pool.getconn(min(self._pool.timeout, CONNECTION_SECONDS)))
        return self._held

    @property
    def _flown(self) -> Line:
        """The same while something is under way: its answer is no sign that it has ended."""
        assert self._held
        return self._held

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.leave()
            self._pool.putconn(held.database)

    def _fail(self, group: Sequence[Pending], fault: BaseException, *, may_be_kept: bool) -> None:
        if len(group) == 1 or _is_away(fault) or (may_be_kept and not _was_refused(fault)):
            self._tell(group, [fault] * len(group))
        else:
            # One of them cannot be written: alone it fails alone.
            for pending in group:
                self._commit([pending])


def _outcome(came: Result | BaseException) -> Outcome:
    for kind, outcome in _OUTCOMES.items():
        if isinstance(came, kind):
            return outcome
    return Outcome.FAILED


_OUTCOMES: Final[dict[type, Outcome]] = {
    Appended: Outcome.APPENDED,
    IntegrityError: Outcome.CONFLICT,
    AlreadyAppended: Outcome.REPEATED,
    Overloaded: Outcome.OVERLOADED,
}


def _was_refused(fault: BaseException) -> bool:
    """Whether the database itself said no, and so kept nothing."""
    return isinstance(fault, psycopg.Error) and fault.sqlstate is not None


def _is_away(fault: BaseException) -> bool:
    """Whether the database is at fault and not what was to be written: what is too large for it is an error of its own."""
    if isinstance(fault, psycopg.errors.ProgramLimitExceeded):
        return False
    return isinstance(fault, (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout))
