"""The tree and the entries in the pieces that C2SP tlog-tiles gives out (c2sp.org/tlog-tiles).

Only what the newest checkpoint covers is given: of that, every piece is what it will be for ever.
"""

from typing import Final

from ledger.merkle import ENTRIES, TILE_WIDTH, Tile, tile
from ledger.migrations import Pool
from ledger.tree import look_up


class Tiles:
    """The tiles and entries of a ledger. Each answer is one statement of at most 256 rows, after one for the size."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def hashes(self, asked: Tile) -> bytes | None:
        """The bytes of a hash tile, 32 for each hash; None where the newest checkpoint does not cover it."""
        with self._pool.connection() as database:
            if not _covers(database.execute(_SIZE).fetchone(), asked):
                return None
            return tile(asked.level, asked.index, asked.width, lambda nodes: look_up(database, nodes))

    def entries(self, asked: Tile) -> list[bytes] | None:
        """The entries of a bundle, in order; None where the newest checkpoint does not cover all of them."""
        if asked.level != ENTRIES:
            raise ValueError(f"Entries are asked for by tile/entries/INDEX; got {asked.path}.")
        with self._pool.connection() as database:
            if not _covers(database.execute(_SIZE).fetchone(), asked):
                return None
            rows = database.execute(_ENTRIES, [asked.span.start, asked.span.stop, TILE_WIDTH]).fetchall()
        return [data for (data,) in rows]


def _covers(row: tuple[int] | None, asked: Tile) -> bool:
    return row is not None and asked.is_within(row[0])


_SIZE: Final = "SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1"
_ENTRIES: Final = """
SELECT data FROM events WHERE position > %s::bigint AND position <= %s::bigint ORDER BY position LIMIT %s
"""
