"""What an import needs beside the ledger: which lines are in, and a rehearsal that records nothing.

A line is in if the batch that it was sent with is: rows name each line's batch before the batch is recorded under an
idempotency key, and that key is kept in the transaction of its events. So a line is in with its events or not at all,
whenever the program or the machine stops.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from eventsourcing.dcb.api import DCBEvent, DCBSequencedEvent

from domain.callers import Caller, Role
from ledger.appends import AlreadyAppended, Append, Appended
from ledger.entry import seal
from ledger.migrations import Migration, Pool
from ledger.recorder import PostgresRecorder
from ledger.rows import Bytes, Integers

_SQL: Final = Path(__file__).parent / "sql"
IMPORT_MIGRATIONS: Final = (
    Migration("imports_0001", (_SQL / "imported_lines.sql",)),
    Migration("imports_0002", (_SQL / "imported_lines_place.sql",)),
)

IMPORTER: Final = Caller(role=Role.REGULATOR, holder="import")
"""Who records what is imported. No key has this id: those have eight characters."""


class ImportedLines:
    """The lines that are in, by 32 bytes that name their content. Raises psycopg.Error when the database is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def known(self, lines: Sequence[bytes]) -> set[bytes]:
        """Those of the lines that are in."""
        with self._pool.connection() as conn:
            rows = conn.execute(
                _KNOWN, {"lines": Bytes.packed(lines), "holder": IMPORTER.holder}, binary=True
            ).fetchall()
        return {line for (line,) in rows}

    def positions(self, lines: Collection[bytes]) -> dict[bytes, int]:
        """Where the first event of each of the lines is that are in, as far as it is kept."""
        with self._pool.connection() as conn:
            rows = conn.execute(
                _POSITIONS, {"lines": Bytes.packed(list(lines)), "holder": IMPORTER.holder}, binary=True
            ).fetchall()
        return dict(rows)

    def name_batch(self, lines: Mapping[bytes, int], batch: str) -> None:
        """Says under which idempotency key lines that are not in are about to be recorded, and which fact is each's first."""
        with self._pool.connection() as conn, conn.pipeline(), conn.transaction():
            # The append that follows flushes the log to the disk, this before it; so there is no need to wait here.
            conn.execute("SET LOCAL synchronous_commit = off")
            conn.execute(
                _NAME_BATCH,
                {"lines": Bytes.packed(list(lines)), "places": Integers.packed(lines.values()), "batch": batch},
            )

    @contextmanager
    def alone(self, waits: Callable[[], None]) -> Iterator[None]:
        """Holds off every other import of this ledger, and calls `waits` if it has to wait for one itself.

        Two imports of one line at once would both find that it is not in.
        """
        with self._pool.connection() as conn:
            row = conn.execute(f"SELECT pg_try_advisory_lock({_LOCK})").fetchone()
            if row is None or not row[0]:
                waits()
                conn.execute(f"SELECT pg_advisory_lock({_LOCK})")
            try:
                yield
            finally:
                conn.execute(f"SELECT pg_advisory_unlock({_LOCK})")


class Rehearsal(PostgresRecorder):
    """Reads the ledger as it was at the beginning and keeps what is appended in memory: about 2 KiB an event.

    A `Ledger` on it weighs facts each knowing those before it, and records nothing. For one thread.
    """

    def __init__(self, pool: Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(pool)
        self._begin = super().head()
        self._instant = clock
        self._events: list[DCBSequencedEvent] = []
        self._by_tag: defaultdict[str, list[DCBSequencedEvent]] = defaultdict(list)
        self.firsts: dict[str, int] = {}
        """The first position of what was appended under an idempotency key."""

    def append_with_receipts(self, append: Append) -> Appended:
        """Takes the events at the positions that they would get; nobody else appends, so no condition fails."""
        first = self.head() + 1
        if append.once:
            self.firsts[append.once.key] = first
        for position, event in enumerate(append.events, first):
            sealed = DCBEvent(event.type, seal(event, position, self._instant()), event.tags)
            self._events.append(DCBSequencedEvent(sealed, position))
            for tag in event.tags:
                self._by_tag[tag].append(self._events[-1])
        return Appended(first, self.head(), None)

    def appended(self, holder: str, key: str) -> AlreadyAppended | None:
        """None: a rehearsal asks for nothing twice."""
        return None

    def head(self) -> int:
        return self._begin + len(self._events)

    def read_streams(self, wanted: Mapping[str, int], upto: int | None = None) -> tuple[int, list[DCBSequencedEvent]]:
        last = self.head() if upto is None else upto
        _, found = super().read_streams(wanted, min(self._begin, last))
        fresh = {
            each.position: each
            for tag, after in wanted.items()
            for each in self._by_tag.get(tag, ())
            if after < each.position <= last
        }
        return self.head(), [*found, *(fresh[position] for position in sorted(fresh))]

    def read_positions(self, positions: Sequence[int]) -> list[DCBSequencedEvent]:
        kept = super().read_positions([position for position in positions if position <= self._begin])
        fresh = sorted({position for position in positions if self._begin < position <= self.head()})
        return [*kept, *(self._events[position - self._begin - 1] for position in fresh)]


class RehearsedLines(ImportedLines):
    """The lines that are in, for a rehearsal: it keeps those of its own in memory, and waits for nobody."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__(rehearsal.pool)
        self._rehearsal = rehearsal
        self._named: dict[bytes, tuple[str, int]] = {}

    def known(self, lines: Sequence[bytes]) -> set[bytes]:
        return super().known(lines) | self._rehearsed(lines).keys()

    def positions(self, lines: Collection[bytes]) -> dict[bytes, int]:
        return super().positions(lines) | self._rehearsed(lines)

    def name_batch(self, lines: Mapping[bytes, int], batch: str) -> None:
        self._named |= {line: (batch, place) for line, place in lines.items()}

    def _rehearsed(self, lines: Collection[bytes]) -> dict[bytes, int]:
        named = {line: self._named[line] for line in lines if line in self._named}
        firsts = self._rehearsal.firsts
        return {line: firsts[batch] + place for line, (batch, place) in named.items() if batch in firsts}

    @contextmanager
    def alone(self, waits: Callable[[], None]) -> Iterator[None]:
        yield


_LOCK: Final = "hashtextextended('caseledger import ' || current_schema(), 0)"

_KNOWN: Final = """
SELECT imported.line FROM unnest(%(lines)b::bytea[]) AS wanted (line)
JOIN imported_lines AS imported ON imported.line = wanted.line
JOIN idempotency ON idempotency.holder = %(holder)s AND idempotency.key = imported.batch
"""

_POSITIONS: Final = """
SELECT imported.line, idempotency.first_position + imported.place
FROM unnest(%(lines)b::bytea[]) AS wanted (line)
JOIN imported_lines AS imported ON imported.line = wanted.line
JOIN idempotency ON idempotency.holder = %(holder)s AND idempotency.key = imported.batch
WHERE imported.place IS NOT NULL
"""

_NAME_BATCH: Final = """
INSERT INTO imported_lines (line, batch, place)
SELECT line, %(batch)s, place FROM unnest(%(lines)b::bytea[], %(places)b::bigint[]) AS new (line, place)
ON CONFLICT (line) DO UPDATE SET batch = excluded.batch, place = excluded.place
"""
