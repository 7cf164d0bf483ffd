"""What a projection is: a name, and how it writes a batch of events into its own tables."""

from collections.abc import Sequence
from typing import Protocol

from psycopg import Connection
from psycopg.rows import TupleRow

from domain.recorded import Recorded

Database = Connection[TupleRow]


class Projection(Protocol):
    """Rows kept in step with the log.

    `apply` is called with events in position order, each exactly once, inside the transaction that also moves the
    projection's position; it must write nothing but the projection's own tables.
    """

    @property
    def name(self) -> str: ...

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None: ...
