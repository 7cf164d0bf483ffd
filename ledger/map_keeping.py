"""The enterprise map as the database keeps it: made beside the appends, from the entries' tags, a segment at a time.

A segment is one transaction: whoever is killed leaves none by half, and of processes that come to the same one, one makes
it. The database hashes and sorts; here passes one page of leaves at a time. Appends wait for nothing of it.

What is kept is the whole segments of the newest map; the smaller ones that a larger one covers go with its coming. What is
not kept, the last entries and what an earlier map had, is made of the tags when it is asked for: at most 65,536 entries.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from domain.recorded import BEARERS
from ledger.enterprise_map import Bounds, Leaf, Place, Proof, Segment, is_whole, leaf_of, segments_of
from ledger.merkle import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, Frontier, MissingNode, Node, Row, Tile, inclusion_proof
from ledger.migrations import Database, Pool
from ledger.verify import Progress
from ledger.witnessing import NotContinued, nodes_from_tiles

LEAF_SIZE: Final = 2 * HASH_SIZE
AT_A_TIME: Final = 4_096
"""Leaves that are read together, and after which whoever makes a map beside the appends may rest: a few milliseconds."""

Rest: TypeAlias = Callable[[], None]
"""Called every few milliseconds of work."""


class Damaged(Exception):
    """The map in the database is not that of its entries; `caseledger verify` says where."""


class Built(NamedTuple):
    """A row of a segment's tree as it is kept: level and number of the tile, its first key at level 0, its content."""

    level: int
    number: int
    first_key: bytes | None
    content: bytes


class Building:
    """The tree over leaves that come page by page, at the memory of a tile a level."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._edge = Frontier(0, ())
        self._begun: dict[int, list[bytes]] = {}

    @property
    def segment(self) -> Segment:
        return Segment(*self._bounds, self._edge.size, self._edge.root)

    def add(self, page: Sequence[Leaf]) -> Iterator[Built]:
        """What the next leaves, as many as a tile has or the last ones, complete."""
        first = self._edge.size // TILE_WIDTH
        yield Built(0, first, page[0][0], b"".join(key + value for key, value in page))
        self._edge, rows = self._edge.extend(map(leaf_of, page))
        for level, index, hashes in rows:
            if level and level % TILE_HEIGHT == 0:
                begun = self._begun.setdefault(level // TILE_HEIGHT, [])
                begun += hashes
                if len(begun) == TILE_WIDTH:
                    yield self._tile(level // TILE_HEIGHT, index // TILE_WIDTH)

    def end(self) -> Iterator[Built]:
        """The tiles that are not full."""
        for level in sorted(self._begun):
            yield self._tile(level, (self._edge.size >> level * TILE_HEIGHT) // TILE_WIDTH)

    def _tile(self, level: int, index: int) -> Built:
        return Built(level, index, None, b"".join(self._begun.pop(level)))


def leaves_between(database: Database, bounds: Bounds) -> Iterator[list[Leaf]]:
    """The leaves of a segment, ascending by their keys, in pages as wide as a tile; needs a transaction."""
    after, upto = bounds
    with database.cursor(f"map_{after}_{upto}", binary=True) as cursor:
        cursor.execute(_LEAVES, {"after": after, "upto": upto, "bearers": list(BEARERS)})
        while rows := cursor.fetchmany(AT_A_TIME):
            for begin in range(0, len(rows), TILE_WIDTH):
                yield [(key, value) for key, value in rows[begin : begin + TILE_WIDTH]]


def built(database: Database, bounds: Bounds) -> Iterator[Built | Segment]:
    """All rows of a segment's tree as the tags give it, and last the segment itself; needs a transaction."""
    building = Building(bounds)
    for page in leaves_between(database, bounds):
        yield from building.add(page)
    yield from building.end()
    yield building.segment


def bring_up(
    pool: Pool,
    size: int,
    progress: Progress = lambda done, of: None,
    rest: Rest = lambda: None,
) -> None:
    """Makes and keeps the whole segments that the map of so many entries has and that are not kept yet.

    `rest` is called every few milliseconds of work; what it raises ends the work, and nothing is lost but one segment.
    """
    wanted = [bounds for bounds in segments_of(size) if is_whole(bounds)]
    with pool.connection() as database:
        kept = kept_segments(database)
    missing = [bounds for bounds in wanted if not _is_covered(bounds, kept)]
    of = sum(upto - after for after, upto in missing)
    for after, upto in missing:
        _make(pool, (after, upto), rest)
        progress(upto - after, of)
        rest()


def _make(pool: Pool, bounds: Bounds, rest: Rest) -> None:
    with pool.connection() as database, database.transaction():
        database.execute(_LOCK)
        if _is_covered(bounds, kept_segments(database)):
            return
        segment = Segment(*bounds)
        rows: list[Built] = []
        for each in built(database, bounds):
            if isinstance(each, Segment):
                segment = each
                break
            rows.append(each)
            if len(rows) >= AT_A_TIME // TILE_WIDTH:
                _write(database, bounds, rows)
                rows = []
                rest()
        _write(database, bounds, rows)
        database.execute(_ADD, segment)
        after, upto = bounds
        for statement in _SUPERSEDED:
            database.execute(statement, {"after": after, "upto": upto})


def _write(database: Database, bounds: Bounds, rows: Sequence[Built]) -> None:
    if rows:
        levels, indexes, keys, contents = zip(*rows, strict=True)
        database.execute(_WRITE, [*bounds, list(levels), list(indexes), list(keys), list(contents)])


def kept_segments(database: Database) -> list[Segment]:
    return [Segment(*row) for row in database.execute(_SEGMENTS, binary=True)]


def _is_covered(bounds: Bounds, kept: Iterable[Segment]) -> bool:
    after, upto = bounds
    return any(each.after <= after and upto <= each.upto for each in kept)


class Leaves(Protocol):
    """A segment whose leaves can be found."""

    segment: Segment

    def around(self, key: bytes) -> tuple[int, list[Leaf]]:
        """The place of the first leaf whose key is not below, and the leaves before it and there, where there are."""
        ...

    def look_up(self, nodes: list[Node]) -> Mapping[Node, bytes]:
        """The hashes of nodes of its tree."""
        ...


class _Made:
    """A segment that is made of the tags and held in memory."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self._leaves = [leaf for page in leaves_between(database, bounds) for leaf in page]
        edge, self._rows = Frontier(0, ()).extend(map(leaf_of, self._leaves))
        self.segment = Segment(*bounds, edge.size, edge.root)

    def around(self, key: bytes) -> tuple[int, list[Leaf]]:
        place = bisect_left(self._leaves, key, key=lambda leaf: leaf[0])
        return place, self._leaves[max(0, place - 1) : place + 1]

    def look_up(self, nodes: list[Node]) -> Mapping[Node, bytes]:
        rows: Sequence[Row] = self._rows
        return {(level, index): rows[level][2][index] for level, index in nodes}


class _Stored:
    """A segment that is kept."""

    def __init__(self, database: Database, segment: Segment) -> None:
        self._database = database
        self.segment = segment

    def around(self, key: bytes) -> tuple[int, list[Leaf]]:
        found = self._database.execute(_PAGE, [*self.segment.bounds, key], binary=True).fetchone()
        if found is None:
            return 0, self._leaves(0)[:1]
        index, content = found
        page = _leaves_in(content)
        within = bisect_left(page, key, key=lambda leaf: leaf[0])
        leaves = page[max(0, within - 1) : within + 1]
        if within == len(page) and (place := (index + 1) * TILE_WIDTH) < self.segment.leaves:
            return place, [*leaves, *self._leaves(index + 1)[:1]]
        return index * TILE_WIDTH + within, leaves

    def look_up(self, nodes: list[Node]) -> Mapping[Node, bytes]:
        try:
            return nodes_from_tiles(nodes, self.segment.leaves, self._tile)
        except NotContinued:
            raise Damaged from None

    def _tile(self, tile: Tile) -> bytes:
        if tile.level:
            return self._content(tile.level, tile.index)
        return b"".join(map(leaf_of, self._leaves(tile.index)))

    def _leaves(self, index: int) -> list[Leaf]:
        return _leaves_in(self._content(0, index))

    def _content(self, level: int, index: int) -> bytes:
        row = self._database.execute(_TILE, [*self.segment.bounds, level, index], binary=True).fetchone()
        content: bytes = row[0] if row else b""
        return content


def _leaves_in(content: bytes) -> list[Leaf]:
    middle = HASH_SIZE
    return [
        (content[at : at + middle], content[at + middle : at + LEAF_SIZE]) for at in range(0, len(content), LEAF_SIZE)
    ]


def proved(database: Database, size: int, keys: Sequence[bytes]) -> Iterator[tuple[Segment, list[Proof]]]:
    """Each segment of the map of so many entries, with what proves for each key that it has no positions there, or which
    leaf has them; the positions are not in it. One segment at a time is held in memory.

    The database is in a transaction that stays in one moment. Raises Damaged.
    """
    kept = {each.bounds: each for each in kept_segments(database)}
    for bounds in segments_of(size):
        part: Leaves = _Stored(database, kept[bounds]) if bounds in kept else _Made(database, bounds)
        yield part.segment, [_proof(part, key) for key in keys]


def _proof(part: Leaves, key: bytes) -> Proof:
    place, around = part.around(key)
    first = max(0, place - 1)
    if around and around[-1][0] == key:
        around, first = around[-1:], place
    try:
        leaves = [_place(part, leaf, first + number) for number, leaf in enumerate(around)]
    except (MissingNode, ValueError):
        raise Damaged from None
    return Proof(place, [], leaves)


def _place(part: Leaves, leaf: Leaf, place: int) -> Place:
    path = inclusion_proof(place, part.segment.leaves, part.look_up)
    return Place(leaf[0].hex(), leaf[1].hex(), [each.hex() for each in path])


_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('caseledger map ' || current_schema(), 0))"
_SEGMENTS: Final = "SELECT after, upto, leaves, root FROM map_segments ORDER BY after, upto"
_ADD: Final = "INSERT INTO map_segments (after, upto, leaves, root) VALUES (%s, %s, %s, %s)"
_WRITE: Final = """
INSERT INTO map_tiles (after, upto, level, index, first_key, content)
SELECT %s, %s, new.* FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[], %s::bytea[]) AS new
"""
_SUPERSEDED: Final = (
    "DELETE FROM map_tiles WHERE after >= %(after)s AND upto <= %(upto)s AND upto - after < %(upto)s - %(after)s",
    "DELETE FROM map_segments WHERE after >= %(after)s AND upto <= %(upto)s AND upto - after < %(upto)s - %(after)s",
)
_TILE: Final = "SELECT content FROM map_tiles WHERE after = %s AND upto = %s AND level = %s AND index = %s"
_PAGE: Final = """
SELECT index, content FROM map_tiles WHERE after = %s AND upto = %s AND level = 0 AND first_key <= %s
ORDER BY first_key DESC LIMIT 1
"""
# An event that bears an enterprise by two of its tags is there once.
_LEAVES: Final = r"""
WITH borne AS (
    SELECT position, type, bearer.uscc FROM events
    CROSS JOIN LATERAL (
        SELECT DISTINCT split_part(tag, ':', 2) AS uscc FROM unnest(tags) AS tag
        WHERE split_part(tag, ':', 1) = ANY (%(bearers)s)
    ) AS bearer
    WHERE position > %(after)s AND position <= %(upto)s
), keyed AS (
    SELECT sha256(convert_to('enterprise:' || uscc, 'UTF8') || '\x00'::bytea || asked.type) AS key, position
    FROM borne CROSS JOIN LATERAL (VALUES (''::bytea), (convert_to(borne.type, 'UTF8'))) AS asked (type)
)
SELECT key, sha256(string_agg(int8send(position), ''::bytea ORDER BY position)) FROM keyed GROUP BY key ORDER BY key
"""
