from random import Random

import pytest

from ledger.merkle import Frontier, Tile, frontier_nodes, tile
from ledger.notes import Checkpoint
from ledger.witnessing import NotContinued, check_continuation, nodes_from_tiles
from trees import KeptTree, kept

SIZE = 70_000


def fetched(tree: KeptTree, size: int, asked: Tile) -> bytes:
    assert asked.is_within(size), f"{asked.path} is not within {size}"
    return tile(asked.level, asked.index, asked.width, tree.look_up)


def checkpoint(size: int) -> Checkpoint:
    return Checkpoint("log", size, Frontier.of(size, kept(SIZE).look_up(frontier_nodes(size))).root)


def check(seen: Checkpoint, new: Checkpoint) -> None:
    check_continuation(seen, new, lambda asked: fetched(kept(SIZE), new.size, asked))


@pytest.mark.parametrize("seed", range(30))
def test_a_log_that_grew_continues_by_tiles_that_it_has(seed: int) -> None:
    random = Random(seed)
    second = random.choice([SIZE, 65_536, random.randint(1, 600), random.randint(601, SIZE)])
    check(checkpoint(random.randint(1, second)), checkpoint(second))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_535, 65_536, 65_537, SIZE])
def test_the_nodes_from_tiles_are_those_of_the_tree(size: int) -> None:
    nodes = frontier_nodes(size)
    found = nodes_from_tiles(nodes, size, lambda asked: fetched(kept(SIZE), size, asked))
    assert found == kept(SIZE).look_up(nodes)


@pytest.mark.parametrize(
    ("seen", "new", "said"),
    [
        (checkpoint(300), checkpoint(299), "The log has shrunk: it had 300 entries and now signs for 299."),
        (checkpoint(300), Checkpoint("log", 300, bytes(32)), "The log is split: for 300 entries"),
        (Checkpoint("log", 300, bytes(32)), checkpoint(400), "The log is rewritten: its first 300 of 400 entries"),
        (Checkpoint("log", 256, bytes(32)), checkpoint(400), "The log is rewritten: its first 256 of 400 entries"),
        (checkpoint(300), Checkpoint("log", 400, bytes(32)), "The log is rewritten: its first 300 of 400 entries"),
    ],
)
def test_what_does_not_continue_is_said(seen: Checkpoint, new: Checkpoint, said: str) -> None:
    with pytest.raises(NotContinued, match=said):
        check(seen, new)


def test_a_tile_of_another_length_proves_nothing() -> None:
    with pytest.raises(NotContinued, match=r"The log's tile/0/000 has 31 bytes, not 8192"):
        check_continuation(checkpoint(255), checkpoint(300), lambda _: bytes(31))
