"""The tree of proofs, kept in the transaction of the entries: nodes, and one signed checkpoint a group of appends.

So an acknowledged event is under a signed root already. Only complete subtrees are stored; any proof is a few of them,
looked up at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger.merkle import (
    HASH_SIZE,
    Frontier,
    MissingNode,
    Node,
    Row,
    consistency_proof,
    frontier_nodes,
    inclusion_nodes,
    inclusion_proof,
    latest_proofs,
    leaf_hash,
    node_hash,
)
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, Note, Signer, Verifier
from ledger.rows import Bytes, Integers

RUN: Final = 32
"""Neighbouring nodes that are kept as one row: 1 KiB, so that the database neither compresses nor moves it elsewhere."""
LOW: Final = 5
"""Levels below it are made from the leaves where a proof needs them. A node of each is on a page of its own, while the leaves
under all of them lie together, whether one append completed them or many did."""
AT_A_TIME: Final = 5_000
"""Entries that are taken in together where a tree is made for a ledger that has none."""


class WrongKey(Exception):
    """The signing key is not the one that this ledger's checkpoints are signed under; the message says what to do."""


class CutTree(Exception):
    """The tree does not end where the ledger does, so it is not gone on with; the message says what to do."""

    def __init__(self, position: int, head: int) -> None:
        super().__init__(
            f"The tree of proofs does not hold position {position} of this ledger, whose head is {head}: it was whole once, "
            "so something was changed or taken away. Nothing is recorded on top of that: see with `caseledger verify` "
            "what holds, and restore the database from a backup."
        )
        self.position = position


def signer_at(pool: Pool, path: Path) -> Signer:
    """The ledger's signing key, kept in a file for its owner alone; made with the ledger's first start.

    A ledger that was begun before it had a tree gets it in the transaction that makes the key the ledger's: whatever has a
    key has had its whole tree. Raises WrongKey when the ledger knows another one, CutTree when there is a part of a tree
    and no key, and KeyFileError when the file cannot be used.
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
    if known is None:
        known = _begun(pool, signer)
    if known != str(signer.verifier):
        raise WrongKey(
            f"The file {path} holds the key {signer.verifier}; this ledger is signed by {known}. Give that key's file by "
            "CASELEDGER_SIGNING_KEY_FILE."
        )
    return signer


def _begun(pool: Pool, signer: Signer) -> str | None:
    """Makes the key the ledger's, with a tree of what it has, unless another process was first; gives whose it is."""
    with pool.connection() as database, database.transaction():
        row = database.execute("SELECT position FROM head FOR UPDATE").fetchone()
        made = database.execute(_INSERT_KEY, [str(signer.verifier)]).rowcount
        if row and made and not database.execute(_HAS_TREE).fetchone():
            LedgerTree(signer).begin(database, row[0])
        return _verifier(database)


def check_tree(pool: Pool) -> None:
    """That the tree ends where the ledger does, as it has since it has a key; a few look-ups. Raises CutTree."""
    with pool.connection() as database:
        row = database.execute(_ENDS).fetchone()
        if row is None:
            return
        head, size, signed = row
        if size == signed == head:
            _edge_at(database, head)
        elif size > head:
            raise CutTree(head + 1, head)
        else:
            raise CutTree(min(signed + 1, _first_without_leaf(database)), head)


def verifier_of(database: Database) -> Verifier | None:
    """The key that this ledger's checkpoints are signed under; None before there is one. Raises MalformedKey."""
    known = _verifier(database)
    return Verifier.parse(known) if known else None


def log_name(pool: Pool) -> str:
    """The name of a ledger that has a key, as its checkpoints have it."""
    with pool.connection() as database:
        verifier = verifier_of(database)
    assert verifier
    return verifier.name


def _verifier(database: Database) -> str | None:
    row = database.execute("SELECT verifier FROM log_key").fetchone()
    return row[0] if row else None


class LedgerTree:
    """Takes entries into the tree as they are appended."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def edge_at(self, database: Database, size: int) -> Frontier:
        """The right edge of the tree of so many entries.

        Raises CutTree where the tree does not hold all of them: whoever completed and signed it would hide that
        something was taken away.
        """
        return _edge_at(database, size)

    def grow(self, edge: Frontier, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        """The nodes that the entries after the edge complete and a signed checkpoint; `WRITTEN` writes them."""
        after, rows = edge.extend(map(leaf_hash, entries))
        text = Checkpoint(self._signer.name, after.size, after.root).text
        note = Note(text, (self._signer.sign(text),)).encoded.decode()
        return Growth(edge, after, rows, entries, Signed(after.size, after.root, note, recorded_at))

    def begin(self, database: Database, head: int) -> None:
        """Takes in the entries of a ledger that has no tree yet, up to its head, whose lock is held.

        What has one instant was one group of appends, and each is signed as that.
        """
        edge = Frontier(0, ())
        while edge.size < head and (rows := database.execute(_ENTRIES_AFTER, [edge.size, AT_A_TIME]).fetchall()):
            for instant, group in groupby(rows, itemgetter(1)):
                growth = self.grow(edge, [data for data, _ in group], instant)
                database.execute(_WRITE, written(growth))
                edge = growth.after


def _edge_at(database: Database, size: int) -> Frontier:
    try:
        return Frontier.of(size, look_up(database, frontier_nodes(size)))
    except MissingNode as missing:
        level, index = missing.node
        raise CutTree(min((index + 1) << level, _first_without_leaf(database)), size) from None


def _first_without_leaf(database: Database) -> int:
    row = database.execute(_FIRST_WITHOUT_LEAF).fetchone()
    position: int = row[0] if row else 1
    return position


def look_up(database: Database, nodes: Sequence[Node]) -> Mapping[Node, bytes]:
    rows = database.execute(_NODES, [[level for level, _ in nodes], [index for _, index in nodes]])
    return {(level, index): hash_ for level, index, hash_ in rows}


def _look_up_paths(database: Database, nodes: Iterable[Node]) -> Mapping[Node, bytes]:
    """The hashes of nodes on the paths of some leaves to the root, from few pages. Raises MissingNode for a leaf."""
    wanted = sorted(nodes)
    upper = [node for node in wanted if node[0] >= LOW]
    blocks = {index << level >> LOW << LOW for level, index in wanted if level < LOW}
    parameters = [[level for level, _ in upper], [index for _, index in upper], sorted(blocks)]
    known = {
        (level, first + place // HASH_SIZE): hashes[place : place + HASH_SIZE]
        for level, first, hashes in database.execute(_PATHS, parameters)
        for place in range(0, len(hashes), HASH_SIZE)
    }
    for node in wanted:
        if node[0] < LOW:
            _complete(node, known)
    return known


def _complete(node: Node, known: dict[Node, bytes]) -> bytes:
    """The hash of a node, made from the leaves under it."""
    if node not in known:
        level, index = node
        if level == 0:
            raise MissingNode(node)
        below = [_complete((level - 1, child), known) for child in (2 * index, 2 * index + 1)]
        known[node] = node_hash(*below)
    return known[node]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as it was signed, and cosigned since: `note` is the C2SP signed note, `root` 32 bytes."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


class Receipt(NamedTuple):
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
    _proofs: list[list[tuple[bytes, ...]]] = field(default_factory=list, init=False, repr=False, compare=False)

    def receipts(self, first: int, last: int) -> list[Receipt]:
        """The receipts of the group's entries at these positions. Raises ValueError for others."""
        before = self.before.size
        if not before < first <= last <= self.after.size:
            raise ValueError(f"The group has the positions {before + 1} to {self.after.size}; got {first} to {last}.")
        self.prove()
        here = slice(first - before - 1, last - before)
        positions = range(first, last + 1)
        return list(map(Receipt, positions, self.entries[here], self._proofs[0][here], repeat(self.checkpoint)))

    def prove(self) -> None:
        """Makes the proofs of all of its entries, unless they are made."""
        # Members of the group ask from their own threads: if two make them at once, either will do.
        if not self._proofs:
            self._proofs.append(latest_proofs(self.before, self.after, self.rows))


def written(growth: Growth) -> dict[str, Any]:
    """The parameters of `WRITTEN`."""
    runs = [
        (level, first + begin, b"".join(hashes[begin : begin + RUN]))
        for level, first, hashes in growth.rows
        for begin in range(0, len(hashes), RUN)
    ]
    signed = growth.checkpoint
    return {
        "levels": Integers.packed(level for level, _, _ in runs),
        "runs": Integers.packed(first for _, first, _ in runs),
        "hashes": Bytes.packed([hashes for _, _, hashes in runs]),
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
            known = _look_up_paths(database, wanted)
        return [
            Receipt(position, entry, tuple(inclusion_proof(position - 1, signed.size, lambda _: known)), signed)
            for position, entry in entries
        ]

    def first_receipts(self, positions: Sequence[int]) -> list[Receipt]:
        """The proofs of entries, each under the first checkpoint that holds it, as the log alone signed that.

        They never change. Two statements for all; positions beyond the newest checkpoint are left out.
        """
        with self._pool.connection() as database:
            rows = database.execute(_FIRST_SIGNED, [list(positions)]).fetchall()
            wanted = {node for position, _, size, *_ in rows for node in inclusion_nodes(position - 1, size)}
            known = _look_up_paths(database, wanted)
        return [
            Receipt(position, entry, tuple(inclusion_proof(position - 1, size, lambda _: known)), Signed(size, *signed))
            for position, entry, size, *signed in rows
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
_INSERT_KEY: Final = "INSERT INTO log_key (verifier) VALUES (%s) ON CONFLICT DO NOTHING"
_HAS_TREE: Final = "SELECT 1 WHERE EXISTS (SELECT FROM node_runs) OR EXISTS (SELECT FROM checkpoints)"
_ENDS: Final = """
SELECT position, coalesce(leaves.until, 0), (SELECT coalesce(max(size), 0) FROM checkpoints)
FROM head LEFT JOIN (
    SELECT first + length(hashes) / 32 AS until FROM node_runs WHERE level = 0 ORDER BY first DESC LIMIT 1
) AS leaves ON true
"""
_FIRST_WITHOUT_LEAF: Final = """
SELECT min(run.until) + 1
FROM (SELECT 0 AS until UNION ALL SELECT first + length(hashes) / 32 FROM node_runs WHERE level = 0) AS run
WHERE NOT EXISTS (SELECT FROM node_runs WHERE level = 0 AND first = run.until)
"""
# A run is the last one that begins at the node or before it; what node_runs_upper has is not looked for in the table.
# Arrays are selected, so that the planner does not see how long they are: else it would plan for each proof anew.
_NODES: Final = """
SELECT asked.level, asked.index, substring(run.hashes FROM (asked.index - run.first)::int * 32 + 1 FOR 32)
FROM unnest((SELECT %s::smallint[]), (SELECT %s::bigint[])) AS asked (level, index)
CROSS JOIN LATERAL (
    (SELECT first, hashes FROM node_runs AS low
     WHERE asked.level < 8 AND low.level = asked.level AND low.first <= asked.index ORDER BY first DESC LIMIT 1)
    UNION ALL
    (SELECT first, hashes FROM node_runs AS upper
     WHERE asked.level >= 8 AND upper.level >= 8 AND upper.level = asked.level AND upper.first <= asked.index
     ORDER BY first DESC LIMIT 1)
) AS run
WHERE (asked.index - run.first) * 32 < length(run.hashes)
"""
_PATHS: Final = (
    """
{nodes}
UNION ALL
SELECT 0, run.first, run.hashes FROM unnest((SELECT %s::bigint[])) AS block (first)
CROSS JOIN LATERAL (
    SELECT first, hashes FROM node_runs
    WHERE level = 0 AND first > block.first - {run} AND first < block.first + {block} LIMIT {run} + {block}
) AS run
""".replace("{nodes}", _NODES)
    .replace("{run}", str(RUN))
    .replace("{block}", str(1 << LOW))
    .encode()
)
"""Nodes, each by itself, and the runs of leaves that reach into some blocks of leaves."""
_ENTRIES_AT: Final = """
SELECT position, data FROM events WHERE position = ANY((SELECT %s::bigint[])::bigint[]) AND position <= %s ORDER BY position
"""
_FIRST_SIGNED: Final = """
SELECT events.position, events.data, signed.size, signed.root, signed.note, signed.signed_at
FROM events CROSS JOIN LATERAL (
    SELECT * FROM checkpoints WHERE checkpoints.size >= events.position ORDER BY checkpoints.size LIMIT 1
) AS signed
WHERE events.position = ANY(%s::bigint[]) ORDER BY events.position
"""
_ENTRIES_AFTER: Final = "SELECT data, recorded_at FROM events WHERE position > %s ORDER BY position LIMIT %s"
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
