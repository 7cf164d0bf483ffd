"""The tree of proofs, kept in the transaction of the entries: nodes, and one signed checkpoint a group of appends.

So an acknowledged event is under a signed root already. Only complete subtrees are stored; any proof is a few of them,
looked up at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ledger.merkle import (
    Frontier,
    InclusionProofs,
    MissingNode,
    Node,
    Row,
    consistency_proof,
    frontier_nodes,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    nodes_in,
)
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, Note, Signer, Verifier
from ledger.rows import Bytes, Integers

RUN: Final = 32
"""Neighbouring nodes that are kept as one row: 1 KiB, so that the database neither compresses nor moves it elsewhere."""
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
            signer = Signer.read_or_made(path, f"caseledger/{secrets.token_hex(6)}")
        database.execute("INSERT INTO log_key (verifier) VALUES (%s) ON CONFLICT DO NOTHING", [str(signer.verifier)])
        known = _verifier(database)
    if known != str(signer.verifier):
        raise WrongKey(
            f"The file {path} holds the key {signer.verifier}; this ledger is signed by {known}. Give that key's file by "
            "CASELEDGER_SIGNING_KEY_FILE."
        )
    return signer


def verifier_of(database: Database) -> Verifier | None:
    """The key that this ledger's checkpoints are signed under; None before there is one. Raises MalformedKey."""
    known = _verifier(database)
    return Verifier.parse(known) if known else None


def _verifier(database: Database) -> str | None:
    row = database.execute("SELECT verifier FROM log_key").fetchone()
    return row[0] if row else None


class LedgerTree:
    """Takes entries into the tree as they are appended. Used by one sequencer, under the head lock."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._edge = Frontier(0, ())
        self._next = self._edge

    def grow(self, database: Database, first: int, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        """The nodes that the entries complete and a signed checkpoint of the new size, which `WRITTEN` writes.

        Entries before them that a process without a tree has appended meanwhile are taken in first.
        """
        growth = self._grown(self._edge_at(database, first - 1, recorded_at), entries, recorded_at)
        self._next = growth.after
        return growth

    def keep(self) -> None:
        self._edge = self._next

    def catch_up(self, pool: Pool) -> None:
        """Takes in the entries of a ledger that was begun before it had a tree; nothing where all are in."""
        while True:
            with pool.connection() as database, database.transaction():
                head = database.execute("SELECT position, recorded_at FROM head FOR UPDATE").fetchone()
                size = _size(database)
                if head is None or size >= head[0]:
                    return
                rows = database.execute(_ENTRIES_AFTER, [size, AT_A_TIME]).fetchall()
                database.execute(_WRITE, written(self.grow(database, size + 1, [data for (data,) in rows], head[1])))
            self.keep()

    def _grown(self, before: Frontier, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        after, rows = before.extend(map(leaf_hash, entries))
        text = Checkpoint(self._signer.name, after.size, after.root).text
        note = Note(text, (self._signer.sign(text),)).encoded.decode()
        return Growth(before, after, rows, entries, Signed(after.size, after.root, note, recorded_at))

    def _edge_at(self, database: Database, size: int, recorded_at: datetime) -> Frontier:
        if self._edge.size == size:
            return self._edge
        try:
            return _edge_of(database, size)
        except MissingNode:
            edge = _edge_of(database, min(size, _size(database)))
        while edge.size < size:
            rows = database.execute(_ENTRIES_AFTER, [edge.size, min(AT_A_TIME, size - edge.size)]).fetchall()
            if not rows:
                raise MissingNode((0, edge.size))
            growth = self._grown(edge, [data for (data,) in rows], recorded_at)
            database.execute(_WRITE, written(growth))
            edge = growth.after
        return edge


def _edge_of(database: Database, size: int) -> Frontier:
    return Frontier.of(size, look_up(database, frontier_nodes(size)))


def _size(database: Database) -> int:
    """The leaves that are in."""
    row = database.execute(_SIZE).fetchone()
    return row[0] if row else 0


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


@dataclass(frozen=True, slots=True)
class Growth:
    """What a group of appends brought to the tree: all that proves its entries under its checkpoint."""

    before: Frontier
    after: Frontier
    rows: Sequence[Row]
    """The nodes that the entries completed."""
    entries: Sequence[bytes]
    checkpoint: Signed
    _proofs: list[InclusionProofs] = field(default_factory=list, init=False, repr=False, compare=False)

    def receipts(self, first: int, last: int) -> list[Receipt]:
        """The receipts of the group's entries at these positions. Raises MissingNode for others."""
        skipped = self.before.size + 1
        proofs = self._made_once().of((first - 1, last))
        entries = self.entries[first - skipped : last - skipped + 1]
        return [
            Receipt(position, entry, proof, self.checkpoint)
            for position, entry, proof in zip(range(first, last + 1), entries, proofs, strict=True)
        ]

    def _made_once(self) -> InclusionProofs:
        # Members of the group ask from their own threads: if two make it at once, either will do.
        if not self._proofs:
            hashes = dict(zip(frontier_nodes(self.before.size), self.before.hashes, strict=True))
            hashes.update({(level, index): hash_ for level, index, hash_ in nodes_in(self.rows)})
            self._proofs.append(InclusionProofs(self.after.size, hashes))
        return self._proofs[0]


def written(growth: Growth) -> dict[str, Any]:
    """The parameters of `WRITTEN`."""
    runs = [
        (level, first + begin, b"".join(hashes[begin : begin + RUN]))
        for level, first, hashes in growth.rows
        for begin in range(0, len(hashes), RUN)
    ]
    signed = growth.checkpoint
    return {
        "levels": Integers(level for level, _, _ in runs),
        "runs": Integers(first for _, first, _ in runs),
        "hashes": Bytes(hashes for _, _, hashes in runs),
        "size": signed.size,
        "root": signed.root,
        "note": signed.note,
        "recorded_at": signed.signed_at,
    }


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


WRITTEN: Final = (
    """
completed AS (
    INSERT INTO node_runs (level, first, hashes)
    SELECT run.* FROM turn CROSS JOIN unnest(%(levels)b::bigint[], %(runs)b::bigint[], %(hashes)b::bytea[]) AS run
)""",
    """
signed AS (
    INSERT INTO checkpoints (size, root, note, signed_at)
    SELECT %(size)s, %(root)s, %(note)s, %(recorded_at)s FROM turn
)""",
)
"""What writes a growth (`written`) where the statement's `turn` has a row."""
_WRITE: Final = f"WITH turn AS (SELECT), {', '.join(WRITTEN)} SELECT".encode()
_SIZE: Final = "SELECT first + length(hashes) / 32 FROM node_runs WHERE level = 0 ORDER BY first DESC LIMIT 1"
_NODES: Final = """
SELECT asked.level, asked.index, substring(run.hashes FROM (asked.index - run.first)::int * 32 + 1 FOR 32)
FROM unnest(%s::smallint[], %s::bigint[]) AS asked (level, index)
CROSS JOIN LATERAL (
    SELECT * FROM node_runs AS run WHERE run.level = asked.level AND run.first <= asked.index
    ORDER BY run.first DESC LIMIT 1
) AS run
WHERE (asked.index - run.first) * 32 < length(run.hashes)
"""
_ENTRIES_AT: Final = """
SELECT position, data FROM events WHERE position = ANY(%s::bigint[]) AND position <= %s ORDER BY position
"""
_ENTRIES_AFTER: Final = "SELECT data FROM events WHERE position > %s ORDER BY position LIMIT %s"
_CHECKPOINT: Final = """
SELECT size, root, note, signed_at FROM checkpoints
WHERE %(size)s::bigint IS NULL OR size = %(size)s::bigint ORDER BY size DESC LIMIT 1
"""
