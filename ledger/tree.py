"""The tree of proofs, kept in the transaction of the entries: nodes, and one signed checkpoint a group of appends.

So an acknowledged event is under a signed root already. Only complete subtrees are stored; any proof is a few of them,
looked up at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ledger.appending import Database
from ledger.merkle import Frontier, Node, consistency_proof, frontier_nodes, inclusion_nodes, inclusion_proof, leaf_hash
from ledger.migrations import Pool
from ledger.notes import Checkpoint, KeyFileError, Note, Signer
from ledger.rows import columns

AT_A_TIME: Final = 5_000
"""Entries that are taken in together where a tree is made for a ledger that has none."""


class WrongKey(Exception):
    """The signing key is not the one that this ledger's checkpoints are signed under; the message says what to do."""


def signer_at(pool: Pool, path: Path) -> Signer:
    """The ledger's signing key, kept in a file for its owner alone; made with the ledger's first start.

    Raises WrongKey when the ledger knows another one, and KeyFileError when the file cannot be used.
    """
    with pool.connection() as database:
        known = _verifier(database)
        if path.exists():
            signer = Signer.read(path)
        elif known:
            raise WrongKey(
                f"The signing key of this ledger, {known}, is not at {path}. Give its file by CASELEDGER_SIGNING_KEY_FILE; "
                "a ledger is never signed by two keys."
            )
        else:
            # Of processes that start at once one makes it: whatever its name, it is the key.
            with suppress(KeyFileError):
                Signer.kept_at(path, f"caseledger/{secrets.token_hex(6)}")
            signer = Signer.read(path)
        database.execute("INSERT INTO log_key (verifier) VALUES (%s) ON CONFLICT DO NOTHING", [str(signer.verifier)])
        known = _verifier(database)
    if known != str(signer.verifier):
        raise WrongKey(
            f"The file {path} holds the key {signer.verifier}; this ledger is signed by {known}. Give that key's file by "
            "CASELEDGER_SIGNING_KEY_FILE."
        )
    return signer


def _verifier(database: Database) -> str | None:
    row = database.execute("SELECT verifier FROM log_key").fetchone()
    return row[0] if row else None


class LedgerTree:
    """Takes entries into the tree as they are appended. Used by one sequencer, under the head lock."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._edge = Frontier(0, ())
        self._next = self._edge

    def extend(self, database: Database, first: int, entries: Sequence[bytes], recorded_at: datetime) -> None:
        """Writes the nodes that the entries complete and a signed checkpoint of the new size."""
        edge = self._edge if self._edge.size == first - 1 else _edge_of(database, first - 1)
        self._next, nodes = edge.extend(leaf_hash(entry) for entry in entries)
        database.execute(_INSERT_NODES, columns(nodes))
        text = Checkpoint(self._signer.name, self._next.size, self._next.root).text
        note = Note(text, (self._signer.sign(text),)).encoded.decode()
        database.execute(_INSERT_CHECKPOINT, [self._next.size, self._next.root, note, recorded_at])

    def keep(self) -> None:
        self._edge = self._next

    def catch_up(self, pool: Pool) -> None:
        """Takes in the entries of a ledger that was begun before it had a tree; nothing where all are in."""
        while True:
            with pool.connection() as database, database.transaction():
                head = database.execute("SELECT position, recorded_at FROM head FOR UPDATE").fetchone()
                size = database.execute("SELECT coalesce(max(index) + 1, 0) FROM nodes WHERE level = 0").fetchone()
                if head is None or size is None or size[0] >= head[0]:
                    return
                rows = database.execute(_ENTRIES_AFTER, [size[0], AT_A_TIME]).fetchall()
                self.extend(database, size[0] + 1, [data for (data,) in rows], head[1])
            self.keep()


def _edge_of(database: Database, size: int) -> Frontier:
    return Frontier.of(size, look_up(database, frontier_nodes(size)))


def look_up(database: Database, nodes: Sequence[Node]) -> Mapping[Node, bytes]:
    rows = database.execute(_NODES, [[level for level, _ in nodes], [index for _, index in nodes]])
    return {(level, index): hash_ for level, index, hash_ in rows}


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as it was signed: `note` is the C2SP signed note, `root` 32 bytes."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is under a checkpoint: hashes of 32 bytes, leaf to root."""

    position: int
    entry: bytes
    proof: tuple[bytes, ...]
    checkpoint: Signed


class Proofs:
    """What a ledger can prove. Each answer is a few look-ups, whatever the ledger's size."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def checkpoint(self, size: int | None = None) -> Signed | None:
        """The newest checkpoint, or the one of a size; None where there is none."""
        with self._pool.connection() as database:
            return _checkpoint(database, size)

    def verifier(self) -> str | None:
        """The verifier key of the ledger's checkpoints, NAME+ID+BASE64; None before it was first served."""
        with self._pool.connection() as database:
            return _verifier(database)

    def receipts(self, positions: Sequence[int], size: int | None = None) -> list[Receipt]:
        """The proofs of entries under the newest checkpoint, or the one of a size, by three statements for all.

        Positions that the checkpoint does not hold are left out; where there is no such checkpoint, all are.
        """
        with self._pool.connection() as database:
            signed = _checkpoint(database, size)
            if signed is None:
                return []
            entries = database.execute(_ENTRIES_AT, [list(positions), signed.size]).fetchall()
            wanted = {node for position, _ in entries for node in inclusion_nodes(position - 1, signed.size)}
            known = look_up(database, sorted(wanted))
        return [
            Receipt(position, entry, tuple(inclusion_proof(position - 1, signed.size, lambda _: known)), signed)
            for position, entry in entries
        ]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """RFC 9162 §2.1.4: that the tree of `second` leaves begins with that of `first`; 0 < first ≤ second ≤ head."""
        with self._pool.connection() as database:
            return consistency_proof(first, second, lambda nodes: look_up(database, nodes))


def _checkpoint(database: Database, size: int | None) -> Signed | None:
    row = database.execute(_CHECKPOINT, {"size": size}).fetchone()
    return Signed(*row) if row else None


_INSERT_NODES: Final = """
INSERT INTO nodes (level, index, hash) SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[])
"""
_INSERT_CHECKPOINT: Final = "INSERT INTO checkpoints (size, root, note, signed_at) VALUES (%s, %s, %s, %s)"
_NODES: Final = """
SELECT node.level, node.index, node.hash FROM unnest(%s::smallint[], %s::bigint[]) AS asked (level, index)
CROSS JOIN LATERAL (
    SELECT * FROM nodes WHERE nodes.level = asked.level AND nodes.index = asked.index LIMIT 1
) AS node
"""
_ENTRIES_AT: Final = """
SELECT position, data FROM events WHERE position = ANY(%s::bigint[]) AND position <= %s ORDER BY position
"""
_ENTRIES_AFTER: Final = "SELECT data FROM events WHERE position > %s ORDER BY position LIMIT %s"
_CHECKPOINT: Final = """
SELECT size, root, note, signed_at FROM checkpoints
WHERE %(size)s::bigint IS NULL OR size = %(size)s::bigint ORDER BY size DESC LIMIT 1
"""
