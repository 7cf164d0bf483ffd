"""Our tree, tiles, checkpoints and cosignatures as tlog-scales, written by others from the same specifications, has them.

It reads the log as any stranger would: by its checkpoint and its hash tiles.
"""

from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer, Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint
from tlog_scales.tlog import ConsistencyProof, InclusionProof

from ledger.merkle import (
    Frontier,
    Tile,
    consistency_proof,
    frontier_nodes,
    inclusion_proof,
    leaf_hash,
    tile,
    verify_consistency,
    verify_inclusion,
)
from ledger.notes import Checkpoint, Cosigner, Note, Signer, open_checkpoint
from trees import MILLION, KeptTree, entry, kept

ORIGIN = "ledger.example/cases"
AT = 1_700_000_000


class Tiles:
    """The tiles of a tree, served by path. Only those that the tree has are ever asked for."""

    def __init__(self, tree: KeptTree, size: int) -> None:
        self.tree = tree
        self.size = size

    def get(self, *path: str) -> bytes | None:
        asked = Tile.parse("/".join(path))
        assert asked.is_within(self.size), f"{asked.path} is not within {self.size}"
        return tile(asked.level, asked.index, asked.width, self.tree.look_up)


def stranger(size: int) -> TilesReader:
    reader = TilesReader(Tiles(kept(MILLION), size))
    reader.set_size(size)
    return reader


def root_at(size: int) -> bytes:
    return Frontier.of(size, kept(MILLION).look_up(frontier_nodes(size))).root


def agree(first: int, index: int, second: int) -> None:
    """Their root and proofs are ours; they verify ours, and we theirs."""
    tree, reader = kept(MILLION), stranger(second)
    first_root, root = root_at(first), root_at(second)
    inclusion = inclusion_proof(index, second, tree.look_up)
    consistency = consistency_proof(first, second, tree.look_up)
    assert reader.calculate_root_hash() == root
    theirs = reader.get_inclusion_proof(index, second).node_hashes
    assert theirs == inclusion
    assert verify_inclusion(leaf_hash(entry(index)), index, second, theirs, root)
    InclusionProof(index, second, inclusion).check(leaf_hash(entry(index)), root)
    theirs = reader.get_consistency_proof(first, second).node_hashes
    assert theirs == consistency
    assert verify_consistency(first, second, first_root, root, theirs)
    ConsistencyProof(first, second, consistency).check(first_root, root)


@pytest.mark.parametrize("size", range(1, 301))
def test_both_agree_on_every_tree_to_three_hundred_leaves(size: int) -> None:
    random = Random(size)
    for _ in range(4):
        agree(random.randint(1, size), random.randrange(size), size)


@pytest.mark.parametrize("seed", range(40))
def test_both_agree_on_random_trees_to_a_million_leaves(seed: int) -> None:
    random = Random(seed)
    size = random.choice([MILLION, random.randint(301, MILLION), 1 << random.randint(9, 19)])
    agree(random.randint(1, size), random.randrange(size), size)


def test_they_read_our_checkpoint_with_its_cosignature_by_our_verifier_keys() -> None:
    log, witness = Signer.generate(ORIGIN), Cosigner.generate("witness.example/w1")
    checkpoint = Checkpoint(ORIGIN, MILLION, root_at(MILLION))
    note = Note(checkpoint.text, (log.sign(checkpoint.text), witness.cosign(checkpoint, AT)))
    theirs = TheirCheckpoint.from_text(note.encoded.decode())
    assert (theirs.origin, theirs.size, theirs.root_hash) == (ORIGIN, MILLION, root_at(MILLION))
    for verifier in (log.verifier, witness.verifier):
        theirs.verify(Vkey.from_string(str(verifier)))
    assert theirs.serialize().encode() == note.encoded


def test_we_read_their_checkpoint_as_they_would_ours_by_the_same_key() -> None:
    seed = bytes(range(32))
    theirs = PlainEd25519Signer(ORIGIN, seed)
    log = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(seed))
    assert (theirs.vkey.key_id, theirs.vkey.pubkey) == (log.verifier.key_id, log.verifier.public_key)
    message = TheirCheckpoint.make_signed(ORIGIN, 42, root_at(42), [theirs]).serialize().encode()
    checkpoint = Checkpoint(ORIGIN, 42, root_at(42))
    assert open_checkpoint(message, ORIGIN, log.verifier).checkpoint == checkpoint
    assert message == Note(checkpoint.text, (log.sign(checkpoint.text),)).encoded
