"""The owner of a ledger's tables who takes away what keeps them from being changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

APPEND_ONLY: Final = (
    "events", "tags", "node_runs", "checkpoints", "cosignatures", "map_segments", "map_tiles", "map_notes",
)  # fmt: skip
# A row for each node, as appends of one event write them: so that a change is of one node.
NODE_BY_NODE: Final = """
CREATE TEMPORARY TABLE split AS
SELECT level, first + place AS first, substring(hashes FROM place * 32 + 1 FOR 32) AS hashes
FROM node_runs CROSS JOIN generate_series(0, length(hashes) / 32 - 1) AS place;
DELETE FROM node_runs;
INSERT INTO node_runs SELECT * FROM split;
DROP TABLE split
"""


@contextmanager
def unguarded(database: str, schema: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner, for whom nothing is append-only."""
    with psycopg.connect(database, autocommit=True, options=f"-c search_path={schema}") as owner:
        for table in APPEND_ONLY:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        owner.execute("ALTER TABLE node_runs DROP CONSTRAINT node_runs_level_check")
        owner.execute(NODE_BY_NODE)
        yield owner


def spoil_entry(database: str, schema: str, position: int) -> None:
    """Puts what no program can read in the place of an entry."""
    with unguarded(database, schema) as owner:
        owner.execute("UPDATE events SET data = 'no entry' WHERE position = %s", [position])
