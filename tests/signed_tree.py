"""A tree of proofs that a recorder keeps, and what it is to be by definition."""

from collections.abc import Sequence
from hashlib import sha256

from appends import bare, now
from ledger.appending import Tree
from ledger.merkle import HASH_SIZE
from ledger.migrations import Pool
from ledger.notes import Signer, open_checkpoint
from ledger.recorder import PostgresRecorder
from ledger.tree import LedgerTree, Proofs
from naive.tree import root_of

SIGNER = Signer.generate("caseledger/test")


def recorder_of(pool: Pool, kept: Tree | None = None) -> PostgresRecorder:
    """A recorder with a tree of its own, as another process has one."""
    return PostgresRecorder(pool, seal=bare, clock=now, tree=kept or LedgerTree(SIGNER))


def leaves_of(pool: Pool) -> list[bytes]:
    """The hashes of the entries, from the table of events alone."""
    with pool.connection() as database:
        rows = database.execute("SELECT data FROM events ORDER BY position").fetchall()
    return [sha256(b"\x00" + data).digest() for (data,) in rows]


def sizes(pool: Pool) -> list[int]:
    with pool.connection() as database:
        return [size for (size,) in database.execute("SELECT size FROM checkpoints ORDER BY size")]


def check(pool: Pool) -> None:
    """Every node and every checkpoint is that of the entries, and the newest checkpoint holds them all."""
    leaves, proofs = leaves_of(pool), Proofs(pool)
    assert nodes_of(pool) == complete_subtrees(leaves)
    newest = proofs.checkpoint()
    assert (newest.size if newest else 0) == len(leaves)
    for size in sizes(pool):
        signed = proofs.checkpoint(size)
        assert signed is not None
        opened = open_checkpoint(signed.note.encode(), SIGNER.name, SIGNER.verifier).checkpoint
        assert (opened.size, opened.root) == (signed.size, signed.root) == (size, root_of(leaves[:size]))


def nodes_of(pool: Pool) -> dict[tuple[int, int], bytes]:
    with pool.connection() as database:
        runs = database.execute("SELECT level, first, hashes FROM node_runs").fetchall()
    return {
        (level, index): hashes[begin : begin + HASH_SIZE]
        for level, first, hashes in runs
        for index, begin in enumerate(range(0, len(hashes), HASH_SIZE), first)
    }


def complete_subtrees(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """What is to be stored: each complete subtree, by the definition of its root."""
    return {
        (level, index): root_of(list(leaves[index << level : (index + 1) << level]))
        for level in range(len(leaves).bit_length())
        for index in range(len(leaves) >> level)
    }
