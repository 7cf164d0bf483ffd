"""Verification of a database: its entries by `ledger.verify`, and all that is kept beside them against the entries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias

from psycopg import Connection
from psycopg.rows import TupleRow

from domain.identifiers import instant_text
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, MalformedKey, MalformedNote, Note, Signature, Verifier, timestamp_of
from ledger.rows import columns
from ledger.tree import verifier_of
from ledger.verify import Auditor, Broken, Stated, checkpoint_of, halted

PAGE: Final = 2_000


Readers: TypeAlias = Callable[[Database], Sequence[tuple[str, int]]]
"""Who else reads the log, by what it is called, and up to which position each says that it has."""


def verify_database(
    pool: Pool,
    kept: Checkpoint | None = None,
    progress: Callable[[int], None] = lambda done: None,
    readers: Readers = lambda database: (),
) -> tuple[Checkpoint | None, Verifier | None]:
    """Verifies what one moment of the database holds, while others may go on writing; memory does not grow.

    `kept` is a checkpoint that somebody kept, signed by this ledger's key. `progress` hears of entries done. Gives the
    newest checkpoint and the key that signed it, None in an empty ledger. Raises Broken with the first position.
    """
    with _moment(pool) as database:
        verifier = verifier_of(database)
        stray = _first_stray_tag(database)
        try:
            verification = _Verification(database, verifier, kept, progress)
            newest = verification.run()
            verification.check_readers(readers(database))
        except Broken as broken:
            if stray is not None and stray.position < broken.position:
                raise stray from None
            raise
        if stray is not None:
            raise stray
    return newest, verifier


@contextmanager
def _moment(pool: Pool) -> Iterator[Connection[TupleRow]]:
    with pool.connection() as database, database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield database


class _Verification:
    def __init__(
        self, database: Database, verifier: Verifier | None, kept: Checkpoint | None, progress: Callable[[int], None]
    ) -> None:
        self._database = database
        self._verifier = verifier
        self._kept = kept
        self._progress = progress
        self._auditor = Auditor()
        self._newest: Checkpoint | None = None

    def run(self) -> Checkpoint | None:
        while rows := self._rows(_EVENTS, [self._auditor.position, PAGE]):
            self._page(rows)
            self._progress(len(rows))
        self._end()
        return self._newest

    def _rows(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[TupleRow]:
        return self._database.execute(statement.encode(), parameters, binary=True).fetchall()

    def _page(self, rows: list[TupleRow]) -> None:
        first = self._auditor.position + 1
        notes = {size: rest for size, *rest in self._rows(_CHECKPOINTS, [first, rows[-1][0]])}
        cosigned = self._cosigned(first, rows[-1][0])
        sizes = [*notes, *cosigned, *([self._kept.size] if self._kept else [])]
        for part in halted(rows, first - 1, sizes):
            self._take(part)
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
        stated, nodes = self._auditor.take([row[3] for row in rows])
        for (position, type_, tags, _, recorded_at), states in zip(rows, stated, strict=True):
            if type_ != states.type:
                raise Broken(position, f"the column type says {type_}, its entry {states.type}")
            if tags != states.tags:
                raise Broken(position, "the column tags says other than its entry")
            if instant_text(recorded_at) != states.recorded_at:
                raise Broken(position, f"the column recorded_at says other than its entry, {states.recorded_at}")
        self._tags(stated)
        self._nodes(nodes)

    def _tags(self, stated: list[Stated]) -> None:
        wanted = [(tag, each.position) for each in stated for tag in each.tags]
        if wanted and (missing := self._rows(_MISSING_TAGS, columns(wanted))):
            raise Broken(
                missing[0][0], "the table tags lacks one of its tags, so whoever looks for it misses the event"
            )

    def _nodes(self, nodes: list[tuple[int, int, bytes]]) -> None:
        for at, found in self._rows(_WRONG_NODES, columns(nodes)):
            what = "is missing" if found is None else "is not what its entries hash to"
            raise Broken(at, f"the tree's node that it completes {what}")

    def _checkpoint(self, size: int, root: bytes, note: str, signed_at: datetime) -> None:
        if self._verifier is None:
            raise Broken(size, "there is a checkpoint and no key that this ledger is signed under")
        signed = checkpoint_of(note.encode(), self._verifier, size)
        self._auditor.check(signed)
        if root != signed.root:
            raise Broken(size, "the column root of its checkpoint says other than its note")
        if instant_text(signed_at) != self._auditor.recorded_at:
            raise Broken(size, "its checkpoint was not signed at the instant of the entry")
        self._newest = signed

    def _cosigned(self, first: int, last: int) -> Mapping[int, Sequence[TupleRow]]:
        """What witnesses signed, by size; nothing in a database that an older program made and none has migrated."""
        if self._rows("SELECT to_regclass('cosignatures') IS NULL", [])[0][0]:
            return {}
        found: dict[int, list[TupleRow]] = {}
        for size, *rest in self._rows(_COSIGNATURES, [first, last]):
            found.setdefault(size, []).append(tuple(rest))
        return found

    def _cosignature(
        self, size: int, checkpoint: Sequence[Any] | None, witness: str, line: str, cosigned_at: datetime
    ) -> None:
        if checkpoint is None:
            raise Broken(size, "there is a cosignature and no checkpoint that it is of")
        try:
            verifier, cosignature = Verifier.parse(witness), Signature.parse(line)
        except (MalformedKey, MalformedNote) as wrong:
            raise Broken(size, f"a cosignature of its checkpoint is none: {str(wrong).rstrip('.')}") from None
        if not verifier.verifies(Note.parse(checkpoint[1].encode()).text, cosignature):
            raise Broken(size, f"a cosignature of its checkpoint was not made by {verifier}")
        if cosigned_at.timestamp() != timestamp_of(cosignature):
            raise Broken(size, f"the column cosigned_at says other than the cosignature of {verifier}")

    def check_readers(self, readers: Sequence[tuple[str, int]]) -> None:
        """That nobody has read what there is not; asked at the same moment of the database as all else."""
        last = self._auditor.position
        for name, position in readers:
            if position > last:
                raise Broken(last + 1, f"{name} says that it has read up to {position}; the head is {last}")

    def _end(self) -> None:
        """What can only be said once all entries were seen."""
        last = self._auditor.position
        (position, recorded_at) = self._rows("SELECT position, recorded_at FROM head", [])[0]
        if position != last:
            raise Broken(min(position, last) + 1, f"the head is {position}, and there are events up to {last}")
        if last and instant_text(recorded_at) != self._auditor.recorded_at:
            raise Broken(last, "the head's instant is not that of the last event")
        if last and (self._newest is None or self._newest.size != last):
            raise Broken((self._newest.size if self._newest else 0) + 1, "no checkpoint holds it")
        if self._kept and self._kept.size > last:
            raise Broken(
                last + 1, f"the checkpoint that was kept is of {self._kept.size} entries; the ledger was cut off"
            )
        for (what,) in self._rows(_BEYOND, {"last": last}):
            raise Broken(last + 1, f"{what} goes beyond the last event, {last}")


def _first_stray_tag(database: Database) -> Broken | None:
    row = database.execute(_STRAY_TAG).fetchone()
    return Broken(row[0], "the table tags has a tag of it that its entry has not") if row else None


_EVENTS: Final = (
    "SELECT position, type, tags, data, recorded_at FROM events WHERE position > %s ORDER BY position LIMIT %s"
)
_CHECKPOINTS: Final = "SELECT size, root, note, signed_at FROM checkpoints WHERE size BETWEEN %s AND %s"
_COSIGNATURES: Final = "SELECT size, witness, line, cosigned_at FROM cosignatures WHERE size BETWEEN %s AND %s"
_MISSING_TAGS: Final = """
SELECT wanted.position FROM unnest(%s::text[], %s::bigint[]) AS wanted (tag, position)
WHERE NOT EXISTS (SELECT FROM tags WHERE tags.tag = wanted.tag AND tags.position = wanted.position)
ORDER BY wanted.position LIMIT 1
"""
_STRAY_TAG: Final = """
SELECT tags.position FROM tags LEFT JOIN events ON events.position = tags.position
WHERE events.position IS NULL OR NOT events.tags @> ARRAY[tags.tag] ORDER BY tags.position LIMIT 1
"""
# A node is completed by the last leaf under it.
_WRONG_NODES: Final = """
SELECT (wanted.index + 1) << wanted.level, nodes.hash
FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[]) AS wanted (level, index, hash)
LEFT JOIN nodes ON nodes.level = wanted.level AND nodes.index = wanted.index
WHERE nodes.hash IS DISTINCT FROM wanted.hash ORDER BY 1 LIMIT 1
"""
_BEYOND: Final = """
SELECT 'a node of the tree' FROM nodes WHERE (index + 1) << level > %(last)s
UNION ALL SELECT 'a checkpoint' FROM checkpoints WHERE size > %(last)s
UNION ALL SELECT 'an idempotency key' FROM idempotency WHERE last_position > %(last)s
LIMIT 1
"""
