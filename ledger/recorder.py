"""The event store on PostgreSQL: tagged events, append conditions, positions without gaps.

Appends go through the process's sequencer (``ledger.sequencer``), which commits what waits as one group.

The tables are those of ``ledger.migrations.LEDGER_MIGRATIONS``; pools come from ``ledger.migrations.open_pool``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from threading import Event

import psycopg
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBQueryItem,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
)
from eventsourcing.dcb.persistence import DCBListenNotifySubscription
from eventsourcing.persistence import ProgrammingError
from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

from ledger.append_statements import array
from ledger.appending import Tree
from ledger.appends import AlreadyAppended, Append, Appended, Clock, Once, Seal
from ledger.migrations import Pool
from ledger.notices import connect, listen
from ledger.observed import UNOBSERVED, Observer
from ledger.rows import Integers, Texts
from ledger.sequencer import Pending, Sequencer

PAGE = 1_000
"""Events read by one statement."""

POLL_SECONDS = 1.0
"""Longest time after which a subscription sees an event of which it was not told."""

STOP_SECONDS = 0.2
"""Longest time after which a waiting subscription sees that it was stopped."""

_END = 2**63 - 1


class PostgresRecorder(DCBRecorder):
    """The ``DCBRecorder`` on PostgreSQL. Safe for many threads and many processes at once.

    ``seal`` (default: the event's data as they are) is called once for each event while the append has its turn, so it
    must be quick. ``clock`` (default: the system's) gives the present instant with its time zone; all events of an
    append get the same instant, and none an earlier one than the event before it. ``observer`` is told of appends.

    Besides what the methods name, all of them raise psycopg.Error when the database fails or is away. After such an
    error from ``append`` it is unknown whether it was kept: ask again under the same ``Once``, do not repeat it blind.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        seal: Seal | None = None,
        clock: Clock | None = None,
        tree: Tree | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self.pool = pool
        self._sequencer = Sequencer(pool, seal or _unsealed, clock or _now, tree, observer)

    def append(
        self,
        events: Sequence[DCBEvent],
        condition: DCBAppendCondition | None = None,
        *,
        once: Once | None = None,
    ) -> int:
        """Append the events, all or none, and return the position of the last.

        Raises IntegrityError (of eventsourcing.persistence) when an event after ``condition.after`` matches the
        condition's query, AlreadyAppended when ``once`` is kept already, which is looked at first, and
        ProgrammingError when there is no event.
        """
        return self.append_with_receipts(Append(events, condition, once)).last

    def append_with_receipts(self, append: Append) -> Appended:
        """Append as ``append`` does, and return the positions with what proves the entries, without reading back.

        Raises psycopg.errors.RestrictViolation besides, when the subject that it destroys is under a legal hold.
        """
        _require_events(append)
        return self._sequencer.append(append)

    def submit(self, append: Append) -> Pending:
        """Begin to append, and return what waits for it: its ``result()`` is what ``append_with_receipts`` returns.

        Many appends can so be under way from one thread. Raises Overloaded (of ledger.sequencer) when too many are.
        """
        _require_events(append)
        return self._sequencer.submit(append)

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> DCBReadResponse:
        """Return the matching events after a position in their order, read from the database 1,000 at a time.

        Without a limit the response is that of one moment: its ``head`` is the last position of all events at the
        call (None in an empty store), and it ends there. With a limit ``head`` is the position of the last event
        fetched so far, None if there is none. An item with several tags or with types is looked up by its first tag,
        so name the rarest first.
        """
        return _Response(_Reader(self.pool, query or DCBQuery()), after or 0, limit)

    def read_streams(self, wanted: Mapping[str, int], upto: int | None = None) -> tuple[int, list[DCBSequencedEvent]]:
        """Return the head and, each once and in order, all events that bear one of the tags after that tag's position.

        ``wanted`` maps tags to positions. Head and events are of the same moment: no event of these tags at or before
        the head is missing. ``upto`` leaves out later events; the head stays that of the moment.
        """
        tags, afters = Texts.packed(wanted), Integers.packed(wanted.values())
        parameters = {"tags": tags, "afters": afters, "upto": _END if upto is None else upto}
        with self.pool.connection() as conn:
            return _head_and_events(conn.execute(_STREAMS, parameters, binary=True))

    def read_data(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return positions and data of up to so many events after a position, by one statement.

        For who goes through the whole log: tags and types are a good part of what ``read`` costs.
        """
        with self.pool.connection() as conn:
            return conn.execute(_DATA, {"after": after, "limit": limit}, binary=True).fetchall()

    def read_positions(self, positions: Sequence[int]) -> list[DCBSequencedEvent]:
        """Return the events at the given positions, in order; positions without an event are left out."""
        with self.pool.connection() as conn:
            rows = conn.execute(_POSITIONS, {"positions": list(positions)}, binary=True).fetchall()
        return [_sequenced(*row) for row in rows]

    def appended(self, holder: str, key: str) -> AlreadyAppended | None:
        """Return what ``append`` with a ``Once`` of this holder and key would raise, None if it is not kept."""
        with self.pool.connection() as conn:
            row = conn.execute(_KEPT, {"holder": holder, "key": key}).fetchone()
        return AlreadyAppended(*row) if row else None

    def subscribe(self, query: DCBQuery | None = None, *, after: int | None = None) -> PostgresSubscription:
        """Return the matching events after a position and those yet to come; use it as a context manager."""
        return PostgresSubscription(self, query=query, after=after)

    def head(self) -> int:
        """Return the last position, 0 in an empty store."""
        with self.pool.connection() as conn:
            return _head(conn)


class PostgresSubscription(DCBListenNotifySubscription[PostgresRecorder]):
    """Follows the events of a recorder, through restarts of the database as well.

    It listens on a connection of its own, and asks every second whether it was told or not.
    """

    def __init__(self, recorder: PostgresRecorder, query: DCBQuery | None = None, after: int | None = None) -> None:
        self._stopped = Event()
        super().__init__(recorder=recorder, query=query, after=after)

    def stop(self) -> None:
        """End the subscription; whoever waits for its next event gets StopIteration."""
        self._stopped.set()
        super().stop()

    def _loop_on_pull(self) -> None:
        try:
            while not self._has_been_stopped:
                try:
                    self._follow()
                except psycopg.OperationalError:
                    if self._recorder.pool.closed:
                        raise
                    self._stopped.wait(POLL_SECONDS)
        except BaseException as error:
            # It belongs to whoever iterates, who gets it from the next call.
            self._thread_error = error
            self.stop()

    def _follow(self) -> None:
        with closing(connect(self._recorder.pool)) as conn:
            listen(conn)
            while not self._has_been_stopped:
                self._pull()
                self._wait(conn)

    def _wait(self, conn: Connection[TupleRow]) -> None:
        for _ in range(round(POLL_SECONDS / STOP_SECONDS)):
            if self._has_been_stopped or list(conn.notifies(timeout=STOP_SECONDS, stop_after=1)):
                return


class _Reader:
    """Reads the pages of one query."""

    def __init__(self, pool: Pool, query: DCBQuery) -> None:
        self._pool = pool
        self._matching = _Matching(query)
        self._statement = _PAGE_STATEMENT.format(page=self._matching.page())

    def page(self, after: int, upto: int, limit: int) -> tuple[int, list[DCBSequencedEvent]]:
        """The head, and the first ``limit`` matching events with ``after`` < position ≤ ``upto``, of one moment."""
        parameters = {**self._matching.parameters, "after": after, "upto": upto, "limit": limit}
        with self._pool.connection() as conn:
            return _head_and_events(conn.execute(self._statement, parameters, binary=True))


class _Response(DCBReadResponse):
    def __init__(self, reader: _Reader, after: int, limit: int | None) -> None:
        self._reader = reader
        self._last = after
        self._left = limit
        self._upto = _END
        self._head: int | None = None
        self._page: Iterator[DCBSequencedEvent] = iter(())
        self._ended = False
        self._fetch()

    @property
    def head(self) -> int | None:
        return self._head

    def __next__(self) -> DCBSequencedEvent:
        event = next(self._page, None)
        if event is None and not self._ended:
            self._fetch()
            event = next(self._page, None)
        if event is None:
            raise StopIteration
        return event

    def _fetch(self) -> None:
        size = PAGE if self._left is None else min(PAGE, self._left)
        if size <= 0:
            self._ended = True
            return
        head, events = self._reader.page(self._last, self._upto, size)
        if self._left is None:
            self._upto = min(self._upto, head)
            self._head = self._upto or None
        else:
            self._left -= len(events)
            self._head = events[-1].position if events else self._head
        self._ended = len(events) < size
        self._last = events[-1].position if events else self._last
        self._page = iter(events)


class _Matching:
    """The SQL that finds the positions of the events that match a query.

    Every item becomes a look-up of its own in an index, of the rows after a position only: LATERAL with a LIMIT is a
    nested loop whatever the planner believes of the tables' sizes, so the cost is that of the items and the rows
    found, and never that of the ledger.
    """

    def __init__(self, query: DCBQuery) -> None:
        items = query.items
        self._everything = not items or any(not item.types and not item.tags for item in items)
        tagged = [item for item in items if item.tags]
        plain = [item for item in tagged if len(set(item.tags)) == 1 and not item.types]
        narrow = [item for item in tagged if len(set(item.tags)) > 1 or item.types]
        self.parameters: dict[str, object] = {}
        self._parts: list[sql.SQL] = []
        if self._everything:
            return
        if plain:
            self._parts.append(_BY_TAG)
            self.parameters["tags"] = list({item.tags[0] for item in plain})
        if narrow:
            self._parts.append(_BY_TAG_NARROWED)
            self.parameters.update(_narrowed(narrow))
        if only_types := {type_ for item in items if not item.tags for type_ in item.types}:
            self._parts.append(_BY_TYPE)
            self.parameters["types"] = list(only_types)

    def page(self) -> sql.Composable:
        """A query of the events themselves, in order."""
        return _ALL if self._everything else _FOUND.format(hits=sql.SQL(" UNION ALL ").join(self._parts))


def _narrowed(items: Sequence[DCBQueryItem]) -> dict[str, object]:
    return {
        "leading": [item.tags[0] for item in items],
        "all_tags": [array(item.tags) for item in items],
        "any_types": [array(item.types) for item in items],
    }


def _head_and_events(cursor: Cursor[TupleRow]) -> tuple[int, list[DCBSequencedEvent]]:
    rows = cursor.fetchall()
    return rows[0][0], [_sequenced(*event) for _, *event in rows if event[0] is not None]


def _sequenced(position: int, type_: str, tags: list[str], data: bytes) -> DCBSequencedEvent:
    return DCBSequencedEvent(DCBEvent(type_, data, tags), position)


def _head(conn: Connection[TupleRow]) -> int:
    position: int = _one(conn.execute("SELECT position FROM head"))[0]
    return position


def _one(cursor: Cursor[TupleRow]) -> TupleRow:
    row = cursor.fetchone()
    if row is None:
        raise ProgrammingError("the table head has no row: the schema is not as its migrations left it")
    return row


def _require_events(append: Append) -> None:
    if not append.events:
        raise ProgrammingError("append needs at least one event, got none")


def _unsealed(event: DCBEvent, position: int, recorded_at: datetime) -> bytes:
    return event.data


def _now() -> datetime:
    return datetime.now(UTC)


_KEPT = """
SELECT first_position, last_position, input_sha256 FROM idempotency WHERE holder = %(holder)s AND key = %(key)s
"""

_BY_TAG = sql.SQL("""
SELECT hit.position FROM unnest(%(tags)b::text[]) AS wanted (tag)
CROSS JOIN LATERAL (
    SELECT tags.position FROM tags
    WHERE tags.tag = wanted.tag AND tags.position > %(after)s AND tags.position <= %(upto)s
    ORDER BY tags.position LIMIT %(limit)s
) AS hit
""")

_BY_TAG_NARROWED = sql.SQL("""
SELECT hit.position
FROM unnest(%(leading)b::text[], %(all_tags)b::text[], %(any_types)b::text[]) AS wanted (tag, all_tags, any_types)
CROSS JOIN LATERAL (
    SELECT tags.position FROM tags
    CROSS JOIN LATERAL (
        SELECT events.type, events.tags FROM events WHERE events.position = tags.position LIMIT 1
    ) AS event
    WHERE tags.tag = wanted.tag AND tags.position > %(after)s AND tags.position <= %(upto)s
      AND event.tags @> wanted.all_tags::text[]
      AND (wanted.any_types = '{}' OR event.type = ANY (wanted.any_types::text[]))
    ORDER BY tags.position LIMIT %(limit)s
) AS hit
""")

_BY_TYPE = sql.SQL("""
SELECT hit.position FROM unnest(%(types)b::text[]) AS wanted (type)
CROSS JOIN LATERAL (
    SELECT events.position FROM events
    WHERE events.type = wanted.type AND events.position > %(after)s AND events.position <= %(upto)s
    ORDER BY events.position LIMIT %(limit)s
) AS hit
""")

_ALL = sql.SQL("""
SELECT position, type, tags, data FROM events
WHERE position > %(after)s AND position <= %(upto)s ORDER BY position LIMIT %(limit)s
""")

_DATA = "SELECT position, data FROM events WHERE position > %(after)s ORDER BY position LIMIT %(limit)s"

_FOUND = sql.SQL("""
SELECT found.position, event.type, event.tags, event.data
FROM (SELECT DISTINCT position FROM ({hits}) AS hit ORDER BY position LIMIT %(limit)s) AS found
CROSS JOIN LATERAL (
    SELECT type, tags, data FROM events WHERE events.position = found.position LIMIT 1
) AS event
ORDER BY found.position
""")

# Head and events by one statement, hence of one snapshot.
_PAGE_STATEMENT = sql.SQL("""
SELECT head.position, event.position, event.type, event.tags, event.data
FROM head LEFT JOIN LATERAL ({page}) AS event ON true
ORDER BY event.position
""")

_POSITIONS = """
SELECT event.position, event.type, event.tags, event.data
FROM (SELECT DISTINCT position FROM unnest(%(positions)b::bigint[]) AS wanted (position)) AS wanted
CROSS JOIN LATERAL (
    SELECT position, type, tags, data FROM events WHERE events.position = wanted.position LIMIT 1
) AS event
ORDER BY event.position
"""

_STREAMS = """
SELECT head.position, found.position, event.type, event.tags, event.data
FROM head
LEFT JOIN LATERAL (
    SELECT DISTINCT hit.position
    FROM unnest(%(tags)b::text[], %(afters)b::bigint[]) AS wanted (tag, after)
    CROSS JOIN LATERAL (
        SELECT tags.position FROM tags
        WHERE tags.tag = wanted.tag AND tags.position > wanted.after AND tags.position <= %(upto)s
        OFFSET 0
    ) AS hit
) AS found ON true
LEFT JOIN LATERAL (
    SELECT type, tags, data FROM events WHERE events.position = found.position LIMIT 1
) AS event ON true
ORDER BY found.position
"""
