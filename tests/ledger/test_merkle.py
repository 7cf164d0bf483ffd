"""The tree against the published vectors of Certificate Transparency and against the definition of RFC 9162 itself."""

from base64 import b64decode
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import (
    EMPTY_ROOT,
    ENTRIES,
    Frontier,
    MissingNode,
    Tile,
    consistency_proof,
    entry_bundle,
    frontier_nodes,
    inclusion_nodes,
    inclusion_proof,
    latest_proofs,
    leaf_hash,
    node_hash,
    nodes_in,
    tile,
    verify_consistency,
    verify_inclusion,
)
from naive.tree import path_of, proof_of, root_of
from trees import MILLION, KeptTree, entry, kept

# The tree of eight leaves of the Certificate Transparency reference implementation: github.com/transparency-dev/merkle,
# testonly/constants.go (LeafInputs, NodeHashes, RootHashes).
REFERENCE_ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
REFERENCE_NODES = {
    (0, 0): "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    (0, 1): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    (0, 2): "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
    (0, 3): "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
    (0, 4): "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    (0, 5): "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
    (0, 6): "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    (0, 7): "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
    (1, 0): "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    (1, 1): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    (1, 2): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    (1, 3): "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    (2, 0): "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 1): "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (3, 0): "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
REFERENCE_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# The same project's testdata/inclusion/0 … 4/happy-path.json: index, size, proof.
REFERENCE_INCLUSIONS: list[tuple[int, int, list[str]]] = [
    (0, 1, []),
    (
        0,
        8,
        [
            "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
            "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
            "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
        ],
    ),
    (
        5,
        8,
        [
            "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
            "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
        ],
    ),
    (2, 3, ["+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU="]),
    (
        1,
        5,
        [
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
            "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
            "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
        ],
    ),
]
# The same project's testdata/consistency/0 … 4/happy-path.json: first and second size, proof.
REFERENCE_CONSISTENCIES: list[tuple[int, int, list[str]]] = [
    (1, 1, []),
    (
        1,
        8,
        [
            "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
            "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
            "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
        ],
    ),
    (
        6,
        8,
        [
            "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
            "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
        ],
    ),
    (
        2,
        5,
        [
            "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
            "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
        ],
    ),
    (
        6,
        7,
        [
            "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
            "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=",
            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
        ],
    ),
]
# The same project's compact/range_test.go (TestGetRootHashGolden): leaf i is the two bytes of i, the low one first.
GOLDEN_ROOTS = {
    10: "VjWMPSYNtCuCNlF/RLnQy6HcwSk6CIipfxm+hettA+4=",
    15: "j4SulYmocFuxdeyp12xXCIgK6PekBcxzAIj4zbQzNEI=",
    16: "c+4Uc6BCMOZf/v3NZK1kqTUJe+bBoFtOhP+P3SayKRE=",
    100: "dUh9hYH88p0CMoHkdr1wC2szbhcLAXOejWpINIooKUY=",
    255: "SmdsuKUqiod3RX2jyF2M6JnbdE4QuTwwipfAowI4/i0=",
    256: "qFI0t/tZ1MdOYgyPpPzHFiZVw86koScXy9q3FU5casA=",
    1000: "RXrgb8xHd55Y48FbfotJwCbV82Kx22LZfEbmBGAvwlQ=",
    4095: "cWRFdQhPcjn9WyBXE/r1f04ejxIm5lvg40DEpRBVS0w=",
    4096: "6uU/phfHg1n/GksYT6TO9aN8EauMCCJRl3dIK0HDs2M=",
    10000: "VZcav65F9haHVRk3wre2axFoBXRNeUh/1d9d5FQfxIg=",
    65535: "iPuVYJhP6SEE4gUFp8qbafd2rYv9YTCDYqAxCj8HdLM=",
}


@pytest.fixture(scope="module", autouse=True)
def million() -> KeptTree:
    """Made before any test, so that no example pays for it within its deadline."""
    return kept(MILLION)


def tree_over(entries: list[bytes]) -> KeptTree:
    tree = KeptTree()
    tree.extend(map(leaf_hash, entries))
    return tree


def root_at(size: int) -> bytes:
    tree = kept(MILLION)
    return Frontier.of(size, tree.look_up(frontier_nodes(size))).root


def test_an_entry_and_two_hashes_are_hashed_under_different_prefixes() -> None:
    # github.com/transparency-dev/merkle, rfc6962/rfc6962_test.go
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"


@pytest.mark.parametrize("size", range(9))
def test_the_reference_tree_has_its_published_root_at_every_size(size: int) -> None:
    tree = tree_over(REFERENCE_ENTRIES[:size])
    assert tree.frontier.root.hex() == REFERENCE_ROOTS[size]


def test_the_reference_tree_has_its_published_nodes_and_no_others() -> None:
    _, rows = Frontier.of(0, {}).extend(map(leaf_hash, REFERENCE_ENTRIES))
    nodes = nodes_in(rows)
    assert {(level, index): hash_.hex() for level, index, hash_ in nodes} == REFERENCE_NODES
    assert len(nodes) == len(REFERENCE_NODES)


@pytest.mark.parametrize(("size", "root"), GOLDEN_ROOTS.items())
def test_larger_trees_have_their_published_roots(size: int, root: str) -> None:
    tree = tree_over([bytes([index & 0xFF, index >> 8]) for index in range(size)])
    assert tree.frontier.root == b64decode(root)


@pytest.mark.parametrize(("index", "size", "published"), REFERENCE_INCLUSIONS)
def test_published_inclusion_proofs_are_made_and_verified(index: int, size: int, published: list[str]) -> None:
    proof = [b64decode(hash_) for hash_ in published]
    assert inclusion_proof(index, size, tree_over(REFERENCE_ENTRIES).look_up) == proof
    leaf = leaf_hash(REFERENCE_ENTRIES[index])
    assert verify_inclusion(leaf, index, size, proof, bytes.fromhex(REFERENCE_ROOTS[size]))


@pytest.mark.parametrize(("first", "second", "published"), REFERENCE_CONSISTENCIES)
def test_published_consistency_proofs_are_made_and_verified(first: int, second: int, published: list[str]) -> None:
    proof = [b64decode(hash_) for hash_ in published]
    assert consistency_proof(first, second, tree_over(REFERENCE_ENTRIES).look_up) == proof
    roots = (bytes.fromhex(REFERENCE_ROOTS[first]), bytes.fromhex(REFERENCE_ROOTS[second]))
    assert verify_consistency(first, second, *roots, proof)


@pytest.mark.parametrize("size", range(301))
def test_the_root_and_every_complete_subtree_are_as_defined(size: int) -> None:
    leaves = [leaf_hash(entry(index)) for index in range(size)]
    frontier, rows = Frontier.of(0, {}).extend(leaves)
    nodes = nodes_in(rows)
    assert (frontier.size, frontier.root) == (size, root_of(leaves))
    assert {(level, index): hash_ for level, index, hash_ in nodes} == {
        (level, index): root_of(leaves[index << level : (index + 1) << level])
        for level in range(size.bit_length())
        for index in range(size >> level)
    }
    assert len(nodes) == sum(size >> level for level in range(size.bit_length()))


@pytest.mark.parametrize("size", range(1, 65))
def test_every_inclusion_proof_is_as_defined_and_verifies(size: int) -> None:
    tree = kept(MILLION)
    leaves = tree.leaves(size)
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(index, size, tree.look_up)
        assert proof == path_of(index, leaves)
        assert verify_inclusion(leaf, index, size, proof, root_of(leaves))


@pytest.mark.parametrize("before", [*range(34), 63, 64, 65, 255, 1_000, 2_047])
def test_the_proofs_of_the_latest_leaves_are_those_of_the_whole_tree(before: int) -> None:
    tree = kept(MILLION)
    edge = Frontier.of(before, tree.look_up(frontier_nodes(before)))
    for count in range(1, 35):
        after, rows = edge.extend([tree[0, index] for index in range(before, before + count)])
        assert latest_proofs(edge, after, rows) == [
            tuple(inclusion_proof(index, before + count, tree.look_up)) for index in range(before, before + count)
        ]


@pytest.mark.parametrize("second", range(1, 65))
def test_every_consistency_proof_is_as_defined_and_verifies(second: int) -> None:
    tree = kept(MILLION)
    leaves = tree.leaves(second)
    for first in range(1, second + 1):
        proof = consistency_proof(first, second, tree.look_up)
        assert proof == proof_of(first, leaves)
        assert verify_consistency(first, second, root_of(leaves[:first]), root_of(leaves), proof)


@pytest.mark.parametrize("seed", range(20))
def test_proofs_of_random_trees_to_three_thousand_leaves_are_as_defined(seed: int) -> None:
    random = Random(seed)
    tree, size = kept(MILLION), random.randint(65, 3000)
    leaves = tree.leaves(size)
    index, first = random.randrange(size), random.randint(1, size)
    assert inclusion_proof(index, size, tree.look_up) == path_of(index, leaves)
    assert consistency_proof(first, size, tree.look_up) == proof_of(first, leaves)
    assert root_at(size) == root_of(leaves)


def test_a_tree_of_a_million_leaves_has_the_root_of_the_definition() -> None:
    tree = kept(MILLION)
    assert tree.frontier.root == root_at(MILLION) == root_of(tree.leaves(MILLION))


@given(st.data())
def test_proofs_of_trees_to_a_million_leaves_verify_and_ask_once_for_few_nodes(data: st.DataObject) -> None:
    tree = kept(MILLION)
    second = data.draw(st.integers(1, MILLION))
    first, index = data.draw(st.integers(1, second)), data.draw(st.integers(0, second - 1))
    tree.asked.clear()
    inclusion = inclusion_proof(index, second, tree.look_up)
    consistency = consistency_proof(first, second, tree.look_up)
    assert len(tree.asked) == 2
    assert all(len(nodes) <= 2 * second.bit_length() for nodes in tree.asked)
    assert tree.asked[0] == inclusion_nodes(index, second)
    assert verify_inclusion(leaf_hash(entry(index)), index, second, inclusion, root_at(second))
    assert verify_consistency(first, second, root_at(first), root_at(second), consistency)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_leaves_appended_in_any_lots_make_one_tree(lots: list[int]) -> None:
    bounds = [sum(lots[:count]) for count in range(len(lots) + 1)]
    leaves = [leaf_hash(entry(index)) for index in range(bounds[-1])]
    frontier, rows = Frontier.of(0, {}), []
    for begin, end in pairwise(bounds):
        before = frontier
        frontier, lot = frontier.extend(leaves[begin:end])
        rows += lot
        assert (before.size, before.root) == (begin, root_of(leaves[:begin]))
    at_once, all_rows = Frontier.of(0, {}).extend(leaves)
    assert frontier == at_once
    assert sorted(nodes_in(rows)) == sorted(nodes_in(all_rows))


@given(st.data())
def test_no_part_of_an_inclusion_proof_can_be_changed(data: st.DataObject) -> None:
    tree, size = kept(MILLION), data.draw(st.integers(2, 200))
    index = data.draw(st.integers(0, size - 1))
    leaf, root = tree[0, index], root_at(size)
    proof = inclusion_proof(index, size, tree.look_up)
    place = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    other_index = data.draw(st.integers(-1, size + 1).filter(lambda other: other != index))
    assert not verify_inclusion(flipped(leaf, bit), index, size, proof, root)
    assert not verify_inclusion(leaf, other_index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, proof, flipped(root, bit))
    for tampered in tamperings(proof, place, bit):
        assert not verify_inclusion(leaf, index, size, tampered, root)


@given(st.data())
def test_no_part_of_a_consistency_proof_can_be_changed(data: st.DataObject) -> None:
    tree, second = kept(MILLION), data.draw(st.integers(2, 200))
    first = data.draw(st.integers(1, second - 1))
    roots = root_at(first), root_at(second)
    proof = consistency_proof(first, second, tree.look_up)
    place = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    other_first = data.draw(st.integers(-1, second + 1).filter(lambda other: other != first))
    assert not verify_consistency(first, second, flipped(roots[0], bit), roots[1], proof)
    assert not verify_consistency(first, second, roots[0], flipped(roots[1], bit), proof)
    assert not verify_consistency(first, second, roots[1], roots[0], proof)
    assert not verify_consistency(second, first, roots[1], roots[0], proof)
    assert not verify_consistency(other_first, second, *roots, proof)
    for tampered in tamperings(proof, place, bit):
        assert not verify_consistency(first, second, *roots, tampered)


def flipped(hash_: bytes, bit: int) -> bytes:
    return (int.from_bytes(hash_) ^ (1 << bit)).to_bytes(32)


def tamperings(proof: list[bytes], place: int, bit: int) -> list[list[bytes]]:
    before, hash_, after = proof[:place], proof[place], proof[place + 1 :]
    changed = [
        [*before, flipped(hash_, bit), *after],
        [*before, hash_[:-1], *after],
        [*before, hash_ + b"\x00", *after],
        [*before, *after],
        [*before, hash_, hash_, *after],
        [b"", *proof],
        [*proof, b""],
        [*proof, proof[-1]],
    ]
    return changed if len(proof) == 1 else [*changed, proof[::-1]]


def test_a_hash_of_another_length_proves_nothing_though_the_bytes_under_the_root_are_the_same() -> None:
    # 0x01 ‖ left ‖ right is the same text wherever left is said to end.
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    root = node_hash(left, right)
    assert node_hash(left + right[:1], right[1:]) == root
    assert not verify_inclusion(left + right[:1], 0, 2, [right[1:]], root)
    assert not verify_consistency(1, 2, left + right[:1], root, [right[1:]])


def test_a_proof_does_not_hold_for_a_tree_of_another_height() -> None:
    tree = kept(MILLION)
    # Too short: the root is that of a subtree.
    assert not verify_inclusion(tree[0, 0], 0, 8, inclusion_proof(0, 4, tree.look_up), root_at(4))
    # Too long: the leaf passes for one of a smaller tree.
    assert verify_inclusion(tree[0, 6], 6, 7, inclusion_proof(6, 7, tree.look_up), root_at(7))
    assert not verify_inclusion(tree[0, 6], 2, 3, inclusion_proof(6, 7, tree.look_up), root_at(7))
    assert verify_consistency(6, 7, root_at(6), root_at(7), consistency_proof(6, 7, tree.look_up))
    assert not verify_consistency(6, 15, root_at(6), root_at(7), consistency_proof(6, 7, tree.look_up))
    assert not verify_consistency(6, 7, root_at(6), root_at(15), consistency_proof(6, 15, tree.look_up))
    assert verify_consistency(14, 15, root_at(14), root_at(15), consistency_proof(14, 15, tree.look_up))
    assert not verify_consistency(6, 7, root_at(14), root_at(15), consistency_proof(14, 15, tree.look_up))


def test_trees_of_one_size_are_consistent_when_their_roots_are_equal_and_nothing_is_said_of_it() -> None:
    root, other = leaf_hash(b"root"), leaf_hash(b"other")
    assert verify_consistency(5, 5, root, root, [])
    assert not verify_consistency(5, 5, root, other, [])
    assert not verify_consistency(5, 5, root, root, [root])


def test_nothing_is_proved_of_an_empty_tree() -> None:
    root = leaf_hash(b"root")
    assert not verify_inclusion(root, 0, 0, [], EMPTY_ROOT)
    assert not verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not verify_consistency(0, 1, EMPTY_ROOT, root, [])
    assert not verify_consistency(0, 1, EMPTY_ROOT, root, [root])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 8), (8, 8), (9, 8)])
def test_a_proof_of_a_leaf_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"got {index}"):
        inclusion_proof(index, size, kept(MILLION).look_up)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 8), (-1, 8), (9, 8)])
def test_a_proof_from_no_tree_or_a_later_one_is_refused(first: int, second: int) -> None:
    with pytest.raises(ValueError, match=f"got {first}"):
        consistency_proof(first, second, kept(MILLION).look_up)


def test_a_tree_of_less_than_no_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="got -1"):
        frontier_nodes(-1)


def test_a_node_that_the_store_lost_is_named() -> None:
    tree = tree_over(REFERENCE_ENTRIES)
    held = tree.look_up(inclusion_nodes(0, 7))
    del held[1, 2]
    with pytest.raises(MissingNode, match="level 1, index 2") as refused:
        inclusion_proof(0, 7, lambda _: held)
    assert refused.value.node == (1, 2)
    with pytest.raises(MissingNode, match="level 2, index 0"):
        Frontier.of(4, {})


# C2SP tlog-tiles


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("tile/0/000", Tile(0, 0)),
        ("tile/0/x001/x234/067", Tile(0, 1234067)),
        ("tile/0/x001/234", Tile(0, 1234)),
        ("tile/1/999.p/1", Tile(1, 999, 1)),
        ("tile/63/x001/000.p/255", Tile(63, 1000, 255)),
        ("tile/entries/x273/112.p/112", Tile(ENTRIES, 273112, 112)),
    ],
)
def test_a_tile_is_written_and_read_as_the_specification_says(path: str, parsed: Tile) -> None:
    assert Tile.parse(path) == parsed
    assert parsed.path == path


@given(st.integers(ENTRIES, 63), st.integers(0, 10**20), st.integers(1, 256))
def test_every_tile_has_a_path_of_its_own(level: int, index: int, width: int) -> None:
    written = Tile(level, index, width)
    assert Tile.parse(written.path) == written


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/0001",
        "tile/0/001/234",
        "tile/0/x001",
        "tile/0/x000/001",
        "tile/0/x1/234",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/data/001",
        "tile/0/001.p",
        "tile/0/001.p/0",
        "tile/0/001.p/01",
        "tile/0/001.p/256",
        "tile/0/001.p/1000",
        "tile/0/001.p/1/",
        "tile/0/001\n",
        "/tile/0/001",
        "tile/0/٠٠١",
        "tile/0/" + "x001/" * 7 + "001",
    ],
)
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        Tile.parse(path)


@pytest.mark.parametrize(("level", "index", "width"), [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_that_no_tree_has_is_refused(level: int, index: int, width: int) -> None:
    with pytest.raises(ValueError, match="got"):
        Tile(level, index, width)


def test_a_tree_of_seventy_thousand_leaves_has_the_tiles_of_the_specifications_example() -> None:
    """273 full tiles at level 0 and a partial one of 112; one full and one of 17 at level 1; one of 1 at level 2."""
    held = [Tile(0, index) for index in range(273)] + [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert all(tile_.is_within(70_000) for tile_ in held)
    beyond = [
        Tile(0, 273),
        Tile(0, 273, 113),
        Tile(0, 274, 1),
        Tile(1, 1),
        Tile(1, 1, 18),
        Tile(2, 0, 2),
        Tile(3, 0, 1),
    ]
    assert not any(tile_.is_within(70_000) for tile_ in beyond)
    assert Tile(ENTRIES, 273, 112).is_within(70_000)
    assert not Tile(ENTRIES, 273, 113).is_within(70_000)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(0, 0, 256), (0, 273, 112), (0, 3905, 1), (1, 0, 256), (1, 15, 66), (2, 0, 15)]
)
def test_a_hash_of_a_tile_is_the_root_of_its_leaves(level: int, index: int, width: int) -> None:
    tree = kept(MILLION)
    made = tile(level, index, width, tree.look_up)
    assert Tile(level, index, width).is_within(MILLION)
    assert len(made) == 32 * width
    for place in {0, width // 2, width - 1}:
        begin = (256 * index + place) * 256**level
        leaves = [tree[0, leaf] for leaf in range(begin, begin + 256**level)]
        assert made[32 * place : 32 * (place + 1)] == root_of(leaves)


def test_an_entry_bundle_holds_entries_after_their_lengths() -> None:
    assert entry_bundle([b"", b"ab", bytes(0xFFFF)]) == b"\x00\x00" + b"\x00\x02ab" + b"\xff\xff" + bytes(0xFFFF)
    assert Tile(ENTRIES, 2, 3).span == range(512, 515)
    assert Tile(ENTRIES, 2, 3).nodes == [(0, 512), (0, 513), (0, 514)]
    with pytest.raises(ValueError, match="got 65536"):
        entry_bundle([bytes(0x10000)])
    with pytest.raises(ValueError, match="entry_bundle"):
        tile(ENTRIES, 2, 3, kept(MILLION).look_up)
