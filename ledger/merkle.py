"""The Merkle tree over the entries: RFC 9162 §2.1 (the tree of RFC 6962) with SHA-256, and its C2SP tlog-tiles.

A hash is 32 bytes. A leaf's index counts from 0: the entry at position p is leaf p - 1. Node (level, index) is the root
of the complete subtree over the leaves index·2^level … (index + 1)·2^level - 1; level 0 holds the leaves' hashes. Only
complete subtrees are kept: their hashes never change, whatever is appended. The hash of any range that a proof names is
folded from at most log2(size) of them.

Nothing is read here. A proof asks once, by a `LookUp`, for all the nodes that it needs.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Final, Self

Node = tuple[int, int]
"""Level and index of a complete subtree."""
LookUp = Callable[[list[Node]], Mapping[Node, bytes]]
"""Gives the hashes of nodes; one that it leaves out is reported as missing."""
Row = tuple[int, int, list[bytes]]
"""Neighbouring nodes of a level: the level, the first one's index, the hashes."""
Range = tuple[int, int]
"""Leaves from the first index up to, not including, the second."""

HASH_SIZE: Final = 32
LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = sha256(b"").digest()

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HIGHEST_TILE_LEVEL: Final = 63
ENTRIES: Final = -1
"""The tile level of entry bundles: below the leaves' hashes, which are level 0."""
LONGEST_BUNDLED_ENTRY: Final = 0xFFFF
"""Bytes: an entry bundle gives each entry's length in 16 bits."""

_TILE_PATH: Final = re.compile(r"tile/([0-9]{1,2}|entries)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?")


class MissingNode(LookupError):
    """The store gave no hash for a node that every tree of this size has: it is damaged, or was asked beyond its head."""

    def __init__(self, node: Node) -> None:
        super().__init__(
            f"The store has no hash for node (level {node[0]}, index {node[1]}): "
            "ask within the head; if this is within it, the store is damaged."
        )
        self.node = node


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(LEAF_PREFIX + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(NODE_PREFIX + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that must be known of it to append to it. Made by `Frontier.of` and `extend`."""

    size: int
    """Leaves."""
    hashes: tuple[bytes, ...]
    """The complete subtrees that the tree falls into, from the left: one for each one-bit of the size, largest first."""

    @classmethod
    def of(cls, size: int, hashes: Mapping[Node, bytes]) -> Self:
        """The edge of the tree of `size` leaves, from a store's answer to `frontier_nodes(size)`. Raises MissingNode."""
        return cls(size, tuple(_hash_of(node, hashes) for node in frontier_nodes(size)))

    @property
    def root(self) -> bytes:
        return _fold(self.hashes)

    def extend(self, leaf_hashes: Iterable[bytes]) -> tuple[Self, list[Row]]:
        """The edge with these leaves appended, and every node that they complete, leaves included: a row a level.

        Of n leaves, n to 2n + log2(size) nodes come.
        """
        row = list(leaf_hashes)
        size = self.size + len(row)
        rows: list[Row] = []
        kept = list(self.hashes)
        edge: list[bytes] = []
        level = 0
        while row:
            first = self.size >> level
            rows.append((level, first, row))
            left = [kept.pop(), *row] if first & 1 else row
            if len(left) & 1:
                edge.append(left[-1])
            row = [node_hash(*pair) for pair in zip(left[::2], left[1::2], strict=False)]
            level += 1
        return type(self)(size, (*kept, *reversed(edge))), rows


def nodes_in(rows: Iterable[Row]) -> list[tuple[int, int, bytes]]:
    """Level, index and hash of each node of the rows, in order."""
    return [(level, index, hash_) for level, first, hashes in rows for index, hash_ in enumerate(hashes, first)]


def frontier_nodes(size: int) -> list[Node]:
    """The complete subtrees that a tree of `size` leaves falls into, from the left. Its root is folded from them."""
    if size < 0:
        raise ValueError(f"A tree has 0 or more leaves; got {size}.")
    return _subtrees((0, size))


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """The nodes that the inclusion proof of a leaf in the tree of `size` leaves is made from: O(log size)."""
    return _nodes_under(_inclusion_path(index, size))


def inclusion_proof(index: int, size: int, look_up: LookUp) -> list[bytes]:
    """PATH(index, D_size) of RFC 9162 §2.1.3.1: hashes from the leaf's sibling up. Raises ValueError, MissingNode."""
    return _hashes_of(_inclusion_path(index, size), look_up)


def latest_proofs(before: Frontier, after: Frontier, rows: Sequence[Row]) -> list[tuple[bytes, ...]]:
    """The inclusion proofs of the leaves by which `before` was extended, in order, in the tree that this gave.

    `rows` are what `extend` completed. What proofs share is made once: a leaf costs O(1) beside what goes into its proof.
    """
    left = dict(zip(frontier_nodes(before.size), before.hashes, strict=True))
    known = _proofs_of_subtrees(after)
    proofs: list[tuple[bytes, ...]] = []
    first_above = 0
    for level, first, hashes in reversed(rows):
        above, proofs = proofs, []
        for index in range(first, first + len(hashes)):
            proof = known.get((level, index))
            if proof is None:
                beside = index ^ 1
                sibling = hashes[beside - first] if beside >= first else left[level, beside]
                proof = (sibling, *above[(index >> 1) - first_above])
            proofs.append(proof)
        first_above = first
    return proofs


def _proofs_of_subtrees(edge: Frontier) -> dict[Node, tuple[bytes, ...]]:
    """What proves each of the complete subtrees that a tree falls into: all to its right as one hash, then its left ones."""
    proofs: dict[Node, tuple[bytes, ...]] = {}
    right: tuple[bytes, ...] = ()
    for place, node in reversed(list(enumerate(frontier_nodes(edge.size)))):
        proofs[node] = (*right, *reversed(edge.hashes[:place]))
        right = (node_hash(edge.hashes[place], *right) if right else edge.hashes[place],)
    return proofs


def consistency_proof(first: int, second: int, look_up: LookUp) -> list[bytes]:
    """PROOF(first, D_second) of RFC 9162 §2.1.4.1; of a tree with itself it is empty. Raises ValueError, MissingNode."""
    return _hashes_of(_consistency_path(first, second), look_up)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows the leaf of this hash to be at `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not (0 <= index < size and _are_hashes(leaf, *proof)):
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the first tree to be how the second began (RFC 9162 §2.1.4.2).

    Two trees of one size are consistent when their roots are equal and the proof is empty. No proof says anything of an
    empty tree: whoever has seen none yet takes the first one on trust.
    """
    if first == second:
        return first > 0 and not proof and first_root == second_root
    if not (0 < first < second and proof and _are_hashes(first_root, *proof)):
        return False
    path = [first_root, *proof] if first & (first - 1) == 0 else proof
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of C2SP tlog-tiles: `width` neighbouring nodes of level 8·`level`, or (level ENTRIES) as many entries."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not ENTRIES <= self.level <= HIGHEST_TILE_LEVEL:
            raise ValueError(f"A tile's level is entries or 0 to {HIGHEST_TILE_LEVEL}; got {self.level}.")
        if self.index < 0:
            raise ValueError(f"A tile's index is 0 or more; got {self.index}.")
        if not 1 <= self.width <= TILE_WIDTH:
            raise ValueError(f"A tile is 1 to {TILE_WIDTH} wide; got {self.width}.")

    @classmethod
    def parse(cls, path: str) -> Self:
        """The tile of a path such as tile/0/x001/234 or tile/entries/007.p/112. Raises ValueError on any other text."""
        found = _TILE_PATH.fullmatch(path)
        if found is None:
            raise ValueError(f"A tile's path reads tile/LEVEL/INDEX or tile/LEVEL/INDEX.p/WIDTH; got {path[:80]!r}.")
        level, index, width = found.groups()
        tile = cls(
            ENTRIES if level == "entries" else int(level),
            int(index.replace("x", "").replace("/", "")),
            TILE_WIDTH if width is None else int(width),
        )
        if tile.path != path:
            raise ValueError(f"The path of that tile is {tile.path}; got {path!r}.")
        return tile

    @property
    def path(self) -> str:
        """Its path below the log's prefix. Index 1234067 reads x001/x234/067; a full tile's width is not written."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *parents, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return "/".join(["tile", level, *(f"x{parent}" for parent in parents), last]) + partial

    @property
    def span(self) -> range:
        """The indexes of its nodes within their level; of an entry bundle, those of its entries."""
        first = self.index * TILE_WIDTH
        return range(first, first + self.width)

    @property
    def nodes(self) -> list[Node]:
        """Its nodes, from the left; of an entry bundle, the leaves that its entries hash to."""
        level = max(self.level, 0) * TILE_HEIGHT
        return [(level, index) for index in self.span]

    def is_within(self, size: int) -> bool:
        """Whether a tree of `size` leaves has all of it. Only then may it be asked for and kept for ever."""
        return self.span.stop <= size >> (max(self.level, 0) * TILE_HEIGHT)


def tile(level: int, index: int, width: int, look_up: LookUp) -> bytes:
    """The bytes of a hash tile: `width` hashes of 32 bytes, from the left. Raises ValueError, MissingNode."""
    if level == ENTRIES:
        raise ValueError("An entry bundle holds entries, not hashes: make it with entry_bundle.")
    nodes = Tile(level, index, width).nodes
    hashes = look_up(nodes)
    return b"".join(_hash_of(node, hashes) for node in nodes)


def entry_bundle(entries: Iterable[bytes]) -> bytes:
    """The bytes of an entry bundle: each entry after its length in two bytes, big-endian. Raises ValueError."""
    return b"".join(_length(entry) + entry for entry in entries)


def _length(entry: bytes) -> bytes:
    if len(entry) > LONGEST_BUNDLED_ENTRY:
        raise ValueError(f"An entry of a bundle has at most {LONGEST_BUNDLED_ENTRY} bytes; got {len(entry)}.")
    return len(entry).to_bytes(2)


def _are_hashes(*values: bytes) -> bool:
    # Of other lengths, two different pairs could be one and the same text under a node's hash.
    return all(len(value) == HASH_SIZE for value in values)


def split(begin: int, end: int) -> int:
    """Where a range of two or more leaves is split: after the largest power of two of leaves below its width."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _inclusion_path(index: int, size: int) -> list[Range]:
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has the indexes 0 to {size - 1}; got {index}.")
    begin, end = 0, size
    path: list[Range] = []
    while end - begin > 1:
        middle = split(begin, end)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin = middle
    return path[::-1]


def _consistency_path(first: int, second: int) -> list[Range]:
    if not 0 < first <= second:
        raise ValueError(f"A tree of {second} leaves is consistent with one of 1 to {second}; got {first}.")
    begin, end = 0, second
    path: list[Range] = []
    while first != end:
        middle = split(begin, end)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin = middle
    # From the first leaf on it is the first tree itself, whose root the verifier has.
    if begin:
        path.append((begin, end))
    return path[::-1]


def _subtrees(leaves: Range) -> list[Node]:
    """The complete subtrees that a range of the tree falls into, from the left."""
    begin, end = leaves
    nodes: list[Node] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def _nodes_under(path: list[Range]) -> list[Node]:
    return [node for leaves in path for node in _subtrees(leaves)]


def _hashes_of(path: list[Range], look_up: LookUp) -> list[bytes]:
    hashes = look_up(_nodes_under(path))
    return [_hash_over(leaves, hashes) for leaves in path]


def _hash_over(leaves: Range, hashes: Mapping[Node, bytes]) -> bytes:
    width = leaves[1] - leaves[0]
    if width & (width - 1) == 0:
        # Ranges of the tree begin at a multiple of their width, so this one is complete: nothing is to be folded.
        level = width.bit_length() - 1
        return _hash_of((level, leaves[0] >> level), hashes)
    return _fold([_hash_of(node, hashes) for node in _subtrees(leaves)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The hash of a range, from those of the complete subtrees that it falls into."""
    if not hashes:
        return EMPTY_ROOT
    return reduce(lambda right, left: node_hash(left, right), reversed(hashes))


def _hash_of(node: Node, hashes: Mapping[Node, bytes]) -> bytes:
    found = hashes.get(node)
    if found is None:
        raise MissingNode(node)
    return found
