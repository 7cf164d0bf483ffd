"""What a witness must find before it cosigns: that a log's checkpoint continues the last one that it saw.

It believes nothing but its own memory. Tiles come from the log itself; the proof made of them holds only if it leads to
the root seen then and to the root signed now. Nothing is read here: tiles come by a function.
"""

from collections.abc import Callable, Mapping

from ledger.merkle import (
    HASH_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    Node,
    Tile,
    consistency_proof,
    node_hash,
    verify_consistency,
)
from ledger.notes import Checkpoint

Fetch = Callable[[Tile], bytes]
"""Gives the bytes of a hash tile."""


class NotContinued(Exception):
    """The log's checkpoint is not the continuation of what was seen before; the message says in which way."""


def check_continuation(seen: Checkpoint, new: Checkpoint, fetch: Fetch) -> None:
    """Raises NotContinued unless the tree of `new` begins with the tree of `seen`, by RFC 9162 §2.1.4.

    At most 2·log2(size) tiles are fetched, each once. What `fetch` raises goes through.
    """
    if new.size < seen.size:
        raise NotContinued(f"The log has shrunk: it had {seen.size} entries and now signs for {new.size}.")
    if new.size == seen.size:
        if new.root != seen.root:
            raise NotContinued(
                f"The log is split: for {new.size} entries it signed the root {seen.root.hex()} and now {new.root.hex()}."
            )
        return
    if seen.size == 0:
        return
    proof = consistency_proof(seen.size, new.size, lambda nodes: nodes_from_tiles(nodes, new.size, fetch))
    if not verify_consistency(seen.size, new.size, seen.root, new.root, proof):
        raise NotContinued(
            f"The log is rewritten: its first {seen.size} of {new.size} entries are not those that it signed before."
        )


def nodes_from_tiles(nodes: list[Node], size: int, fetch: Fetch) -> Mapping[Node, bytes]:
    """The hashes of nodes of a tree of `size` leaves, from its tiles. Raises NotContinued for a tile of another length."""
    tiles: dict[Tile, bytes] = {}
    found: dict[Node, bytes] = {}
    for level, index in nodes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        tile = _widest(tile_level, first // TILE_WIDTH, size)
        if tile not in tiles:
            tiles[tile] = _checked(tile, fetch(tile))
        found[level, index] = _folded(tiles[tile], first % TILE_WIDTH, height)
    return found


def _widest(level: int, index: int, size: int) -> Tile:
    """The tile as wide as a tree of this size has it."""
    return Tile(level, index, min(TILE_WIDTH, (size >> level * TILE_HEIGHT) - index * TILE_WIDTH))


def _checked(tile: Tile, content: bytes) -> bytes:
    if len(content) != tile.width * HASH_SIZE:
        raise NotContinued(f"The log's {tile.path} has {len(content)} bytes, not {tile.width * HASH_SIZE}.")
    return content


def _folded(content: bytes, first: int, height: int) -> bytes:
    """The root of the 2^height hashes of a tile from the first on."""
    row = [content[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(first, first + (1 << height))]
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]
