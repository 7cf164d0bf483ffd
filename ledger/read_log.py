"""The read log: who was shown which enterprise's history or personal fields, when and by what.

Reads are noted before they are answered and written beside the requests, a fifth of a second later. The buffer is bounded:
a read that finds it full, because the database does not take what waits, waits half a second for room and is then not
answered, since what is not logged is not shown. A process that is killed loses what it had not written; one that is told
to stop writes it.
"""

from collections import deque
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from threading import Condition, Lock
from typing import Final, NamedTuple
from uuid import UUID

from psycopg.rows import TupleRow

from domain.identifiers import SHANGHAI
from ledger.migrations import Migration, Pool
from ledger.rows import columns

_SQL: Final = Path(__file__).parent / "sql"
READ_LOG_MIGRATIONS: Final = (Migration("read_log_0001", (_SQL / "read_log.sql", _SQL / "read_log_append_only.sql")),)

MOST_WAITING: Final = 50_000
"""Reads that wait to be written; about 20 MB."""
MOST_AT_ONCE: Final = 5_000
WAIT_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 0.2


class ReadLogFull(Exception):
    """A read could not be noted, so it may not be answered."""


class Read(NamedTuple):
    """One read. `reader` is the caller's signature, `field` what was shown as “Type.field” or a path.

    `operation` is the name that the client gave its operation; `every` marks a feed of all enterprises.
    """

    id: UUID
    read_at: datetime
    role: str
    reader: str
    field: str
    operation: str | None
    uscc: str | None
    every: bool


class ReadKey(NamedTuple):
    """The place of a read in the log's order."""

    read_at: datetime
    id: UUID


class ReadFilter(NamedTuple):
    """Reads of an enterprise, feeds of all included, on legal dates from `begins` to `ends`; None for no limit."""

    uscc: str | None = None
    begins: date | None = None
    ends: date | None = None


class ReadLog:
    """The read log of one ledger. Safe for many threads."""

    def __init__(self, pool: Pool, most: int = MOST_WAITING) -> None:
        self._pool = pool
        self._most = most
        self._waiting: deque[Read] = deque()
        self._room = Condition()
        self._writing = Lock()

    def note(self, reads: Sequence[Read], seconds: float = WAIT_SECONDS) -> None:
        """Takes reads in. Raises ReadLogFull when there is no room for them within so many seconds."""
        with self._room:
            if not self._room.wait_for(lambda: len(self._waiting) + len(reads) <= self._most, seconds):
                raise ReadLogFull
            self._waiting.extend(reads)

    def flush(self) -> None:
        """Writes what waits. For the background; raises psycopg.Error and keeps it where that fails."""
        with self._writing:
            while batch := self._next():
                with self._pool.connection() as conn:
                    # A batch whose outcome stayed unknown is written again, and its ids keep it single.
                    conn.execute(_INSERT, columns(batch))
                with self._room:
                    for _ in batch:
                        self._waiting.popleft()
                    self._room.notify_all()

    def _next(self) -> list[Read]:
        with self._room:
            return list(islice(self._waiting, MOST_AT_ONCE))

    def found(self, asked: ReadFilter, limit: int, before: ReadKey | None) -> list[Read]:
        """Reads newest first, at most `limit` of them before a place."""
        place = {"before_at": before.read_at if before else None, "before_id": before.id if before else None}
        return [Read(*row) for row in self._rows(_FOUND, {**_asked(asked), **place, "limit": limit})]

    def count(self, asked: ReadFilter) -> int:
        ((count,),) = self._rows(_COUNT, _asked(asked))
        return int(count)

    def _rows(self, statement: str, parameters: dict[str, object]) -> list[TupleRow]:
        with self._pool.connection() as conn:
            return conn.execute(statement.encode(), parameters).fetchall()


def _asked(asked: ReadFilter) -> dict[str, object]:
    # The last day that there is has none after it, and nothing is later.
    after = asked.ends + timedelta(days=1) if asked.ends and asked.ends < date.max else None
    return {"uscc": asked.uscc, "begins": _midnight(asked.begins), "after": _midnight(after)}


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), SHANGHAI) if day else None


_INSERT: Final = """
INSERT INTO read_log (id, read_at, role, reader, field, operation, uscc, "every")
SELECT * FROM unnest(
    %s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[])
ON CONFLICT DO NOTHING
"""

_FOUND: Final = """
SELECT id, read_at, role, reader, field, operation, uscc, "every" FROM read_log
WHERE (%(uscc)s::text IS NULL OR uscc = %(uscc)s OR "every")
    AND (%(begins)s::timestamptz IS NULL OR read_at >= %(begins)s)
    AND (%(after)s::timestamptz IS NULL OR read_at < %(after)s)
    AND (%(before_at)s::timestamptz IS NULL OR (read_at, id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY read_at DESC, id DESC LIMIT %(limit)s
"""

_COUNT: Final = """
SELECT count(*) FROM read_log
WHERE (%(uscc)s::text IS NULL OR uscc = %(uscc)s OR "every")
    AND (%(begins)s::timestamptz IS NULL OR read_at >= %(begins)s)
    AND (%(after)s::timestamptz IS NULL OR read_at < %(after)s)
"""
