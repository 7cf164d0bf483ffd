"""Verification of a database: its entries by `ledger.verify`, and all that is kept beside them against the entries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, TypeAlias

from psycopg.rows import TupleRow

from domain.text import shown
from ledger.merkle import HASH_SIZE, Row, nodes_in
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, MalformedKey, MalformedNote, Note, Signature, Verifier, timestamp_of
from ledger.rows import columns, moment
from ledger.tree import verifier_of
from ledger.verify import Auditor, Broken, Progress, Stated, checkpoint_of, halted
from ledger.verify_map import map_faults

PAGE: Final = 2_000


Readers: TypeAlias = Callable[[Database], Sequence[tuple[str, int]]]
"""Who else reads the log, by what it is called, and up to which position each says that it has."""


def verify_database(
    pool: Pool,
    kept: Checkpoint | None = None,
    progress: Progress = lambda done, of: None,
    readers: Readers = lambda database: (),
) -> tuple[Checkpoint | None, Verifier | None]:
    """Verifies what one moment of the database holds, while others may go on writing; memory does not grow.

    `kept` is a checkpoint that somebody kept, signed by this ledger's key. Gives the newest checkpoint and the key that
    signed it, None in an empty ledger. Raises Broken with the first position.
    """
    with moment(pool) as database:
        try:
            verifier = verifier_of(database)
        except MalformedKey:
            raise Broken(1, "the table log_key holds no verifier key that it could be signed under") from None
        last: int = _rows(database, _LAST)[0][0]
        found = [*_ends(database, last, kept)]
        verification = _Verification(database, verifier, kept)
        try:
            verification.run(lambda done: progress(done, last))
        except Broken as broken:
            found.append(broken)
        found += [*_check_readers(readers(database), last), *_stray_tags(database), *_nodes_twice(database)]
        if not found:
            # It is made of the tags: what is wrong with these is named where they are.
            found += map_faults(database, verifier, last)
    if found:
        raise min(found, key=lambda broken: broken.position) from None
    return verification.newest, verifier


def _rows(
    database: Database, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> list[TupleRow]:
    return database.execute(statement.encode(), parameters, binary=True).fetchall()


class _Verification:
    """Entries in order, and what is kept beside each of them."""

    def __init__(self, database: Database, verifier: Verifier | None, kept: Checkpoint | None) -> None:
        self._database = database
        self._verifier = verifier
        self._kept = kept
        self._auditor = Auditor()
        self.newest: Checkpoint | None = None

    def run(self, progress: Callable[[int], None]) -> None:
        while rows := _rows(self._database, _EVENTS, [self._auditor.position, PAGE]):
            self._page(rows)
            progress(len(rows))

    def _page(self, rows: list[TupleRow]) -> None:
        first = self._auditor.position + 1
        notes = {size: rest for size, *rest in _rows(self._database, _CHECKPOINTS, [first, rows[-1][0]])}
        cosigned = self._cosigned(first, rows[-1][0])
        sizes = [*notes, *cosigned, *([self._kept.size] if self._kept else [])]
        for part in halted(rows, first - 1, sizes):
            self._auditor.examine(part, self._take)
            if note := notes.get(self._auditor.position):
                self._checkpoint(self._auditor.position, *note)
            for cosignature in cosigned.get(self._auditor.position, ()):
                self._cosignature(self._auditor.position, note, *cosignature)
            self._auditor.check_kept(self._kept)

    def _take(self, rows: Sequence[TupleRow]) -> None:
        begun = self._auditor.position + 1
        for position, (found, *_) in enumerate(rows, begun):
            if found != position:
                raise Broken(position, f"there is no event; the next is at position {found}")
        before = self._auditor.recorded_at
        stated, completed = self._auditor.take([row[3] for row in rows])
        self._groups(before, begun, stated)
        for (position, type_, tags, _, recorded_at), states in zip(rows, stated, strict=True):
            if type_ != states.type:
                raise Broken(position, f"the column type says {shown(type_)}, its entry {shown(states.type)}")
            if tags != states.tags:
                raise Broken(position, "the column tags says other than its entry")
            if recorded_at != states.recorded_at:
                raise Broken(position, f"the column recorded_at says other than its entry, {shown(states.recorded_at)}")
        self._tags(stated)
        self._nodes(completed)

    def _groups(self, before: str, begun: int, stated: list[Stated]) -> None:
        """That a checkpoint stands wherever a group ended: all entries of one group have one instant."""
        signed = self.newest.size if self.newest else 0
        for position, each in enumerate(stated, begun):
            if each.recorded_at != before and signed < position - 1:
                raise Broken(signed + 1, f"no checkpoint of its group is there; the next group begins at {position}")
            before = each.recorded_at

    def _tags(self, stated: list[Stated]) -> None:
        wanted = [(tag, each.position) for each in stated for tag in each.tags]
        if wanted and (missing := _rows(self._database, _MISSING_TAGS, columns(wanted))):
            raise Broken(
                missing[0][0], "the table tags lacks one of its tags, so whoever looks for it misses the event"
            )

    def _nodes(self, completed: Sequence[Row]) -> None:
        """That each node is kept; it is completed by the last leaf under it."""
        spans = columns((level, first, first + len(row)) for level, first, row in completed)
        kept = {
            (level, first + place): hashes[begin : begin + HASH_SIZE]
            for level, first, hashes in _rows(self._database, _RUNS, spans)
            for place, begin in enumerate(range(0, len(hashes), HASH_SIZE))
        }
        wrong = [
            ((index + 1) << level, kept.get((level, index)))
            for level, index, hash_ in nodes_in(completed)
            if kept.get((level, index)) != hash_
        ]
        if wrong:
            at, found = min(wrong, key=itemgetter(0))
            what = "is missing" if found is None else "is not what its entries hash to"
            raise Broken(at, f"the tree's node that it completes {what}")

    def _checkpoint(self, size: int, root: bytes, note: str, signed_at: str) -> None:
        if self._verifier is None:
            raise Broken(size, "there is a checkpoint and no key that this ledger is signed under")
        signed = checkpoint_of(note.encode(), self._verifier, size)
        if signed.size != size:
            raise Broken(size, f"its checkpoint is one of {signed.size} entries")
        self._auditor.check(signed)
        if root != signed.root:
            raise Broken(size, "the column root of its checkpoint says other than its note")
        if signed_at != self._auditor.recorded_at:
            raise Broken(size, "its checkpoint was not signed at the instant of the entry")
        self.newest = signed

    def _cosigned(self, first: int, last: int) -> Mapping[int, Sequence[TupleRow]]:
        """What witnesses signed, by size; nothing in a database that an older program made and none has migrated."""
        if _rows(self._database, "SELECT to_regclass('cosignatures') IS NULL")[0][0]:
            return {}
        found: dict[int, list[TupleRow]] = {}
        for size, *rest in _rows(self._database, _COSIGNATURES, [first, last]):
            found.setdefault(size, []).append(tuple(rest))
        return found

    def _cosignature(
        self, size: int, checkpoint: Sequence[Any] | None, witness: str, line: str, cosigned_at: Decimal
    ) -> None:
        if checkpoint is None:
            raise Broken(size, "there is a cosignature and no checkpoint that it is of")
        try:
            verifier, cosignature = Verifier.parse(witness), Signature.parse(line)
        except (MalformedKey, MalformedNote) as wrong:
            raise Broken(size, f"a cosignature of its checkpoint is none: {str(wrong).rstrip('.')}") from None
        if not verifier.verifies(Note.parse(checkpoint[1].encode()).text, cosignature):
            raise Broken(size, f"a cosignature of its checkpoint was not made by {verifier}")
        if cosigned_at != timestamp_of(cosignature):
            raise Broken(size, f"the column cosigned_at says other than the cosignature of {verifier}")


def _ends(database: Database, last: int, kept: Checkpoint | None) -> Iterator[Broken]:
    """What does not end where the events do."""
    heads = _rows(database, _HEAD)
    if len(heads) != 1:
        yield Broken(last + 1, f"the table head has {len(heads)} rows, and one says what the last position is")
    for position, is_of_last in heads:
        if position != last:
            yield Broken(min(position or 0, last) + 1, f"the head is {position}, and there are events up to {last}")
        elif not is_of_last:
            yield Broken(last, "the head's instant is not that of the last event")
    newest: int = _rows(database, _NEWEST)[0][0]
    if newest < last:
        yield Broken(newest + 1, "no checkpoint holds it")
    if kept and kept.size > last:
        yield Broken(last + 1, f"the checkpoint that was kept is of {kept.size} entries; the ledger was cut off")
    for (what,) in _rows(database, _BEYOND, {"last": last}):
        yield Broken(last + 1, f"{what} goes beyond the last event, {last}")


def _check_readers(readers: Sequence[tuple[str, int]], last: int) -> Iterator[Broken]:
    """Who has read what there is not; asked at the same moment of the database as all else."""
    for name, position in readers:
        if position > last:
            yield Broken(last + 1, f"{name} says that it has read up to {position}; the head is {last}")


def _stray_tags(database: Database) -> Iterator[Broken]:
    for (position,) in _rows(database, _STRAY_TAG):
        yield Broken(position, "the table tags has a tag of it that its entry has not")


def _nodes_twice(database: Database) -> Iterator[Broken]:
    for (position,) in _rows(database, _TWICE):
        yield Broken(position, "a node of the tree that it completes is there twice")


# Instants as an entry writes them: what none can say (infinity, the year 10000) has no place in Python either.
_EVENTS: Final = """
SELECT position, type, tags, coalesce(data, ''), to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM events WHERE position > %s ORDER BY position LIMIT %s
"""
_CHECKPOINTS: Final = """
SELECT size, root, coalesce(note, ''), to_char(signed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM checkpoints WHERE size BETWEEN %s AND %s
"""
_LAST: Final = "SELECT coalesce(max(position), 0) FROM events"
_NEWEST: Final = "SELECT coalesce(max(size), 0) FROM checkpoints"
_HEAD: Final = """
SELECT head.position, head.position = 0 OR head.recorded_at IS NOT DISTINCT FROM events.recorded_at
FROM head LEFT JOIN events ON events.position = head.position ORDER BY head.position
"""
_COSIGNATURES: Final = """
SELECT size, witness, line, extract(epoch FROM cosigned_at) FROM cosignatures WHERE size BETWEEN %s AND %s
"""
_MISSING_TAGS: Final = """
SELECT wanted.position FROM unnest(%s::text[], %s::bigint[]) AS wanted (tag, position)
WHERE NOT EXISTS (SELECT FROM tags WHERE tags.tag = wanted.tag AND tags.position = wanted.position OFFSET 0)
ORDER BY wanted.position LIMIT 1
"""
_STRAY_TAG: Final = """
SELECT tags.position FROM tags LEFT JOIN events ON events.position = tags.position
WHERE events.position IS NULL OR NOT events.tags @> ARRAY[tags.tag] ORDER BY tags.position LIMIT 1
"""
# A run has 32 nodes at most. LATERAL: a look-up in the index for each level, whatever the planner believes.
_RUNS: Final = """
SELECT run.level, run.first, run.hashes
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS asked (level, begins, ends)
CROSS JOIN LATERAL (
    SELECT * FROM node_runs WHERE level = asked.level AND first > asked.begins - 32 AND first < asked.ends OFFSET 0
) AS run
"""
_TWICE: Final = """
SELECT (run.next + 1) << run.level FROM (
    SELECT level, first + length(hashes) / 32 AS until, lead(first) OVER (PARTITION BY level ORDER BY first) AS next
    FROM node_runs WHERE level BETWEEN 0 AND 62
) AS run
WHERE run.next < run.until ORDER BY 1 LIMIT 1
"""
_BEYOND: Final = """
-- Shifted to the right nothing overflows; a shift by 64 and more counts from 0 again.
SELECT 'a node of the tree' FROM node_runs
WHERE level NOT BETWEEN 0 AND 62 OR first < 0 OR first + length(hashes) / 32 > (%(last)s::bigint >> level)
UNION ALL SELECT 'a checkpoint' FROM checkpoints WHERE size > %(last)s
UNION ALL SELECT 'an idempotency key' FROM idempotency WHERE last_position > %(last)s
LIMIT 1
"""
