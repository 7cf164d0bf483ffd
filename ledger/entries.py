"""The entries of a span of positions, for whoever goes through them once: exports, in constant memory.

Positions have no gaps and nothing of an entry ever changes, so the entries up to a position that the head has reached
are those of one moment, however long the reading takes and whatever is recorded meanwhile.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from domain.events import EventVoided
from domain.recorded import Recorded
from ledger.cloudevents import positions_named
from ledger.entry import entry_at, opened
from ledger.migrations import Pool

AT_A_TIME: Final = 1_000


class Kept(NamedTuple):
    """An event of the ledger as those know it who know what is recorded up to the end of the span."""

    recorded: Recorded
    voided_by: int | None
    """The position of its void within the span's end, if it has one."""
    ids: Mapping[int, str]
    """The UUIDs of the events whose positions the events beside it name."""


def kept_entries(pool: Pool, after: int, upto: int) -> Iterator[list[Kept]]:
    """The events with `after` < position ≤ `upto` in order, up to 1,000 at a time.

    Raises UnreadableEntry, and psycopg.Error when the database is away.
    """
    for begin in range(after, upto, AT_A_TIME):
        yield _kept(pool, begin, min(begin + AT_A_TIME, upto), upto)


def _kept(pool: Pool, begin: int, end: int, upto: int) -> list[Kept]:
    with pool.connection() as database:
        rows = database.execute(_ENTRIES, {"begin": begin, "end": end, "upto": upto}, binary=True).fetchall()
        events = [entry_at(position, data) for position, data, _ in rows]
        named = {position for recorded in events for position in positions_named(recorded.event)}
        others = database.execute(_NAMED, {"named": sorted(named)}, binary=True).fetchall() if named else []
    ids = {position: opened(data).id for position, data in others}
    return [Kept(recorded, voided_by, ids) for recorded, (*_, voided_by) in zip(events, rows, strict=True)]


_ENTRIES: Final = f"""
SELECT events.position, events.data, (
    SELECT min(tags.position) FROM tags
    WHERE tags.tag = 'void:' || events.position AND tags.position <= %(upto)b
      AND (SELECT void.type FROM events AS void WHERE void.position = tags.position) = '{EventVoided.__name__}'
)
FROM events WHERE events.position > %(begin)b AND events.position <= %(end)b ORDER BY events.position
"""  # noqa: S608  # a constant
_NAMED: Final = "SELECT position, data FROM events WHERE position = ANY (%(named)b::bigint[])"
