"""The runner: one loop that reads the log and keeps every projection in step with it.

A batch's rows and the new position are one transaction, so each event is applied exactly once. Of several processes one
leads: it holds an advisory lock by a connection of its own and writes by that connection alone, so whoever lost the lock
cannot write. The others stand by, and one of them leads within STANDBY_SECONDS of the end of that connection.

An event that cannot be applied stops its enterprise alone (see `projections.parking`).

A runner moves on only those projections whose tables its own version of them filled. While programs of two versions run
side by side the older leads, as long as there is one; when the newer one's tables are swapped in it leaves the lead.
"""

import select
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from enum import Enum
from time import monotonic, perf_counter, sleep
from typing import Final, NamedTuple, TypeAlias, TypeVar

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from domain.recorded import Recorded
from ledger.entry import entry_at
from ledger.migrations import Pool
from ledger.notices import connect, listen
from ledger.observed import UNOBSERVED, Observer
from ledger.recorder import PostgresRecorder
from ledger.rows import columns
from projections.parking import PASSING, Entry, Parked, Parking, Reached, apply_apart, readable
from projections.projection import Database, Projection

BATCH: Final = 2_000
"""Events applied in one transaction."""
POLL_SECONDS: Final = 0.25
"""Longest time after which an event is seen whose notification was lost."""
FOLLOW_SECONDS: Final = 0.02
"""How often who waits for a position looks for it where another process leads."""
GATHERED: Final = 2.0
"""So many times as long as a batch took, events gather for the next one. A batch of few costs almost what one of many
does, so a steady load is then carried by half of the work; what comes alone is applied at once."""
GATHER_SECONDS: Final = 0.04
"""The longest of that."""
STANDBY_SECONDS: Final = 1.0
"""How often a runner that stands by tries to lead."""
PATIENCE: Final = 3
"""How often in succession a runner whose tables are of an older program finds that nobody leads before it leads."""
RETRY_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 10.0
"""How long `catch_up` waits for another runner that leads and does not move."""
_LOCK: Final = "hashtextextended('caseledger projections ' || current_schema(), 0)"

log = structlog.get_logger(__name__)


EntryT = TypeVar("EntryT", bound=Entry)


class Fit(Enum):
    """How the tables stand to this program's versions of the projections."""

    SAME = "same"
    OLDER = "some are of an older program, and none of a newer one"
    NEWER = "some are of a newer program"


class Overtaken(Exception):
    """The tables of a newer program were swapped in: this one moves nothing on any more."""


class Batch(NamedTuple):
    """What was applied at once: how many events, and the position of the last."""

    events: int
    upto: int


_Read: TypeAlias = Callable[[int, int], Sequence[EntryT]]
"""Reads up to so many entries after a position."""
_Apply: TypeAlias = Callable[[Database, Sequence[EntryT], Mapping[str, int]], list[Parked]]
"""Applies entries to the projections that have reached these positions; gives what could not be applied."""


class Runner:
    """Keeps projections in step. `start` and `stop` it, or call `catch_up` where no thread is wanted."""

    def __init__(
        self,
        pool: Pool,
        recorder: PostgresRecorder,
        projections: Sequence[Projection],
        observer: Observer = UNOBSERVED,
        batch: int | None = None,
    ) -> None:
        """`batch`: how many events are applied in one transaction, if not the usual number."""
        self.pool = pool
        self._batch = batch
        self._observer = observer
        self.parking = Parking(pool)
        self._recorder = recorder
        self._projections = {projection.name: projection for projection in projections}
        self.versions: Mapping[str, int] = {each.name: each.version for each in projections}
        self._stopped = threading.Event()
        self._moved = threading.Condition()
        self._written = -1
        """The position that projections were brought to by this runner as it leads; -1 where it has brought none on."""
        self._thread: threading.Thread | None = None
        self._waking: socket.socket | None = None

    def start(self) -> None:
        self._stopped.clear()
        woken, self._waking = socket.socketpair()
        woken.setblocking(False)
        self._waking.setblocking(False)
        self._thread = threading.Thread(target=self._run, args=(woken,), name="projections", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the batch under way is written; another runner may lead from then on."""
        self._stopped.set()
        self.wake()
        if self._thread:
            self._thread.join()
            self._thread = None
        if self._waking:
            self._waking.close()
            self._waking = None

    def wake(self) -> None:
        """Says that something was appended; without it a runner that leads is told by the database."""
        if self._waking:
            # Full means that it is woken already, closed that it is stopped.
            with suppress(OSError):
                self._waking.send(b"!")

    def catch_up(self, upto: int | None = None) -> int:
        """Applies what has come (up to a position) until nothing is left, and returns the position reached.

        Where another runner leads it waits for that one, as long as it moves.
        """
        moved, reached = monotonic(), -1
        while True:
            with closing(connect(self.pool)) as database, suppress(Overtaken):
                if _leads(database):
                    self._enrol(database)
                    while self._move(database, upto):
                        pass
                    return self.position()
            if (now := self.position()) > reached:
                moved, reached = monotonic(), now
            if reached >= (self._recorder.head() if upto is None else upto) or monotonic() - moved > IDLE_SECONDS:
                return reached
            self.wake()
            sleep(0.02)

    def bring(self, database: Database, upto: int) -> None:
        """Applies what there is up to a position without the lead, to tables that nobody is told of yet."""
        self._enrol(database)
        with ThreadPoolExecutor(1) as reading:
            read = _ReadAhead(self._read, reading, upto)
            while self._move(database, upto, read):
                pass

    def follow(self, database: Database, rest: Callable[[], None]) -> None:
        """Applies what comes, beside others that follow with other projections; it waits while a runner leads.

        `rest` is called where little has come. Returns when a newer program's tables were swapped in.
        """
        with suppress(Overtaken):
            while not _leads(database, beside_others=True):
                rest()
            self._enrol(database)
            while True:
                batch = self._move(database)
                if batch is None or batch.events < (self._batch or BATCH):
                    rest()

    def step(self) -> bool:
        """Applies one batch. Says whether there was one; there is none where another runner leads."""
        with closing(connect(self.pool)) as database, suppress(Overtaken):
            if _leads(database):
                self._enrol(database)
                return self._move(database) is not None
        return False

    def position(self, names: Collection[str] = ()) -> int:
        """The position that every projection, or each of those named, has reached; one that was stopped counts not."""
        return self.reached(self.parking.reached(), names)

    def reached(self, standing: Sequence[Reached], names: Collection[str] = ()) -> int:
        """The same of how far each is."""
        names = names or self._projections.keys()
        asked = [each for each in standing if each.name in names]
        if len(asked) < len(names):
            return 0
        return min([each.position for each in asked if not each.stopped] or [each.position for each in asked])

    def wait_for(self, position: int, seconds: float, names: Collection[str] = ()) -> int:
        """Waits until every projection (named) has reached a position, at most so long; returns the position reached."""
        seen, reached = self._written, self.position(names)
        if reached >= position:
            return reached
        self.wake()
        ends = monotonic() + seconds
        while reached < position and (left := ends - monotonic()) > 0:
            self._await_batch(position, seen, left)
            seen, reached = self._written, self.position(names)
        return reached

    def _await_batch(self, position: int, seen: int, seconds: float) -> None:
        """Waits for a batch that was not seen and goes as far; no longer than until it is worth a look by itself."""
        poll = FOLLOW_SECONDS if seen < 0 else POLL_SECONDS
        with self._moved:
            self._moved.wait_for(lambda: self._written > seen and self._written >= position, min(seconds, poll))

    def _run(self, woken: socket.socket) -> None:
        with woken:
            while not self._stopped.is_set():
                try:
                    self._stand_by(woken)
                except (psycopg.OperationalError, PoolTimeout):
                    log.warning("projections wait for the database")
                    self._stopped.wait(RETRY_SECONDS)
                except Exception as fault:
                    log.error("projections cannot be moved on", fault=type(fault).__name__)
                    self._stopped.wait(RETRY_SECONDS)

    def _stand_by(self, woken: socket.socket) -> None:
        """Leads as soon as it may, until it is stopped, its connection ends or a newer program's tables are there."""
        with closing(connect(self.pool)) as database, suppress(Overtaken):
            if not self._await_lead(database):
                return
            # Without a handler psycopg keeps every notification for someone to ask for it.
            database.add_notify_handler(_heard)
            listen(database)
            self._enrol(database)
            try:
                self._lead(database, woken)
            finally:
                self._written = -1

    def _lead(self, database: Database, woken: socket.socket) -> None:
        while not self._stopped.is_set():
            with suppress(BlockingIOError):
                woken.recv(4096)
            began = perf_counter()
            batch = self._move(database)
            if batch is None:
                select.select([woken.fileno(), database.fileno()], [], [], POLL_SECONDS)
                continue
            with self._moved:
                self._written = batch.upto
                self._moved.notify_all()
            if batch.events < BATCH:
                self._stopped.wait(min(GATHERED * (perf_counter() - began), GATHER_SECONDS))

    def _await_lead(self, database: Database) -> bool:
        """Returns True when this runner leads, False when it is stopped."""
        free = 0
        while not self._stopped.is_set():
            fit = self._fit(database)
            if fit is Fit.NEWER or not _leads(database):
                free = 0
            else:
                free += 1
                if fit is Fit.SAME or free >= PATIENCE:
                    return True
                # Who can bring the older tables on has the time of a stand-by to take the lead.
                database.execute(f"SELECT pg_advisory_unlock({_LOCK})")
            self._stopped.wait(STANDBY_SECONDS)
        return False

    def _fit(self, database: Database) -> Fit:
        newer, older = database.execute(_FIT, self._own()).fetchone() or (False, False)
        return Fit.NEWER if newer else Fit.OLDER if older else Fit.SAME

    def _enrol(self, database: Database) -> None:
        database.execute(
            "INSERT INTO projections (name, version) SELECT * FROM unnest(%(names)s::text[], %(versions)s::integer[])"
            " ON CONFLICT DO NOTHING",
            self._own(),
        )

    def _own(self) -> dict[str, list[str] | list[int]]:
        return {"names": list(self.versions), "versions": list(self.versions.values())}

    def _move(self, database: Database, upto: int | None = None, read: "_Read[Recorded] | None" = None) -> Batch | None:
        """Applies one batch on the connection that leads; None where there is none."""
        if not self._is_behind(database, upto):
            return None
        try:
            return self._write(database, upto, read or self._read, self._apply)
        except PASSING:
            raise
        except Exception as fault:
            log.warning("a batch is applied an enterprise at a time", fault=type(fault).__name__)
            return self._write(database, upto, self._read_apart, self._apply_apart)

    def _is_behind(self, database: Database, upto: int | None) -> bool:
        """Whether there is something to apply. Raises Overtaken."""
        newer, behind = database.execute(_BEHIND, {**self._own(), "upto": upto}).fetchone() or (False, False)
        if newer:
            raise Overtaken
        return behind is True

    def _write(
        self,
        database: Database,
        upto: int | None,
        read: _Read[EntryT],
        apply: _Apply[EntryT],
    ) -> Batch | None:
        began = perf_counter()
        with database.transaction():
            reached = _lock(database, self.versions)
            if not reached:
                return None
            after = min(reached.values())
            most = self._batch or BATCH
            limit = most if upto is None else min(most, upto - after)
            found = read(after, limit) if limit > 0 else []
            if not found:
                return None
            parked = apply(database, found, reached)
            _keep(database, parked)
            stopped = {each.projection for each in parked if each.uscc is None}
            database.execute(
                "UPDATE projections SET position = greatest(position, %s), moved_at = clock_timestamp() WHERE name = ANY(%s)",
                [found[-1].position, [name for name in reached if name not in stopped]],
            )
        self._observer.projected(len(found), found[-1].position, perf_counter() - began)
        for each in parked:
            log.error("an event cannot be applied", projection=each.projection, parked=each.uscc, why=each.why.en)
        return Batch(len(found), found[-1].position)

    def _read(self, after: int, limit: int) -> list[Recorded]:
        return [entry_at(position, data) for position, data in self._recorder.read_data(after, limit)]

    def _read_apart(self, after: int, limit: int) -> list[Entry]:
        """The same, where some cannot be read: whose they are is told by their tags."""
        return [readable(each) for each in self._recorder.read(after=after, limit=limit)]

    def _apply(self, database: Database, batch: Sequence[Recorded], reached: Mapping[str, int]) -> list[Parked]:
        """Every projection's share at once. The rows of one are made while the database writes those of another."""
        parked = _parked(database)
        with database.pipeline():
            for name, after in reached.items():
                if mine := _share(batch, after, parked.get(name, ())):
                    self._projections[name].apply(database, mine)
        return []

    def _apply_apart(self, database: Database, batch: Sequence[Entry], reached: Mapping[str, int]) -> list[Parked]:
        """What of every projection's share can be applied."""
        parked = _parked(database)
        shares = {name: _share(batch, after, parked.get(name, ())) for name, after in reached.items()}
        return [each for name, mine in shares.items() for each in apply_apart(database, self._projections[name], mine)]


class _ReadAhead:
    """Reads the next batch up to a position while the database writes the one that was asked for: the log never changes."""

    def __init__(self, read: _Read[Recorded], reading: ThreadPoolExecutor, upto: int) -> None:
        self._read = read
        self._reading = reading
        self._upto = upto
        self._ahead: tuple[tuple[int, int], Future[Sequence[Recorded]]] | None = None

    def __call__(self, after: int, limit: int) -> Sequence[Recorded]:
        ahead, self._ahead = self._ahead, None
        found = ahead[1].result() if ahead and ahead[0] == (after, limit) else self._read(after, limit)
        if found and found[-1].position < self._upto:
            following = found[-1].position, min(limit, self._upto - found[-1].position)
            self._ahead = following, self._reading.submit(self._read, *following)
        return found


def _share(batch: Sequence[EntryT], after: int, parked: Collection[str]) -> Sequence[EntryT]:
    """What of a batch is a projection's to apply; the batch itself where that is all of it."""
    if not parked and batch[0].position > after:
        return batch
    return [entry for entry in batch if entry.position > after and not (parked and entry.uscc in parked)]


def _heard(_: psycopg.Notify) -> None:
    """A notification has done its work when it ended the wait."""


def _leads(database: Database, *, beside_others: bool = False) -> bool:
    """Takes the lock for as long as the connection lasts. Says whether this is the one that has it.

    `beside_others`: any number may have it so, each for projections of its own, and meanwhile nobody leads.
    """
    how = "_shared" if beside_others else ""
    row = database.execute(f"SELECT pg_try_advisory_lock{how}({_LOCK})".encode()).fetchone()
    return row is not None and row[0] is True


def _lock(database: Database, versions: Mapping[str, int]) -> dict[str, int]:
    """The positions of the projections that go on. Their rows are locked: a rebuild swaps between two batches."""
    rows = database.execute(
        "SELECT name, position, version FROM projections WHERE name = ANY(%s) AND stopped_at IS NULL ORDER BY name"
        " FOR NO KEY UPDATE",
        [list(versions)],
    ).fetchall()
    going = {name: position for name, position, version in rows if version == versions[name]}
    return {name: going[name] for name in versions if name in going}


def _parked(database: Database) -> dict[str, set[str]]:
    """The parked enterprises of each projection."""
    found: dict[str, set[str]] = {}
    for projection, uscc in database.execute("SELECT projection, uscc FROM parked"):
        found.setdefault(projection, set()).add(uscc)
    return found


def _keep(database: Database, parked: Sequence[Parked]) -> None:
    for each in parked:
        if each.uscc is None:
            database.execute(
                "UPDATE projections SET position = %s, stopped_at = %s, event_type = %s, fault = %s,"
                " moved_at = clock_timestamp() WHERE name = %s",
                [each.position - 1, each.position, each.event_type, each.fault, each.projection],
            )
    if rows := [(p.projection, p.uscc, p.position, p.event_type, p.fault) for p in parked if p.uscc]:
        database.execute(
            "INSERT INTO parked (projection, uscc, position, event_type, fault)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[])",
            columns(rows),
        )


_FIT: Final = """
SELECT coalesce(bool_or(kept.version > own.version), false), coalesce(bool_or(kept.version < own.version), false)
FROM projections AS kept JOIN unnest(%(names)s::text[], %(versions)s::integer[]) AS own (name, version) USING (name)
"""
_BEHIND: Final = """
SELECT
    bool_or(kept.version > own.version),
    least(%(upto)s::bigint, (SELECT position FROM head))
        > min(kept.position) FILTER (WHERE kept.version = own.version AND kept.stopped_at IS NULL)
FROM projections AS kept JOIN unnest(%(names)s::text[], %(versions)s::integer[]) AS own (name, version) USING (name)
"""
