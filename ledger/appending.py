"""One group of appends as one transaction: who may append is decided for all of them under the head lock.

The transaction takes its turn by locking the one-row table `head` and holds it until it has committed, so positions are
given out in commit order and whoever follows `position > n` misses nothing. What its conditions ask is looked up for
the whole group at once; conflicts between its members are found in memory.

A process that appended last knows the head. It writes at once, by one statement that writes nothing unless the head is
still there and every condition holds; else it takes its turn first and looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Protocol, TypeAlias

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQueryItem
from eventsourcing.persistence import IntegrityError, ProgrammingError
from psycopg import Pipeline

from ledger.migrations import Database
from ledger.rows import Bytes, Integers, Texts
from ledger.tree import WRITTEN, Growth, Receipt, written

Seal: TypeAlias = Callable[[DCBEvent, int, datetime], bytes]
"""Forms the bytes that are stored, from the event, its position and its instant (UTC)."""
Clock: TypeAlias = Callable[[], datetime]

PART: Final = 256
"""Events that are written by one statement."""


@dataclass(frozen=True)
class Once:
    """A key under which its holder may append once. `input_sha256` (32 bytes) is of what the holder asked for."""

    holder: str
    key: str
    input_sha256: bytes


class AlreadyAppended(Exception):
    """The holder has appended under this key: the positions are those of then, and nothing was appended now.

    Whether it asked for the same is for the caller to say: `input_sha256` is that of then.
    """

    def __init__(self, first_position: int, last_position: int, input_sha256: bytes) -> None:
        super().__init__(f"appended before at positions {first_position} to {last_position}")
        self.first_position = first_position
        self.last_position = last_position
        self.input_sha256 = input_sha256


@dataclass(frozen=True, eq=False)
class Append:
    """Events that one caller wants appended, all or none."""

    events: Sequence[DCBEvent]
    condition: DCBAppendCondition | None = None
    once: Once | None = None
    destroys: str | None = None
    """The data subject whose key is destroyed in the same transaction (`ledger.sealing`)."""


@dataclass(frozen=True, slots=True)
class Appended:
    """An append that is durable: the positions of its first event and its last."""

    first: int
    last: int
    growth: Growth | None = None
    """What its group brought to the tree; None in a store without one. It holds the whole group's entries: let it go."""

    def receipts(self) -> list[Receipt]:
        """The receipts of its events, in order, under its group's checkpoint; none in a store without a tree.

        They are made now, by whoever asks, from memory alone.
        """
        return self.growth.receipts(self.first, self.last) if self.growth else []


Result: TypeAlias = "Appended | AlreadyAppended | IntegrityError"
"""What came of an append, or why it was refused."""


class Tree(Protocol):
    """What is kept beside the entries in the same transaction (`ledger.tree`)."""

    def grow(self, database: Database, first: int, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        """What the entries bring to it that got the positions from `first` on.

        It is written with them by `ledger.tree.WRITTEN`, and proves nothing before the commit.
        """

    def keep(self) -> None:
        """Says that what it grew by last is committed; without it, it was not."""

    def forget(self) -> None:
        """Says that the ledger may not end where it was kept last, whatever its size."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last position given out, and its instant."""

    position: int
    recorded_at: datetime


Admitted: TypeAlias = "range | AlreadyAppended | IntegrityError"
"""The positions that an append is to get, or why it gets none."""


@dataclass
class _Turn:
    """What a group knows of the head that it appends to, and what becomes of its members."""

    before: Head
    recorded_at: datetime
    position: int
    kept: dict[tuple[str, str], AlreadyAppended] = field(default_factory=dict)
    failing: set[int] = field(default_factory=set)
    accepted: list[tuple[int, Append]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    growth: Growth | None = None


class Appender:
    """Appends groups, one after the other. Of one thread; any number of processes may have theirs."""

    def __init__(self, seal: Seal, clock: Clock, tree: Tree | None) -> None:
        self._seal = seal
        self._clock = clock
        self._tree = tree
        self._head: Head | None = None
        """Where this process left the head; None where another one is known to move it as well."""
        self.may_be_kept = False
        """Whether a group that failed may be durable all the same: it failed no sooner than at its commit."""

    def append(self, database: Database, group: Sequence[Append]) -> list[Result]:
        """Appends what may be appended of a group, in its order, and says for each what came of it.

        Durable once it returns. Raises psycopg.Error when the database fails: then nothing of the group was kept, or,
        where the connection was lost at the commit, it is unknown whether all of it was.
        """
        self.may_be_kept = False
        head, self._head = self._head, None
        results = self._append_at_once(database, group, head) if head and _is_small(group) else None
        return self._append_in_turn(database, group, head) if results is None else results

    def _append_at_once(self, database: Database, group: Sequence[Append], head: Head) -> list[Result] | None:
        """One round trip, or None where nothing was written: the head has moved, or not all may be appended."""
        turn = self._turn(head)
        admitted = _admit(turn, group)
        ((statement, values),) = self._written(database, turn, unless=group)
        self.may_be_kept = True
        written = database.execute(statement, values).rowcount == 1
        self.may_be_kept = False
        return self._appended(turn, admitted) if written else None

    def _append_in_turn(self, database: Database, group: Sequence[Append], head: Head | None) -> list[Result]:
        # Two round trips: what takes the turn and looks, then what writes and commits. Each statement has a snapshot of
        # its own, so those behind the lock see all that was committed before it was had.
        with database.pipeline() as pipeline, database.transaction():
            turn = self._take_turn(database, pipeline, group)
            if self._tree and turn.before != head:
                self._tree.forget()
            admitted = _admit(turn, group)
            for statement, values in self._written(database, turn):
                database.execute(statement, values)
            for subject in [append.destroys for _, append in turn.accepted if append.destroys]:
                database.execute(_DESTROY, [subject])
            self.may_be_kept = True
        self.may_be_kept = False
        results = self._appended(turn, admitted)
        if head and turn.before != head:
            self._head = None
        return results

    def _appended(self, turn: _Turn, admitted: Sequence[Admitted]) -> list[Result]:
        self._head = Head(turn.position, turn.recorded_at if turn.accepted else turn.before.recorded_at)
        if self._tree and turn.accepted:
            self._tree.keep()
        return [
            Appended(each.start, each.stop - 1, turn.growth) if isinstance(each, range) else each for each in admitted
        ]

    def _turn(self, head: Head) -> _Turn:
        recorded_at = max(head.recorded_at.astimezone(UTC), self._clock().astimezone(UTC))
        return _Turn(before=head, recorded_at=recorded_at, position=head.position)

    def _take_turn(self, database: Database, pipeline: Pipeline, group: Sequence[Append]) -> _Turn:
        locked = database.execute(_LOCK_HEAD)
        onces = [append.once for append in group if append.once]
        kept = database.execute(_KEPT, _named(onces)) if onces else None
        asked = _conditions(group)
        failing = database.execute(_failing(frozenset(asked)), _columns(asked), binary=True) if asked else None
        # Not a mere flush: only after a sync does the database count a writer that stands still as idle and end it.
        pipeline.sync()
        row = locked.fetchone()
        if row is None:
            raise ProgrammingError("the table head has no row: the schema is not as its migrations left it")
        turn = self._turn(Head(*row))
        turn.kept = {(holder, key): AlreadyAppended(*rest) for holder, key, *rest in kept.fetchall()} if kept else {}
        turn.failing = {place for (place,) in failing.fetchall()} if failing else set()
        return turn

    def _written(
        self, database: Database, turn: _Turn, unless: Sequence[Append] = ()
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """The statements, with their parameters, that write what was accepted.

        The first writes nothing where the head is elsewhere, or one of `unless` is kept or fails. Many events are written
        in parts, whose others rely on the turn being had: while the database writes one, the next is made ready.
        """
        events = [event for _, append in turn.accepted for event in append.events]
        entries: list[bytes] = []
        for begin in range(0, len(events), PART):
            part = events[begin : begin + PART]
            at = turn.before.position + begin
            new = [self._seal(event, position, turn.recorded_at) for position, event in enumerate(part, at + 1)]
            entries += new
            values: dict[str, Any] = {
                "before": at,
                "recorded_at": turn.recorded_at,
                "types": Texts(event.type for event in part),
                "tags": Texts(array(event.tags) for event in part),
                "data": Bytes(new),
            }
            clauses = [_TURN_IS_HAD if begin else _taking(values, turn, unless), _NEW]
            if begin == 0:
                clauses += _keeping(values, turn)
            if self._tree and len(entries) == len(events):
                turn.growth = self._tree.grow(database, turn.before.position + 1, entries, turn.recorded_at)
                values |= written(turn.growth)
                clauses += WRITTEN
            yield _statement(tuple(clauses)), values


def _taking(values: dict[str, Any], turn: _Turn, unless: Sequence[Append]) -> str:
    """The clause that takes the turn unless something is in the way."""
    asked = _conditions(unless)
    onces = [append.once for append in unless if append.once]
    values |= {"before_at": turn.before.recorded_at, "last": turn.position, **_named(onces), **_columns(asked)}
    return _take_turn(frozenset(asked), bool(onces))


def _keeping(values: dict[str, Any], turn: _Turn) -> list[str]:
    """The clause that keeps the keys under which members append once, if any does."""
    kept = [(append.once, at, at + len(append.events) - 1) for at, append in turn.accepted if append.once]
    if not kept:
        return []
    values |= {
        "new_holders": Texts(once.holder for once, _, _ in kept),
        "new_keys": Texts(once.key for once, _, _ in kept),
        "inputs": Bytes(once.input_sha256 for once, _, _ in kept),
        "firsts": Integers(at for _, at, _ in kept),
        "lasts": Integers(at for _, _, at in kept),
    }
    return [_KEEP]


def _is_small(group: Sequence[Append]) -> bool:
    """Whether one statement writes all of it."""
    return 0 < sum(len(append.events) for append in group) <= PART and not any(append.destroys for append in group)


def _admit(turn: _Turn, group: Sequence[Append]) -> list[Admitted]:
    return [_admit_one(turn, place, append) for place, append in enumerate(group)]


def _admit_one(turn: _Turn, place: int, append: Append) -> Admitted:
    """Gives an append its positions, or says why it gets none."""
    once = append.once
    if once and (earlier := turn.kept.get((once.holder, once.key))):
        return earlier
    if append.condition and (place in turn.failing or _meets(turn, append.condition)):
        return IntegrityError(f"an event after position {append.condition.after or 0} matches the append condition")
    first = turn.position + 1
    turn.accepted.append((first, append))
    turn.tags.update(tag for event in append.events for tag in event.tags)
    turn.position += len(append.events)
    if once:
        turn.kept[once.holder, once.key] = AlreadyAppended(first, turn.position, once.input_sha256)
    return range(first, turn.position + 1)


def _meets(turn: _Turn, condition: DCBAppendCondition) -> bool:
    """Whether the condition matches an event that the same group appends before it."""
    if not turn.accepted or (condition.after or 0) >= turn.position:
        return False
    items = condition.fail_if_events_match.items
    plain = [item for item in items if len(item.tags) == 1 and not item.types]
    if any(item.tags[0] in turn.tags for item in plain) or not items:
        return True
    others = [item for item in items if len(item.tags) != 1 or item.types]
    return any(
        (not item.types or event.type in item.types) and set(item.tags) <= set(event.tags)
        for item in others
        for _, append in turn.accepted
        for event in append.events
    )


def _named(onces: Sequence[Once]) -> dict[str, Any]:
    return {"holders": Texts(once.holder for once in onces), "keys": Texts(once.key for once in onces)}


def _conditions(group: Sequence[Append]) -> dict[str, list[tuple[Any, ...]]]:
    """What the members' conditions ask, by how it is looked up: for each item its member, what it names and after what."""
    asked: dict[str, list[tuple[Any, ...]]] = {}
    for place, append in enumerate(group):
        if append.condition:
            after = append.condition.after or 0
            for item in append.condition.fail_if_events_match.items or [DCBQueryItem()]:
                for kind, row in _looked_up(item):
                    asked.setdefault(kind, []).append((place, after, *row))
    return asked


def _looked_up(item: DCBQueryItem) -> list[tuple[str, tuple[str, ...]]]:
    if not item.tags and not item.types:
        return [("whole", ())]
    if not item.tags:
        return [("typed", (type_,)) for type_ in item.types]
    if len(item.tags) == 1 and not item.types:
        return [("plain", (item.tags[0],))]
    return [("narrow", (item.tags[0], array(item.tags), array(item.types)))]


def _columns(asked: dict[str, list[tuple[Any, ...]]]) -> dict[str, Any]:
    return {
        f"{kind}_{number}": Texts(column) if isinstance(column[0], str) else Integers(column)
        for kind, rows in asked.items()
        for number, column in enumerate(zip(*rows, strict=True))
    }


@cache
def _failing(kinds: frozenset[str]) -> bytes:
    """The statement that finds the members whose conditions fail; it has the look-ups that the group needs, no more."""
    return " UNION ".join(_LOOK_UPS[kind] for kind in sorted(kinds)).encode()


@cache
def _take_turn(kinds: frozenset[str], once: bool) -> str:
    conditions = [f" AND NOT EXISTS ({_KEPT})"] if once else []
    conditions += [f" AND NOT EXISTS ({_failing(kinds).decode()})"] if kinds else []
    return _TAKE_TURN.format("".join(conditions))


@cache
def _statement(clauses: tuple[str, ...]) -> bytes:
    return f"WITH {', '.join(clauses)} SELECT FROM turn".encode()


def array(values: Iterable[str]) -> str:
    """The texts as the literal of a text[]: SQL knows no arrays of arrays that differ in length."""
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


_LOCK_HEAD = "SELECT position, recorded_at FROM head FOR UPDATE"

_KEPT = """
SELECT kept.holder, kept.key, kept.first_position, kept.last_position, kept.input_sha256
FROM unnest(%(holders)b::text[], %(keys)b::text[]) AS asked (holder, key)
JOIN idempotency AS kept ON kept.holder = asked.holder AND kept.key = asked.key
"""

_DESTROY = "DELETE FROM subjects WHERE id = %s"

# Everything else hangs on its row: it is written together, or not at all.
#
# The statement has one snapshot, of its beginning, and may wait for the head after it. That suffices: the head is compared
# again when it is had (READ COMMITTED), and where it has not moved, nothing was appended since. The instant beside the
# position tells a head that was restored from an older copy and has come to the same position.
_TAKE_TURN = """
turn AS (
    UPDATE head SET position = %(last)s, recorded_at = %(recorded_at)s
    WHERE position = %(before)s AND recorded_at = %(before_at)s{} RETURNING position
)"""

_TURN_IS_HAD = "turn AS (SELECT)"

_NEW = """
new AS (
    SELECT %(before)s + number AS position, type, tags::text[] AS tags, data
    FROM turn CROSS JOIN unnest(%(types)b::text[], %(tags)b::text[], %(data)b::bytea[]) WITH ORDINALITY
         AS new (type, tags, data, number)
), recorded AS (
    INSERT INTO events (position, type, tags, data, recorded_at)
    SELECT position, type, tags, data, %(recorded_at)s FROM new
), tagged AS (
    INSERT INTO tags (tag, position)
    SELECT DISTINCT tag COLLATE "C", position FROM new CROSS JOIN unnest(tags) AS tag ORDER BY 1, 2
)"""

_KEEP = """
kept AS (
    INSERT INTO idempotency (holder, key, input_sha256, first_position, last_position)
    SELECT once.* FROM turn CROSS JOIN unnest(
        %(new_holders)b::text[], %(new_keys)b::text[], %(inputs)b::bytea[], %(firsts)b::bigint[], %(lasts)b::bigint[]
    ) AS once
)"""

# Every item is a look-up of its own in an index, of the rows after its position only: LATERAL with a LIMIT is a nested
# loop whatever the planner believes of the tables' sizes. Nothing is looked up where nothing has come since.
_LOOK_UPS = {
    "plain": """
SELECT asked.place FROM
    unnest(%(plain_0)b::bigint[], %(plain_1)b::bigint[], %(plain_2)b::text[]) AS asked (place, after, tag)
CROSS JOIN LATERAL (
    SELECT FROM tags WHERE tags.tag = asked.tag AND tags.position > asked.after LIMIT 1
) AS hit
WHERE asked.after < (SELECT position FROM head)
""",
    "narrow": """
SELECT asked.place FROM
    unnest(%(narrow_0)b::bigint[], %(narrow_1)b::bigint[], %(narrow_2)b::text[], %(narrow_3)b::text[], %(narrow_4)b::text[])
    AS asked (place, after, first_tag, all_tags, any_types)
CROSS JOIN LATERAL (
    SELECT FROM tags
    CROSS JOIN LATERAL (
        SELECT events.type, events.tags FROM events WHERE events.position = tags.position LIMIT 1
    ) AS event
    WHERE tags.tag = asked.first_tag AND tags.position > asked.after AND event.tags @> asked.all_tags::text[]
      AND (asked.any_types = '{}' OR event.type = ANY (asked.any_types::text[]))
    LIMIT 1
) AS hit
WHERE asked.after < (SELECT position FROM head)
""",
    "typed": """
SELECT asked.place FROM
    unnest(%(typed_0)b::bigint[], %(typed_1)b::bigint[], %(typed_2)b::text[]) AS asked (place, after, type)
CROSS JOIN LATERAL (
    SELECT FROM events WHERE events.type = asked.type AND events.position > asked.after LIMIT 1
) AS hit
WHERE asked.after < (SELECT position FROM head)
""",
    "whole": """
SELECT asked.place FROM unnest(%(whole_0)b::bigint[], %(whole_1)b::bigint[]) AS asked (place, after)
WHERE asked.after < (SELECT position FROM head)
""",
}
