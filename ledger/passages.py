"""The log from one position to another, a part at a time: each event with what voids it by the end of the passage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from domain.recorded import Recorded
from ledger.entry import opened_at
from ledger.migrations import Pool

AT_A_TIME: Final = 2_000
"""Events that are read by one statement and in memory together."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An event, and the position of the void that takes it out, None while it stands at the end of the passage."""

    recorded: Recorded
    voided_by: int | None


def passage(pool: Pool, after: int, upto: int) -> Iterator[list[Passed]]:
    """The events with after < position ≤ upto in their order, in constant memory; it needs no read model.

    Raises UnreadableEntry.
    """
    while after < upto:
        parameters = {"after": after, "upto": upto, "limit": AT_A_TIME}
        with pool.connection() as database:
            rows = database.execute(_PART, parameters, binary=True).fetchall()
        if not rows:
            return
        yield [Passed(opened_at(position, data), voided_by) for position, data, voided_by in rows]
        after = rows[-1][0]


# A void is found by a tag of its own, one look-up an event: a join would have the planner read all tags.
_PART: Final = """
SELECT event.position, event.data, (
    SELECT void.position FROM tags void
    WHERE void.tag = 'void:' || event.position AND void.position <= %(upto)s LIMIT 1
)
FROM events event WHERE event.position > %(after)s AND event.position <= %(upto)s
ORDER BY event.position LIMIT %(limit)s
"""
