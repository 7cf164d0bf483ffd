"""Rebuilding beside: read models are made anew in a schema of their own while the old ones serve, then take their place.

The schema beside comes first on the search path, so that a projection writes to its new tables and reads the log where it
is; that both are named the same is all there is to the swap. A rebuild that ended in the middle leaves its schema, which
the next one drops: nothing of it was ever asked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import psycopg
import structlog
from psycopg import IsolationLevel, sql

from ledger.migrations import RUNTIME_ROLE, Pool, open_pool_beside
from ledger.notices import connect
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from projections.filling import BATCH, FAR, Fillers, fillers, usual
from projections.parking import Parked, Parking
from projections.projection import Build, Database, Projection
from projections.runner import Runner
from projections.tables import TABLES, copy_table, index, side_by_side

STEP: Final = 10_000
"""Events after which progress is told."""
NEAR: Final = 1_000
"""Events that are left to the moment when the live ones wait; who writes without a pause is never quite caught up with."""
SWAP_SECONDS: Final = 10
"""Longest wait for questions that read the tables which are swapped; then it is tried again."""
SWAPS: Final = 5
LOOKERS: Final = 2
"""How many tables are compared at a time."""
_LOCK: Final = "hashtextextended('caseledger rebuild ' || %s, 0)"

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many events were applied, of how many."""

log = structlog.get_logger(__name__)


class CannotRebuild(Exception):
    """A rebuild that was not begun, or whose result does not take the place of what serves; the message says why."""


class UnderWay(CannotRebuild):
    """Another process rebuilds this ledger's read models at the moment."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An enterprise whose rows differ, in which tables; `uscc` is None for rows of no enterprise."""

    uscc: str | None
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of a rebuild: compared at a position, and whether it was swapped in."""

    projections: tuple[str, ...]
    position: int
    differing: tuple[Difference, ...]
    parked: tuple[Parked, ...]
    swapped: bool


def rebuild(
    pool: Pool, build: Build, names: Sequence[str] = (), *, dry_run: bool = False, progress: Progress = lambda *_: None
) -> Rebuilt:
    """Makes projections anew from position 1, all where none are named, and swaps them in unless it is a `dry_run`.

    Reads and writes go on meanwhile. Raises CannotRebuild for a name that is not one, while another rebuild is under
    way, and where the new ones know less than what serves: an event stops one, or parks an enterprise that is not parked.
    """
    _require_known(names)
    with ExitStack() as stack:
        owner = stack.enter_context(_as_owner(pool))
        schema = str(_one(owner, "SELECT current_schema()"))
        is_far = usual(build) and _head(owner) >= FAR
        filling = stack.enter_context(fillers(names or list(TABLES))) if is_far else None
        beside = stack.enter_context(_side_schema(owner, schema, names or list(TABLES)))
        side_pool = stack.enter_context(open_pool_beside(pool, beside))
        recorder = PostgresRecorder(side_pool)
        projections = [each for each in build(Streams(recorder)) if each.name in (names or TABLES)]
        runner = Runner(side_pool, recorder, projections, batch=BATCH)
        work = _Rebuild(owner, Parking(pool), (schema, beside), runner, projections)
        work.fill(filling, progress)
        work.follow(progress)
        work.require_no_worse()
        position, differing = work.compare()
        parked = tuple(runner.parking.parked())
        if not dry_run:
            work.swap()
        return Rebuilt(tuple(each.name for each in projections), position, differing, parked, not dry_run)


class _Rebuild:
    def __init__(
        self,
        owner: Database,
        parking: Parking,
        schemas: tuple[str, str],
        runner: Runner,
        projections: Sequence[Projection],
    ) -> None:
        """`parking` is that of what serves; `schemas` are its own and the one beside, where `runner` fills new tables."""
        self._owner = owner
        self._parking = parking
        self._schema, self._beside = schemas
        self._runner = runner
        self._names = [projection.name for projection in projections]

    @property
    def _tables(self) -> Iterator[tuple[str, str]]:
        return ((table, subject) for name in self._names for table, subject in TABLES[name].items())

    def fill(self, fillers: Fillers | None, progress: Progress) -> None:
        """Fills the tables up to where the live ones are and indexes them, by processes of their own where it is far."""
        if fillers:
            target = self._live()
            fillers.fill(
                self._runner.pool,
                (self._schema, self._beside),
                target,
                lambda: progress(self._runner.position(), target),
            )
            for each in self._runner.parking.parked():
                log.error("an event cannot be applied", projection=each.projection, parked=each.uscc, why=each.why.en)
        else:
            self._approach(0, progress)
        index([self._owner], self._schema, self._beside, self._names)

    def follow(self, progress: Progress) -> None:
        """Applies the log up to where the live ones are, until there is next to nothing left."""
        reached, left = 0, NEAR + 1
        while left > NEAR:
            reached = self._approach(reached, progress)
            if self._runner.parking.stopped():
                return
            left = self._live() - reached

    def _approach(self, reached: int, progress: Progress) -> int:
        """Applies the log up to where the live ones are by now, and gives the position reached."""
        target = self._live()
        while reached < target and not self._runner.parking.stopped():
            reached = self._runner.catch_up(min(target, reached + STEP))
            progress(reached, target)
        return reached

    def compare(self) -> tuple[int, tuple[Difference, ...]]:
        """The enterprises whose rows differ when both have reached one position, which is given too.

        The live runner waits until a snapshot of that moment is taken, and no longer.
        """
        with ExitStack() as stack:
            lookers = [stack.enter_context(self._looking()) for _ in range(LOOKERS)]
            with self._owner.transaction():
                position = self._level()
                for looking in lookers:
                    looking.execute("SELECT 1")
            differing = side_by_side(lookers, lambda looking, each: self._differing(looking, *each), self._tables)
        found: dict[str | None, list[str]] = {}
        for (table, _), usccs in zip(self._tables, differing, strict=True):
            for uscc in usccs:
                found.setdefault(uscc, []).append(table)
        ordered = sorted(found.items(), key=lambda item: item[0] or "")
        return position, tuple(Difference(uscc, tuple(tables)) for uscc, tables in ordered)

    @contextmanager
    def _looking(self) -> Iterator[Database]:
        """A connection in a transaction that goes on seeing what its first statement sees."""
        with closing(connect(self._runner.pool)) as looking:
            looking.execute("SET ROLE NONE")
            looking.isolation_level = IsolationLevel.REPEATABLE_READ
            with looking.transaction():
                yield looking

    def _differing(self, looking: Database, table: str, subject: str) -> list[str | None]:
        named = sql.SQL(", ").join(map(sql.Identifier, _columns(looking, self._schema, table)))
        live, new = sql.Identifier(self._schema), sql.Identifier(self._beside)
        of_live, of_new = (sql.SQL(subject).format(schema=each) for each in (live, new))
        statement = sql.SQL(_DIFFERING).format(
            named=named, table=sql.Identifier(table), live=live, new=new, of_live=of_live, of_new=of_new
        )
        return [bears for (bears,) in looking.execute(statement)]

    def require_no_worse(self) -> None:
        """Raises CannotRebuild where the new ones answer for less than those that serve."""
        if stopped := self._runner.parking.stopped():
            raise CannotRebuild(f"It stops before the end: {stopped[0].why.en}. What serves goes on.")
        parked = {(each.projection, each.uscc) for each in self._parking.parked()}
        standing = {each.projection for each in self._parking.stopped()}
        worse = [
            each
            for each in self._runner.parking.parked()
            if (each.projection, each.uscc) not in parked and each.projection not in standing
        ]
        if worse:
            raise CannotRebuild(
                f"{len(worse)} enterprises that are answered for now would be parked, the first since {worse[0].why.en}. "
                "What serves goes on."
            )

    def swap(self) -> None:
        """Puts the new tables in the place of the live ones, both having reached one position."""
        for last in (*[False] * (SWAPS - 1), True):
            try:
                with self._owner.transaction():
                    self._owner.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(f"{SWAP_SECONDS}s"))
                    self._level()
                    # What came since it was looked at may have parked another one.
                    self.require_no_worse()
                    self._exchange()
                return
            except psycopg.errors.LockNotAvailable:
                if last:
                    raise CannotRebuild(
                        f"The tables were read without a pause for {SWAPS} times {SWAP_SECONDS} seconds; what serves goes "
                        "on. Rebuild again when no backup or long question is under way."
                    ) from None

    def _exchange(self) -> None:
        names = {"live": sql.Identifier(self._schema), "new": sql.Identifier(self._beside)}
        for table, _ in self._tables:
            for statement in ("DROP TABLE {live}.{table}", "ALTER TABLE {new}.{table} SET SCHEMA {live}"):
                self._owner.execute(sql.SQL(statement).format(table=sql.Identifier(table), **names))
        self._owner.execute(
            sql.SQL("DELETE FROM {live}.parked WHERE projection = ANY(%s)").format(**names), [self._names]
        )
        self._owner.execute(sql.SQL("INSERT INTO {live}.parked SELECT * FROM {new}.parked").format(**names))
        self._owner.execute(
            sql.SQL(
                "UPDATE {live}.projections AS live SET position = new.position, moved_at = new.moved_at, version = new.version,"
                " stopped_at = NULL, event_type = NULL, fault = NULL FROM {new}.projections AS new WHERE live.name = new.name"
            ).format(**names)
        )

    def _level(self) -> int:
        """Brings the new ones to where the live ones are, which stand still until the transaction ends."""
        live = sql.SQL("SELECT name FROM {} WHERE name = ANY(%s) ORDER BY name FOR UPDATE")
        self._owner.execute(live.format(sql.Identifier(self._schema, "projections")), [self._names])
        return self._runner.catch_up(self._live())

    def _live(self) -> int:
        """Where the live ones are; those that were stopped are to be brought to the head."""
        statement = sql.SQL(
            "SELECT coalesce(max(position) FILTER (WHERE stopped_at IS NULL), (SELECT position FROM {})) FROM {}"
            " WHERE name = ANY(%s)"
        ).format(sql.Identifier(self._schema, "head"), sql.Identifier(self._schema, "projections"))
        row = self._owner.execute(statement, [self._names]).fetchone()
        return int(row[0]) if row else 0


def _require_known(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in TABLES]:
        raise CannotRebuild(f"There is no projection {unknown[0]}; there are {', '.join(TABLES)}.")


@contextmanager
def _as_owner(pool: Pool) -> Iterator[Database]:
    """A connection that acts as who owns the tables."""
    with closing(connect(pool)) as owner:
        owner.execute("SET ROLE NONE")
        owner.execute("SET client_min_messages = warning")
        yield owner


@contextmanager
def _side_schema(owner: Database, schema: str, names: Sequence[str]) -> Iterator[str]:
    """A fresh schema with empty tables like the live ones, gone when the block is left."""
    if _one(owner, f"SELECT pg_try_advisory_lock({_LOCK})", [schema]) is not True:
        raise UnderWay("Another rebuild of this ledger is under way; wait until it is done.")
    beside = f"{schema}_rebuild"
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(beside))
    owner.execute(drop)
    with owner.transaction():
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(beside)))
        owner.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(beside), sql.Identifier(RUNTIME_ROLE))
        )
        for table in ("projections", "parked", *(table for name in names for table in TABLES[name])):
            copy_table(owner, schema, beside, table)
    try:
        yield beside
    finally:
        if not owner.closed:
            owner.execute(drop)


def _columns(looking: Database, schema: str, table: str) -> list[str]:
    """The columns of a table but those that the database numbers."""
    rows = looking.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attidentity = '' ORDER BY attnum",
        [sql.Identifier(schema, table).as_string(looking)],
    )
    return [name for (name,) in rows]


def _head(owner: Database) -> int:
    return int(str(_one(owner, "SELECT position FROM head")))


def _one(owner: Database, statement: str, parameters: Sequence[object] = ()) -> object:
    row = owner.execute(statement.encode(), parameters).fetchone()
    return row[0] if row else None


# A row that both have as often cancels itself out; only of what is left it is looked up whose it is.
_DIFFERING: Final = """
WITH differing AS MATERIALIZED (
    SELECT {named}, sum(side) AS side
    FROM (SELECT {named}, 1 AS side FROM {live}.{table} UNION ALL SELECT {named}, -1 FROM {new}.{table}) AS both_sides
    GROUP BY {named} HAVING sum(side) <> 0
)
SELECT {of_live} FROM differing AS row WHERE side > 0 UNION SELECT {of_new} FROM differing AS row WHERE side < 0
"""
