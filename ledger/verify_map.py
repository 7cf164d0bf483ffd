"""Verification of the enterprise map that a database keeps: what its entries' tags give, made again and compared.

The tags that are looked at are a column beside the entries, so this comes after `ledger.verify_database` has found that each
says what its entry does. Memory does not grow: a page of leaves at a time, and of earlier maps the roots of their segments.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from psycopg.rows import TupleRow

from ledger.enterprise_map import Bounds, Segment, is_whole, map_root, names_map, segment_over, segments_of
from ledger.map_keeping import Built, built, kept_segments, leaves_between
from ledger.migrations import Database
from ledger.notes import Verifier
from ledger.verify import Broken, checkpoint_of


def map_faults(database: Database, verifier: Verifier | None, last: int) -> Iterator[Broken]:
    """What does not hold of the map in a database with so many entries; nothing in one that no program with a map migrated.

    The database is in a transaction that stays in one moment.
    """
    if _rows(database, "SELECT to_regclass('map_segments') IS NULL")[0][0]:
        return
    kept = kept_segments(database)
    for segment in kept:
        if segment.upto > last:
            yield Broken(last + 1, f"a segment of the map goes beyond the last event, {last}")
        elif why := _fault(database, segment):
            yield Broken(segment.after + 1, f"the map of the entries {segment.after + 1} to {segment.upto} {why}")
    for after, upto in _rows(database, _STRAY):
        yield Broken(after + 1, f"there is a part of a map of the entries {after + 1} to {upto} that is not kept")
    yield from _notes(database, verifier, last, {each.bounds: each for each in kept})


def _fault(database: Database, segment: Segment) -> str | None:
    """What is wrong with a segment that is kept."""
    if not is_whole(segment.bounds):
        return "is of a segment that no map has"
    tiles = 0
    for each in built(database, segment.bounds):
        if isinstance(each, Segment):
            if each != segment:
                return "says other leaves or another root than the tags of the entries give"
        elif _tile(database, segment, each) != [(each.first_key, each.content)]:
            return "is not what the tags of the entries give"
        else:
            tiles += 1
    count: int = _rows(database, _COUNT, segment.bounds)[0][0]
    return "has more than the tags of the entries give" if count != tiles else None


def _tile(database: Database, segment: Segment, tile: Built) -> list[TupleRow]:
    return _rows(database, _TILE, [*segment.bounds, tile.level, tile.number])


def _notes(
    database: Database, verifier: Verifier | None, last: int, segments: dict[Bounds, Segment]
) -> Iterator[Broken]:
    """The maps that were signed; `segments` are those that hold, and get what is made of the tags for earlier ones."""
    for size, root, note, signed_root in _rows(database, _NOTES):
        if size > last:
            yield Broken(last + 1, f"the note of a map goes beyond the last event, {last}")
            return
        if verifier is None:
            yield Broken(size, "there is the note of a map and no key that this ledger is signed under")
            return
        try:
            checkpoint = checkpoint_of(note.encode(), verifier, size, "the note of its map")
        except Broken as broken:
            yield broken
            continue
        if (checkpoint.size, checkpoint.root) != (size, signed_root) or not names_map(checkpoint, root):
            yield Broken(size, "the note of its map is not of its checkpoint and of the map whose root the column says")
        elif map_root(_segment(database, bounds, segments) for bounds in segments_of(size)) != root:
            yield Broken(size, "a map was signed that is not what the tags of the entries up to it give")


def _segment(database: Database, bounds: Bounds, known: dict[Bounds, Segment]) -> Segment:
    if bounds in known:
        return known[bounds]
    made = segment_over(bounds, chain.from_iterable(leaves_between(database, bounds)))
    if is_whole(bounds):
        known[bounds] = made
    return made


def _rows(database: Database, statement: str, parameters: Sequence[int] | None = None) -> list[TupleRow]:
    return database.execute(statement.encode(), parameters, binary=True).fetchall()


_TILE: Final = "SELECT first_key, content FROM map_tiles WHERE after = %s AND upto = %s AND level = %s AND index = %s"
_COUNT: Final = "SELECT count(*) FROM map_tiles WHERE after = %s AND upto = %s"
_STRAY: Final = """
SELECT DISTINCT after, upto FROM map_tiles WHERE NOT EXISTS (
    SELECT FROM map_segments WHERE map_segments.after = map_tiles.after AND map_segments.upto = map_tiles.upto
)
"""
_NOTES: Final = """
SELECT map_notes.size, map_notes.root, map_notes.note, checkpoints.root
FROM map_notes LEFT JOIN checkpoints USING (size) ORDER BY map_notes.size
"""
