"""The statements by which a group of appends looks and writes, and their parameters.

What is written is one statement: clauses that hang on the row of `turn`, so that it is written together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from eventsourcing.dcb.api import DCBEvent, DCBQueryItem

from ledger.appends import Append, Once
from ledger.rows import Bytes, Integers, Texts
from ledger.tree import WRITTEN, Growth, written


class Statement(NamedTuple):
    """A statement and its parameters."""

    text: bytes
    values: dict[str, Any]


class Kept(NamedTuple):
    """A key under which was appended, and the first and last position of what was."""

    once: Once
    first: int
    last: int


class Writing:
    """A statement that writes, as it is put together."""

    def __init__(self, recorded_at: datetime) -> None:
        self._clauses: list[str] = []
        self._values: dict[str, Any] = {"recorded_at": recorded_at}

    @property
    def statement(self) -> Statement:
        return Statement(_statement(tuple(self._clauses)), self._values)

    def take_turn(
        self, before: int, before_at: datetime, last: int, unless: Sequence[Append], root: bytes | None = None
    ) -> None:
        """Moves the head to `last`, unless it is not where it was, or one of `unless` is kept or its condition fails.

        With a root, unless the tree there has another one as well.
        """
        asked = _conditions(unless)
        onces = [append.once for append in unless if append.once]
        self._clauses.append(_take_turn(frozenset(asked), bool(onces), root is not None))
        self._values |= {"left": before, "left_at": before_at, "last": last, **_named(onces), **_columns(asked)}
        if root is not None:
            self._values["root_left"] = root

    def rely_on_turn(self) -> None:
        """Writes nothing unless an earlier statement of the transaction has moved the head."""
        self._clauses.append("turn AS (SELECT FROM head WHERE xmin = pg_current_xact_id()::xid)")

    def add_events(self, after: int, events: Sequence[DCBEvent], entries: Sequence[bytes]) -> None:
        # The database would make them out of the events' tags in three times the time.
        tags = sorted({(tag, position) for position, event in enumerate(events, after + 1) for tag in event.tags})
        self._clauses += _NEW if tags else _NEW[:1]
        self._values |= {
            "after": after,
            "types": Texts.packed(event.type for event in events),
            "tags": Texts.packed(array(event.tags) for event in events),
            "data": Bytes.packed(entries),
        }
        if tags:
            self._values |= {
                "tag": Texts.packed(tag for tag, _ in tags),
                "tagged": Integers.packed(position for _, position in tags),
            }

    def add_keys(self, kept: Sequence[Kept]) -> None:
        if kept:
            self._clauses.append(_KEEP)
            self._values |= {
                "new_holders": Texts.packed(once.holder for once, _, _ in kept),
                "new_keys": Texts.packed(once.key for once, _, _ in kept),
                "inputs": Bytes.packed([once.input_sha256 for once, _, _ in kept]),
                "firsts": Integers.packed(first for _, first, _ in kept),
                "lasts": Integers.packed(last for _, _, last in kept),
            }

    def add_growth(self, growth: Growth) -> None:
        self._clauses += WRITTEN
        self._values |= written(growth)


def asking_kept(onces: Sequence[Once]) -> Statement:
    """Gives holder, key, first and last position and the input's hash of each key that is kept already."""
    return Statement(_KEPT.encode(), _named(onces))


def asking_failing(group: Sequence[Append]) -> Statement | None:
    """Gives the places of the members whose conditions fail; None where no member has a condition."""
    asked = _conditions(group)
    return Statement(_failing(frozenset(asked)).encode(), _columns(asked)) if asked else None


def _named(onces: Sequence[Once]) -> dict[str, Any]:
    return {"holders": Texts.packed(once.holder for once in onces), "keys": Texts.packed(once.key for once in onces)}


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
        f"{kind}_{number}": (Texts if isinstance(column[0], str) else Integers).packed(column)
        for kind, rows in asked.items()
        for number, column in enumerate(zip(*rows, strict=True))
    }


@cache
def _failing(kinds: frozenset[str]) -> str:
    """What finds the members whose conditions fail; it has the look-ups that the group needs, no more."""
    return " UNION ".join(_LOOK_UPS[kind] for kind in sorted(kinds))


@cache
def _take_turn(kinds: frozenset[str], once: bool, rooted: bool) -> str:
    conditions = [f" AND EXISTS ({_ROOTED})"] if rooted else []
    conditions += [f" AND NOT EXISTS ({_KEPT})"] if once else []
    conditions += [f" AND NOT EXISTS ({_failing(kinds)})"] if kinds else []
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


LOCK_HEAD: Final = "SELECT position, recorded_at FROM head FOR UPDATE"

_KEPT = """
SELECT kept.holder, kept.key, kept.first_position, kept.last_position, kept.input_sha256
FROM unnest(%(holders)b::text[], %(keys)b::text[]) AS asked (holder, key)
JOIN idempotency AS kept ON kept.holder = asked.holder AND kept.key = asked.key
"""

DESTROY: Final = "DELETE FROM subjects WHERE id = %s"

# Everything else hangs on its row: it is written together, or not at all.
#
# The statement has one snapshot, of its beginning, and may wait for the head after it. That suffices: the head is compared
# again when it is had (READ COMMITTED), and where it has not moved, nothing was appended since. The instant beside the
# position tells a head that was restored from an older copy and has come to the same position.
_TAKE_TURN = """
turn AS (
    UPDATE head SET position = %(last)s, recorded_at = %(recorded_at)s
    WHERE position = %(left)s AND recorded_at = %(left_at)s{} RETURNING position
)"""

# What is sent before it is known whether the group before it was written: another process may have come to its position, at
# its very instant.
_ROOTED = "SELECT FROM checkpoints WHERE size = %(left)s AND root = %(root_left)s"

_NEW = (
    """
recorded AS (
    INSERT INTO events (position, type, tags, data, recorded_at)
    SELECT %(after)s + number, type, tags::text[], data, %(recorded_at)s
    FROM turn CROSS JOIN unnest(%(types)b::text[], %(tags)b::text[], %(data)b::bytea[]) WITH ORDINALITY
         AS new (type, tags, data, number)
)""",
    """
tagged AS (
    INSERT INTO tags (tag, position)
    SELECT new.* FROM turn CROSS JOIN unnest(%(tag)b::text[], %(tagged)b::bigint[]) AS new
)""",
)

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
