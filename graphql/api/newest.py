"""What is newest: the head, and which subjects got events since a position, looked up once for all who wait.

A look that began after a request came knows everything that was acknowledged before it, by whichever process. So one
statement serves every request that waits when it begins, and requests that come while it runs wait for the next one.
It runs on the event loop over a connection of its own: no thread changes hands.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from time import monotonic
from typing import Final

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult
from starlette.concurrency import run_in_threadpool

from ledger.migrations import Pool

MOST_SUBJECTS: Final = 100_000
"""Subjects whose last event is remembered."""
MOST_NEWS: Final = 2_000
"""Tags of new events that are read at a time; after more of them nothing older is vouched for."""
LOOK_SECONDS: Final = 5.0
"""Longest time for a look; then the connection is given up."""
RETRY_SECONDS: Final = 1.0
"""How long no connection is tried after one failed."""

_NEWS: Final = b"""
SELECT head.position, news.position, news.tag FROM head LEFT JOIN LATERAL (
    SELECT events.position, tagged.tag FROM events CROSS JOIN LATERAL unnest(events.tags) AS tagged (tag)
    WHERE events.position > $1::bigint AND events.position <= head.position
    ORDER BY events.position LIMIT $2::int
) AS news ON true
"""
_END: Final = 2**63 - 1


def subject_of(tag: str) -> str:
    """What a tag is about: its first two parts, so that the days of an enterprise's complaints are one subject."""
    return ":".join(tag.split(":", 2)[:2])


class News:
    """The last position at which each subject got an event, as far back as it is remembered."""

    def __init__(self) -> None:
        self.head = -1
        """The newest position known; -1 before the first look."""
        self._complete_after = 0
        self._touched: OrderedDict[str, int] = OrderedDict()

    def take(self, head: int, touched: Iterable[tuple[int, str]]) -> None:
        """Takes in the head, and what got events after the last head, as (position, tag)."""
        for position, tag in touched:
            subject = subject_of(tag)
            self._touched[subject] = max(position, self._touched.get(subject, 0))
            self._touched.move_to_end(subject)
        while len(self._touched) > MOST_SUBJECTS:
            _, position = self._touched.popitem(last=False)
            self._complete_after = max(self._complete_after, position)
        self.head = head

    def start_at(self, head: int) -> None:
        """Forgets all, and vouches from a head on."""
        self._touched.clear()
        self._complete_after = self.head = head

    def still_holds(self, subjects: Iterable[str], known: int) -> bool:
        """Whether what was said of these subjects at a position is true at the head as well."""
        if known >= self.head:
            return True
        return known >= self._complete_after and all(self._touched.get(each, 0) <= known for each in subjects)


class Newest:
    """Looks at the newest. For one event loop, the one that first calls `look`."""

    def __init__(self, pool: Pool) -> None:
        assert isinstance(pool.conninfo, str), "open_pool gives a text"
        self.news = News()
        self._conninfo = pool.conninfo.encode()
        self._line: PGconn | None = None
        self._socket = -1
        self._answers: list[PGresult] = []
        self._asking: list[asyncio.Future[bool]] = []
        self._waiting: list[asyncio.Future[bool]] = []
        self._busy = False
        self._limit: asyncio.TimerHandle | None = None
        self._failed_at = -RETRY_SECONDS
        self._connecting: asyncio.Task[None] | None = None

    async def look(self) -> bool:
        """Returns when `news` knows all that was acknowledged before the call; False when the database is away."""
        asked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(asked)
        if not self._busy:
            self._begin()
        return await asked

    def _begin(self) -> None:
        if self._line is None:
            self._connect()
            return
        self._busy = True
        self._asking, self._waiting = self._waiting, []
        after = _END if self.news.head < 0 else self.news.head
        self._limit = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._give_up)
        try:
            self._line.send_query_prepared(b"news", [str(after).encode(), str(MOST_NEWS + 1).encode()])
            self._line.flush()
        except psycopg.Error:
            self._give_up()

    def _connect(self) -> None:
        if monotonic() < self._failed_at + RETRY_SECONDS:
            self._tell(False)
            return
        self._busy = True
        self._connecting = asyncio.get_running_loop().create_task(self._connected())

    async def _connected(self) -> None:
        try:
            line = await run_in_threadpool(_open, self._conninfo)
        except psycopg.Error:
            self._give_up()
            return
        self._line, self._socket, self._busy = line, line.socket, False
        asyncio.get_running_loop().add_reader(self._socket, self._readable)
        self._begin()

    def _readable(self) -> None:
        line = self._line
        assert line is not None
        try:
            line.consume_input()
            while not line.is_busy():
                answer = line.get_result()
                if answer is None:
                    break
                self._answers.append(answer)
            else:
                return
            if self._busy:
                self._take(self._answers.pop())
        except (psycopg.Error, IndexError):
            self._give_up()

    def _take(self, answer: PGresult) -> None:
        if answer.status != pq.ExecStatus.TUPLES_OK or self._answers:
            raise psycopg.OperationalError("the newest events could not be read")
        head = int(answer.get_value(0, 0) or b"0")
        rows = range(answer.ntuples if answer.get_value(0, 1) is not None else 0)
        if not 0 <= self.news.head <= head or len(rows) > MOST_NEWS:
            self.news.start_at(head)
        else:
            self.news.take(head, [_touch(answer, row) for row in rows])
        if self._limit:
            self._limit.cancel()
        self._busy = False
        self._tell(True)
        if self._waiting:
            self._begin()

    def _tell(self, known: bool) -> None:
        """Says to those who asked how it went; without knowledge those who wait are told as well."""
        told, self._asking = self._asking, []
        if not known:
            told, self._waiting = told + self._waiting, []
        for asked in told:
            if not asked.done():
                asked.set_result(known)

    def _give_up(self) -> None:
        if self._limit:
            self._limit.cancel()
        if self._line is not None:
            # Its own socket is no longer told by a connection that was lost.
            asyncio.get_running_loop().remove_reader(self._socket)
            self._line.finish()
        self._line, self._busy, self._answers = None, False, []
        self._failed_at = monotonic()
        self._tell(False)


def _touch(answer: PGresult, row: int) -> tuple[int, str]:
    return int(answer.get_value(row, 1) or b"0"), (answer.get_value(row, 2) or b"").decode()


def _open(conninfo: bytes) -> PGconn:
    """A connection that does not block, with the statement prepared. Raises OperationalError."""
    line = pq.PGconn.connect(conninfo)
    if line.status != pq.ConnStatus.OK or line.prepare(b"news", _NEWS).status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError("the newest events cannot be asked for")
    line.nonblocking = 1
    return line
