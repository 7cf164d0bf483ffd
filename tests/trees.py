"""Trees to prove things of: the nodes that a store would hold, in memory."""

from collections.abc import Iterable
from functools import cache
from random import Random

from ledger.merkle import HASH_SIZE, Frontier, Node, leaf_hash

MILLION = 1_000_000


def entry(index: int) -> bytes:
    return b"entry %d" % index


class KeptTree:
    """A tree's nodes as bytes, one row to a level, and how often they were asked for."""

    def __init__(self) -> None:
        self.frontier = Frontier.of(0, {})
        self.rows: list[bytearray] = []
        self.asked: list[list[Node]] = []

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        self.frontier, rows = self.frontier.extend(leaf_hashes)
        for level, first, hashes in rows:
            if level == len(self.rows):
                self.rows.append(bytearray())
            assert first == len(self.rows[level]) // HASH_SIZE, "a node came twice, or out of its order"
            self.rows[level] += b"".join(hashes)

    def look_up(self, nodes: list[Node]) -> dict[Node, bytes]:
        self.asked.append(nodes)
        return {node: self[node] for node in nodes}

    def __getitem__(self, node: Node) -> bytes:
        level, index = node
        found = bytes(self.rows[level][index * HASH_SIZE : (index + 1) * HASH_SIZE])
        assert len(found) == HASH_SIZE, f"node {node} is not complete in a tree of {self.frontier.size} leaves"
        return found

    def leaves(self, size: int) -> list[bytes]:
        return [self[0, index] for index in range(size)]


@cache
def kept(size: int) -> KeptTree:
    """The tree over entry(0) … entry(size - 1), appended in lots of random sizes."""
    tree, random = KeptTree(), Random(size)
    while (first := tree.frontier.size) < size:
        tree.extend(leaf_hash(entry(index)) for index in range(first, min(size, first + random.randint(0, 100_000))))
    return tree
