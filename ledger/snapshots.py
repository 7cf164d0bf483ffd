"""Snapshots of folds: where a long history was last folded to, and under which version of the facts."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from psycopg import errors

from domain.facts import Facts
from domain.facts_format import dumped, facts_version, loaded
from ledger.migrations import Pool
from ledger.rows import Texts, columns

EVERY: Final = 200
"""How many more events make a new snapshot worth its write."""


class Snapshots:
    """Folds kept in the database, without personal fields (`domain.facts_format`)."""

    def __init__(self, pool: Pool, version: str | None = None) -> None:
        self._pool = pool
        self._version = version or facts_version()

    def load(self, tags: Sequence[str]) -> dict[str, Facts]:
        """The kept folds of these tags; those without one, or under another version, are left out."""
        with self._pool.connection() as database:
            rows = database.execute(_LOAD, [Texts.packed(tags), self._version], binary=True).fetchall()
        return {tag: loaded(facts) for tag, facts in rows}

    def keep(self, folds: Mapping[str, Facts]) -> None:
        """Keeps folds that are ahead of what is kept of them; a standby, where nothing can be kept, keeps none."""
        rows = [(tag, facts.position, self._version, dumped(facts)) for tag, facts in sorted(folds.items())]
        if rows:
            with self._pool.connection() as database, suppress(errors.ReadOnlySqlTransaction):
                database.execute(_KEEP, columns(rows))


_LOAD: Final = "SELECT tag, facts FROM snapshots WHERE tag = ANY(%s) AND version = %s"
_KEEP: Final = """
INSERT INTO snapshots AS kept (tag, position, version, facts)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[])
ON CONFLICT (tag) DO UPDATE SET position = excluded.position, version = excluded.version, facts = excluded.facts
WHERE kept.version <> excluded.version OR kept.position < excluded.position
"""
