"""One group of appends as one transaction: who may append is decided for all of them under the head lock.

The transaction takes its turn by locking the one-row table `head` and holds it until it has committed, so positions are
given out in commit order and whoever follows `position > n` misses nothing. What its conditions ask is looked up for
the whole group by one statement; conflicts between its members are found in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol, TypeAlias

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQueryItem
from eventsourcing.persistence import IntegrityError, ProgrammingError
from psycopg import Pipeline

from ledger.migrations import Database
from ledger.tree import Growth, Receipt

Seal: TypeAlias = Callable[[DCBEvent, int, datetime], bytes]
"""Forms the bytes that are stored, from the event, its position and its instant (UTC)."""
Clock: TypeAlias = Callable[[], datetime]


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

    def extend(self, database: Database, first: int, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        """Takes in the entries that got the positions from `first` on, under the head lock.

        What it gives proves nothing before the commit.
        """

    def keep(self) -> None:
        """Says that what was taken in last is committed; without it, it was not."""


@dataclass
class _Turn:
    """What a group knows once it holds the head."""

    position: int
    recorded_at: datetime
    kept: dict[tuple[str, str], AlreadyAppended]
    failing: set[int]
    accepted: list[tuple[int, Append]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    growth: Growth | None = None


def append_group(
    database: Database, group: Sequence[Append], seal: Seal, clock: Clock, tree: Tree | None
) -> list[Result]:
    """Appends what may be appended of a group, in its order, and says for each what came of it.

    Durable once it returns. Raises psycopg.Error when the database fails: then nothing of the group was kept, or, where
    the connection was lost at the commit, it is unknown whether all of it was.
    """
    # Two round trips: what takes the turn and looks, then what writes and commits. Each statement has a snapshot of its
    # own, so those behind the lock see all that was committed before it was had.
    with database.pipeline() as pipeline, database.transaction():
        turn = _take_turn(database, pipeline, group, clock)
        admitted = [_admit(turn, place, append) for place, append in enumerate(group)]
        if turn.accepted:
            _write(database, turn, seal, tree)
    if tree and turn.accepted:
        tree.keep()
    return [Appended(each.start, each.stop - 1, turn.growth) if isinstance(each, range) else each for each in admitted]


def _take_turn(database: Database, pipeline: Pipeline, group: Sequence[Append], clock: Clock) -> _Turn:
    locked = database.execute(_LOCK_HEAD)
    onces = [append.once for append in group if append.once]
    named = {"holders": [o.holder for o in onces], "keys": [o.key for o in onces]}
    kept = database.execute(_KEPT, named) if onces else None
    asked = _conditions(group)
    failing = database.execute(_failing(frozenset(asked)), _columns(asked), binary=True) if asked else None
    # Not a mere flush: only after a sync does the database count a writer that stands still as idle and end it.
    pipeline.sync()
    row = locked.fetchone()
    if row is None:
        raise ProgrammingError("the table head has no row: the schema is not as its migrations left it")
    position, recorded_at = row
    return _Turn(
        position=position,
        recorded_at=max(recorded_at.astimezone(UTC), clock().astimezone(UTC)),
        kept={(holder, key): AlreadyAppended(*rest) for holder, key, *rest in kept.fetchall()} if kept else {},
        failing={place for (place,) in failing.fetchall()} if failing else set(),
    )


def _admit(turn: _Turn, place: int, append: Append) -> range | AlreadyAppended | IntegrityError:
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


def _write(database: Database, turn: _Turn, seal: Seal, tree: Tree | None) -> None:
    numbered = [(first + i, event) for first, append in turn.accepted for i, event in enumerate(append.events)]
    entries = [seal(event, position, turn.recorded_at) for position, event in numbered]
    database.execute(
        _INSERT_EVENTS,
        {
            "positions": [position for position, _ in numbered],
            "types": [event.type for _, event in numbered],
            "tags": [array(event.tags) for _, event in numbered],
            "data": entries,
            "recorded_at": turn.recorded_at,
        },
    )
    rows = sorted({(tag, position) for position, event in numbered for tag in event.tags})
    if rows:
        database.execute(_INSERT_TAGS, {"tags": [tag for tag, _ in rows], "positions": [at for _, at in rows]})
    _keep(database, turn)
    for subject in [append.destroys for _, append in turn.accepted if append.destroys]:
        database.execute(_DESTROY, [subject])
    if tree:
        turn.growth = tree.extend(database, numbered[0][0], entries, turn.recorded_at)
    database.execute(_MOVE_HEAD, {"position": turn.position, "recorded_at": turn.recorded_at})


def _keep(database: Database, turn: _Turn) -> None:
    kept = [(a.once, first, first + len(a.events) - 1) for first, a in turn.accepted if a.once]
    if kept:
        columns: dict[str, list[Any]] = {
            "holders": [once.holder for once, _, _ in kept],
            "keys": [once.key for once, _, _ in kept],
            "inputs": [once.input_sha256 for once, _, _ in kept],
            "firsts": [first for _, first, _ in kept],
            "lasts": [last for _, _, last in kept],
        }
        database.execute(_KEEP, columns)


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


def _columns(asked: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[Any]]:
    return {
        f"{kind}_{number}": list(column)
        for kind, rows in asked.items()
        for number, column in enumerate(zip(*rows, strict=True))
    }


@cache
def _failing(kinds: frozenset[str]) -> bytes:
    """The statement that finds the members whose conditions fail; it has the look-ups that the group needs, no more."""
    return " UNION ".join(_LOOK_UPS[kind] for kind in sorted(kinds)).encode()


def array(values: Iterable[str]) -> str:
    """The texts as the literal of a text[]: SQL knows no arrays of arrays that differ in length."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


_LOCK_HEAD = "SELECT position, recorded_at FROM head FOR UPDATE"

_MOVE_HEAD = "UPDATE head SET position = %(position)s, recorded_at = %(recorded_at)s"

_KEPT = """
SELECT kept.holder, kept.key, kept.first_position, kept.last_position, kept.input_sha256
FROM unnest(%(holders)s::text[], %(keys)s::text[]) AS asked (holder, key)
JOIN idempotency AS kept ON kept.holder = asked.holder AND kept.key = asked.key
"""

_KEEP = """
INSERT INTO idempotency (holder, key, input_sha256, first_position, last_position)
SELECT * FROM unnest(%(holders)s::text[], %(keys)s::text[], %(inputs)s::bytea[], %(firsts)s::bigint[], %(lasts)s::bigint[])
"""

_DESTROY = "DELETE FROM subjects WHERE id = %s"

_INSERT_EVENTS = """
INSERT INTO events (position, type, tags, data, recorded_at)
SELECT position, type, tags::text[], data, %(recorded_at)s
FROM unnest(%(positions)b::bigint[], %(types)b::text[], %(tags)b::text[], %(data)b::bytea[])
     AS new (position, type, tags, data)
"""

_INSERT_TAGS = """
INSERT INTO tags (tag, position) SELECT tag, position
FROM unnest(%(tags)b::text[], %(positions)b::bigint[]) AS new (tag, position)
"""

# Every item is a look-up of its own in an index, of the rows after its position only: LATERAL with a LIMIT is a nested
# loop whatever the planner believes of the tables' sizes. Nothing is looked up where nothing has come since.
_LOOK_UPS = {
    "plain": """
SELECT asked.place FROM
    unnest(%(plain_0)b::int[], %(plain_1)b::bigint[], %(plain_2)b::text[]) AS asked (place, after, tag)
CROSS JOIN LATERAL (
    SELECT FROM tags WHERE tags.tag = asked.tag AND tags.position > asked.after LIMIT 1
) AS hit
WHERE asked.after < (SELECT position FROM head)
""",
    "narrow": """
SELECT asked.place FROM
    unnest(%(narrow_0)b::int[], %(narrow_1)b::bigint[], %(narrow_2)b::text[], %(narrow_3)b::text[], %(narrow_4)b::text[])
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
    unnest(%(typed_0)b::int[], %(typed_1)b::bigint[], %(typed_2)b::text[]) AS asked (place, after, type)
CROSS JOIN LATERAL (
    SELECT FROM events WHERE events.type = asked.type AND events.position > asked.after LIMIT 1
) AS hit
WHERE asked.after < (SELECT position FROM head)
""",
    "whole": """
SELECT asked.place FROM unnest(%(whole_0)b::int[], %(whole_1)b::bigint[]) AS asked (place, after)
WHERE asked.after < (SELECT position FROM head)
""",
}
