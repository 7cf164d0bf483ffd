"""The enterprise map: what its proofs show, by a naive oracle, and that whatever is changed in one shows nothing."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.enterprise_map import (
    NotProved,
    Place,
    Proof,
    Segment,
    check_proof,
    is_whole,
    key_of,
    leaf_of,
    map_root,
    names_map,
    number_of_segments,
    segment_over,
    segments_of,
    value_of,
    with_map,
)
from ledger.map_keeping import Building
from ledger.merkle import TILE_WIDTH, Tile, inclusion_proof, leaf_hash, verify_inclusion
from ledger.notes import Checkpoint
from ledger.witnessing import nodes_from_tiles
from mapped_naively import Borne, leaves_of, proof_of, segment_of

USCCS: Final = [f"U{number}" for number in range(5)]
TYPES: Final = ["PenaltyImposed", "InterviewHeld", "EventVoided"]
KINDS: Final = ["enterprise:{}", "decisions:{}", "complaints:{}:2020-01-02", "licence:{}", "enterpriser:{}"]
TAGS: Final = st.builds(str.format, st.sampled_from(KINDS), st.sampled_from(USCCS))
ENTRIES: Final = st.lists(st.builds(Borne, st.sampled_from(TYPES), st.lists(TAGS, max_size=3).map(tuple)), max_size=24)


@given(ENTRIES, st.sampled_from([*USCCS, "U9"]), st.sampled_from(["", *TYPES]))
@settings(max_examples=80, deadline=None)
def test_a_segment_proves_exactly_the_positions_that_bear_an_enterprise(
    entries: list[Borne], uscc: str, type_: str
) -> None:
    leaves = leaves_of(entries, 0, len(entries))
    segment = segment_over((0, len(entries)), leaves)
    assert segment == segment_of(leaves, 0, len(entries))
    positions = [
        position
        for position, entry in enumerate(entries, 1)
        if type_ in ("", entry.type)
        and {f"enterprise:{uscc}", f"decisions:{uscc}", f"complaints:{uscc}:2020-01-02"} & {*entry.tags}
    ]
    key = key_of(uscc, type_)
    check_proof(proof_of(leaves, key, positions), key, segment)
    # No other list of positions has a proof, and what is there cannot be said to be absent.
    for wrong in {(), (1,), (*positions, len(entries)), tuple(positions[1:])} - {tuple(positions)}:
        with pytest.raises(NotProved):
            check_proof(proof_of(leaves, key, wrong), key, segment)


@given(st.integers(0, 3_500_000))
def test_the_number_of_entries_alone_says_which_segments_a_map_has(size: int) -> None:
    found = list(segments_of(size))
    assert len(found) == number_of_segments(size) <= 3 + 15 + 15 + 1
    assert [0, *(upto for _, upto in found)] == [*(after for after, _ in found), size]
    assert all(is_whole(bounds) for bounds in found[:-1])
    widths = [upto - after for after, upto in found]
    assert widths == sorted(widths, reverse=True)
    assert is_whole((0, 4_095)) is is_whole((1, 4_097)) is False


def test_no_leaf_of_the_map_is_one_of_the_log_and_no_key_another() -> None:
    assert leaf_of((key_of("A"), value_of([1]))) != leaf_hash(key_of("A") + value_of([1]))
    assert len({key_of("A"), key_of("A", "B"), key_of("AB"), key_of("", "AB")}) == 4
    assert len({value_of([1]), value_of([1, 2]), value_of([256]), value_of([])}) == 4


def test_the_root_of_a_map_is_over_all_that_a_segment_is() -> None:
    one = Segment(0, 7, 3, b"r" * 32)
    other = [one._replace(after=1), one._replace(upto=8), one._replace(leaves=2), one._replace(root=b"s" * 32)]
    assert len({map_root([one]), map_root([]), map_root([one, one]), *(map_root([each]) for each in other)}) == 7


def test_a_checkpoint_names_one_map_and_nothing_else() -> None:
    named = with_map("log", 7, b"r" * 32, b"m" * 32)
    assert Checkpoint.parse(named.text) == named
    assert named.text.splitlines()[3].startswith("enterprise-map ")
    assert names_map(named, b"m" * 32)
    for extensions in ((), (*named.extensions, "more"), named.extensions * 2):
        assert not names_map(Checkpoint("log", 7, b"r" * 32, extensions), b"m" * 32)
    assert not names_map(named, b"n" * 32)


# Whatever is changed

HISTORY: Final = [Borne(TYPES[number % 3], (f"enterprise:{USCCS[number % 5]}",)) for number in range(20)]
LEAVES: Final = leaves_of(HISTORY, 0, 20)
SEGMENT: Final = segment_of(LEAVES, 0, 20)
PRESENT: Final = key_of("U1")
ABSENT: Final = next(key for key in map(key_of, map(str, range(9_999))) if LEAVES[4][0] < key < LEAVES[5][0])
FIRST: Final = next(key for key in map(key_of, map(str, range(9_999))) if key < LEAVES[0][0])
LAST: Final = next(key for key in map(key_of, map(str, range(9_999))) if key > LEAVES[-1][0])


def held(key: bytes) -> Proof:
    return proof_of(LEAVES, key, [2, 7, 12, 17] if key == PRESENT else [])


def placed(proof: Proof, number: int, **changed: Any) -> Proof:
    place = proof.leaves[number]
    kept = {"key": place.key, "value": place.value, "path": place.path}
    leaves = [*proof.leaves]
    leaves[number] = Place(**{**kept, **changed})
    return Proof(proof.index, proof.positions, leaves)


def at_place(index: int) -> Place:
    return proof_of(LEAVES, LEAVES[index][0], [1]).leaves[0]


CHANGED: Final[dict[str, tuple[bytes, Callable[[Proof], Proof]]]] = {
    "a position more": (PRESENT, lambda proof: Proof(proof.index, [*proof.positions, 18], proof.leaves)),
    "a position less": (PRESENT, lambda proof: Proof(proof.index, proof.positions[1:], proof.leaves)),
    "another position": (PRESENT, lambda proof: Proof(proof.index, [3, *proof.positions[1:]], proof.leaves)),
    "positions in another order": (PRESENT, lambda proof: Proof(proof.index, proof.positions[::-1], proof.leaves)),
    "a position twice": (PRESENT, lambda proof: Proof(proof.index, [2, *proof.positions], proof.leaves)),
    "a position beyond": (PRESENT, lambda proof: Proof(proof.index, [*proof.positions, 2**64], proof.leaves)),
    "a position below": (PRESENT, lambda proof: Proof(proof.index, [-1, *proof.positions], proof.leaves)),
    "no positions": (PRESENT, lambda proof: Proof(proof.index, [], proof.leaves)),
    "said to be absent": (PRESENT, lambda proof: Proof(proof.index, [], [at_place(proof.index - 1), *proof.leaves])),
    "absent after itself": (
        PRESENT,
        lambda proof: Proof(proof.index + 1, [], [*proof.leaves, at_place(proof.index + 1)]),
    ),
    "another index": (PRESENT, lambda proof: Proof(proof.index + 1, proof.positions, proof.leaves)),
    "an index below": (PRESENT, lambda proof: Proof(-1, proof.positions, proof.leaves)),
    "an index beyond": (ABSENT, lambda proof: Proof(len(LEAVES) + 1, [], proof.leaves)),
    "another's leaf": (PRESENT, lambda proof: Proof(5, proof.positions, [at_place(5)])),
    "a leaf too many": (PRESENT, lambda proof: Proof(proof.index, proof.positions, proof.leaves * 2)),
    "no leaf": (PRESENT, lambda proof: Proof(proof.index, proof.positions, [])),
    "a value": (PRESENT, lambda proof: placed(proof, 0, value="0" * 64)),
    "a key": (PRESENT, lambda proof: placed(proof, 0, key="0" * 64)),
    "a hash": (PRESENT, lambda proof: placed(proof, 0, path=["0" * 64, *proof.leaves[0].path[1:]])),
    "a hash less": (PRESENT, lambda proof: placed(proof, 0, path=proof.leaves[0].path[1:])),
    "a short hash": (PRESENT, lambda proof: placed(proof, 0, path=["00", *proof.leaves[0].path[1:]])),
    "no hexadecimal": (PRESENT, lambda proof: placed(proof, 0, key="x")),
    "key and value parted elsewhere": (
        PRESENT,
        lambda proof: placed(
            proof, 0, key=proof.leaves[0].key[:-2], value=proof.leaves[0].key[-2:] + proof.leaves[0].value
        ),
    ),
    "neighbours in another order": (ABSENT, lambda proof: Proof(proof.index, [], proof.leaves[::-1])),
    "a neighbour left out": (ABSENT, lambda proof: Proof(proof.index, [], proof.leaves[:1])),
    "a gap between neighbours": (ABSENT, lambda proof: Proof(5, [], [at_place(4), at_place(6)])),
    "a gap before": (ABSENT, lambda proof: Proof(5, [], [at_place(3), at_place(5)])),
    "neighbours of another place": (ABSENT, lambda proof: Proof(7, [], [at_place(6), at_place(7)])),
    "a place at the end": (ABSENT, lambda proof: Proof(len(LEAVES), [], [at_place(len(LEAVES) - 1)])),
    "a place at the begin": (ABSENT, lambda proof: Proof(0, [], [at_place(0)])),
    "the first without its neighbour": (FIRST, lambda proof: Proof(0, [], [])),
    "the last without its neighbour": (LAST, lambda proof: Proof(len(LEAVES), [], [])),
}


@pytest.mark.parametrize("key", [PRESENT, ABSENT, FIRST, LAST])
def test_what_is_not_changed_holds(key: bytes) -> None:
    check_proof(held(key), key, SEGMENT)
    with pytest.raises(NotProved):
        check_proof(held(key), key_of("another"), SEGMENT)


@pytest.mark.parametrize("name", CHANGED)
def test_whatever_is_changed_in_a_proof_shows_nothing(name: str) -> None:
    key, edit = CHANGED[name]
    with pytest.raises(NotProved):
        check_proof(edit(held(key)), key, SEGMENT)


def test_a_proof_is_of_its_own_segment() -> None:
    for other in (SEGMENT._replace(root=b"r" * 32), Segment(0, 20)):
        with pytest.raises(NotProved):
            check_proof(held(ABSENT), ABSENT, other)
    check_proof(Proof(0, [], []), ABSENT, Segment(0, 20))


def test_a_segment_of_many_pages_is_proved_from_its_tiles() -> None:
    leaves = [(key_of(str(number)), value_of([number])) for number in range(66_000)]
    leaves.sort()
    building, tiles = Building((0, 99_999)), {}
    for begin in range(0, len(leaves), TILE_WIDTH):
        tiles.update({(each.level, each.number): each for each in building.add(leaves[begin : begin + TILE_WIDTH])})
    tiles.update({(each.level, each.number): each for each in building.end()})
    assert building.segment == segment_over((0, 99_999), leaves)
    assert Counter(level for level, _ in tiles) == {0: 258, 1: 2, 2: 1}
    assert len(tiles[1, 1].content) == 32

    def fetch(tile: Tile) -> bytes:
        if tile.level:
            return tiles[tile.level, tile.index].content
        return b"".join(map(leaf_of, leaves[tile.index * TILE_WIDTH :][:TILE_WIDTH]))

    for place in (0, 40_000, 65_535, 65_536, 65_999):
        path = inclusion_proof(place, 66_000, lambda nodes: nodes_from_tiles(nodes, 66_000, fetch))
        assert verify_inclusion(leaf_of(leaves[place]), place, 66_000, path, building.segment.root)
        assert tiles[0, place // TILE_WIDTH].first_key == leaves[place // TILE_WIDTH * TILE_WIDTH][0]
