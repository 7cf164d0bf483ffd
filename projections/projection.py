"""What a projection is: a name, and how it writes a batch of events into its own tables."""

from collections.abc import Collection, Sequence
from typing import Protocol

from psycopg import Connection
from psycopg.rows import TupleRow

from domain.events import Event, EventVoided
from domain.recorded import Recorded

Database = Connection[TupleRow]


class Projection(Protocol):
    """Rows kept in step with the log.

    `apply` is called with events in position order, each exactly once, inside the transaction that also moves the
    projection's position; it must write nothing but the projection's own tables. `version` is raised with every change
    that makes other rows of the same log: tables that an older version filled are then made anew (`projections.upgrading`).
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None: ...


def touching(
    batch: Sequence[Recorded], prefix: str, types: Collection[type[Event]] | None = None
) -> dict[str, list[int]]:
    """The positions of the batch by each tag with a prefix that they touch, in order.

    With `types` only those that record, or void, an event of these types: no other can change what is made from them.
    """
    names = None if types is None else {cls.__name__ for cls in types}
    touched: dict[str, list[int]] = {}
    for recorded in batch:
        if names is None or moved_type(recorded) in names:
            for tag in recorded.tags:
                if tag.startswith(prefix):
                    touched.setdefault(tag, []).append(recorded.position)
    return touched


def moved_type(recorded: Recorded) -> str:
    """The type whose events a recorded one adds to or takes from."""
    return recorded.event.type if isinstance(recorded.event, EventVoided) else recorded.type
