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
from typing import Final

from ledger.merkle import (
    Frontier,
    MissingNode,
    Node,
    consistency_proof,
    frontier_nodes,
    inclusion_nodes,
    inclusion_proof,
    inclusion_proofs,
    leaf_hash,
)
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, Note, Signer, Verifier
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

    def extend(self, database: Database, first: int, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        """Writes the nodes that the entries complete and a signed checkpoint of the new size.

        Entries before them that a process without a tree has appended meanwhile are taken in first.
        """
        growth = self._take_in(database, self._edge_at(database, first - 1, recorded_at), entries, recorded_at)
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
                self.extend(database, size + 1, [data for (data,) in rows], head[1])
            self.keep()

    def _take_in(self, database: Database, before: Frontier, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        after, nodes = before.extend(leaf_hash(entry) for entry in entries)
        text = Checkpoint(self._signer.name, after.size, after.root).text
        note = Note(text, (self._signer.sign(text),)).encoded.decode()
        signed = Signed(after.size, after.root, note, recorded_at)
        database.execute(_INSERT_NODES, columns(nodes))
        database.execute(_INSERT_CHECKPOINT, [signed.size, signed.root, signed.note, signed.signed_at])
        return Growth(before, after, nodes, entries, signed)

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
            edge = self._take_in(database, edge, [data for (data,) in rows], recorded_at).after
        return edge


def _edge_of(database: Database, size: int) -> Frontier:
    return Frontier.of(size, look_up(database, frontier_nodes(size)))


def _size(database: Database) -> int:
    """The leaves that are in."""
    row = database.execute("SELECT coalesce(max(index) + 1, 0) FROM nodes WHERE level = 0").fetchone()
    size: int = row[0] if row else 0
    return size


def look_up(database: Database, nodes: Sequence[Node]) -> Mapping[Node, bytes]:
    rows = database.execute(_NODES, [[level for level, _ in nodes], [index for _, index in nodes]])
    return {(level, index): hash_ for level, index, hash_ in rows}


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as it was signed, and cosigned since: `note` is the C2SP signed note, `root` 32 bytes."""

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
    nodes: Sequence[tuple[int, int, bytes]]
    """Level, index and hash of each node that the entries completed."""
    entries: Sequence[bytes]
    checkpoint: Signed
    _known: dict[Node, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def receipts(self, first: int, last: int) -> list[Receipt]:
        """The receipts of the group's entries at these positions. Raises MissingNode for others."""
        skipped = self.before.size + 1
        proofs = inclusion_proofs((first - 1, last), self.after.size, self._hashes())
        entries = self.entries[first - skipped : last - skipped + 1]
        return [
            Receipt(position, entry, proof, self.checkpoint)
            for position, entry, proof in zip(range(first, last + 1), entries, proofs, strict=True)
        ]

    def _hashes(self) -> Mapping[Node, bytes]:
        if not self._known:
            made = dict(zip(frontier_nodes(self.before.size), self.before.hashes, strict=True))
            made.update({(level, index): hash_ for level, index, hash_ in self.nodes})
            # At one stroke: several members of the group may ask at once.
            self._known.update(made)
        return self._known


class Proofs:
    """What a ledger can prove. Each answer is a few look-ups, whatever the ledger's size."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def checkpoint(self, size: int | None = None) -> Signed | None:
        """The newest checkpoint, or the one of a size; None where there is none."""
        with self._pool.connection() as database:
            return _checkpoint(database, size)

    def witnessed(self, witnesses: Sequence[Verifier]) -> Signed | None:
        """The newest checkpoint that each of the witnesses cosigned; None where there is none."""
        with self._pool.connection() as database:
            row = database.execute(_WITNESSED, {"witnesses": [str(witness) for witness in witnesses]}).fetchone()
            return _checkpoint(database, row[0]) if row else None

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
# A note has 100 signatures at most, and the log's own is one of them.
_CHECKPOINT: Final = """
WITH asked AS (
    SELECT size, root, note, signed_at FROM checkpoints
    WHERE %(size)s::bigint IS NULL OR size = %(size)s::bigint ORDER BY size DESC LIMIT 1
)
SELECT size, root, note || coalesce(cosigned.lines, ''), signed_at FROM asked
CROSS JOIN LATERAL (
    SELECT string_agg(line || E'\\n', '' ORDER BY witness) AS lines FROM (
        SELECT witness, line FROM cosignatures WHERE cosignatures.size = asked.size ORDER BY witness LIMIT 99
    ) AS first
) AS cosigned
"""
# From the newest that each has, down to the least of those, until all meet: a few look-ups, however long one was away.
_WITNESSED: Final = """
WITH RECURSIVE meeting (least, most, found) AS (
    SELECT min(newest.size), max(newest.size), count(newest.size)
    FROM unnest(%(witnesses)s::text[]) AS asked (witness)
    CROSS JOIN LATERAL (SELECT max(size) AS size FROM cosignatures WHERE witness = asked.witness) AS newest
    UNION ALL
    SELECT below.least, below.most, below.found
    FROM meeting
    CROSS JOIN LATERAL (
        SELECT min(newest.size) AS least, max(newest.size) AS most, count(newest.size) AS found
        FROM unnest(%(witnesses)s::text[]) AS asked (witness)
        CROSS JOIN LATERAL (
            SELECT max(size) AS size FROM cosignatures WHERE witness = asked.witness AND size <= meeting.least
        ) AS newest
    ) AS below
    WHERE meeting.least < meeting.most AND meeting.found = cardinality(%(witnesses)s::text[])
)
SELECT least FROM meeting WHERE least = most AND found = cardinality(%(witnesses)s::text[])
"""
