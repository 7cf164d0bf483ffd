"""The evidence folder: all that proves a ledger, to be verified without a database by whoever has the public key.

verifier         the ledger's C2SP verifier key, NAME+ID+BASE64, in one line
checkpoint       the C2SP signed note over all entries up to the folder's last, with what cosignatures it has
checkpoints      the last signed note of each 2,000 entries, by rising size, each followed by an empty line; the last is
                 that of `checkpoint`, without cosignatures
leaves           the leaf hash of each entry, 32 bytes: they say at which position the entries part from a root
entries.jsonl    the entries from the folder's first position on, one a line, each as it was hashed
edge             only where the folder does not begin at position 1: the right edge of the tree before it (RFC 9162), the
                 number of its leaves in the first line, then the hash of each complete subtree in hex, largest first
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from ledger.merkle import HASH_SIZE, Frontier, MissingNode, frontier_nodes
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, MalformedKey, MalformedNote, Note, Verifier
from ledger.tree import Proofs, look_up, verifier_of
from ledger.verify import EMPTY, LONGEST_ENTRY, Auditor, Broken, Progress, checkpoint_of, halted

VERIFIER: Final = "verifier"
CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints"
LEAVES: Final = "leaves"
ENTRIES: Final = "entries.jsonl"
EDGE: Final = "edge"
AT_A_TIME: Final = 2_000
"""Entries that are written together, with one checkpoint: a signature takes as long to verify as a hundred entries."""
BYTES_AT_A_TIME: Final = 1024 * 1024
LONGEST_NOTE: Final = 100_000
_EDGE: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})\n(?:[0-9a-f]{64}\n)*")


class NoEvidence(Exception):
    """A folder that is no evidence folder, or cannot be made; the message says what is missing and what to do."""


def write_evidence(
    pool: Pool,
    folder: Path,
    upto: int | None = None,
    after: int = 0,
    progress: Progress = lambda done, of: None,
) -> Checkpoint:
    """Fills a folder, which is made if it is not there, with the entries after a position, up to the largest checkpoint
    within `upto`. Who calls it sees to it that nothing of a folder stays that was not filled.

    Raises NoEvidence where there is no such checkpoint, Broken where it is not the ledger's, OSError.
    """
    with pool.connection() as database:
        note = newest_note(database, after, upto)
        verifier = verifier_of(database)
        if verifier is None:
            raise NoEvidence("This ledger has no key yet that it could be signed by: start it once.")
        edge = _edge_of(database, after)
    signed = checkpoint_of(note, verifier, after + 1)
    cosigned = Proofs(pool).checkpoint(signed.size)
    folder.mkdir(exist_ok=True)
    (folder / VERIFIER).write_text(f"{verifier}\n", encoding="utf-8")
    (folder / CHECKPOINT).write_bytes(cosigned.note.encode() if cosigned else note)
    if after:
        (folder / EDGE).write_text("".join([f"{after}\n", *(f"{hash_.hex()}\n" for hash_ in edge.hashes)]))
    with ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("wb")) for name in (ENTRIES, LEAVES, CHECKPOINTS)]
        for begin in range(after, signed.size, AT_A_TIME):
            end = min(begin + AT_A_TIME, signed.size)
            _write_part(pool, files, begin, end)
            progress(end - begin, signed.size - after)
    return signed


def newest_note(database: Database, after: int, upto: int | None) -> bytes:
    """The note over the most entries within `upto`. Raises NoEvidence where none is over an entry after `after`."""
    head, size, note, following = database.execute(_NEWEST_NOTE, {"after": after, "upto": upto}).fetchall()[0]
    last = head if upto is None else upto
    if not 0 <= after < last <= head and (after or upto is not None):
        raise NoEvidence(
            f"The entries are those after 0 or more and up to at most {head}, the head; got after {after} and up to {last}."
        )
    if size is None or size <= after:
        then = f"; the next one is of {following} entries, so give --upto {following}" if following else ""
        raise NoEvidence(f"There is no signed checkpoint up to there: nothing after {after} can be proved yet{then}.")
    return bytes(note.encode())


def _edge_of(database: Database, size: int) -> Frontier:
    try:
        return Frontier.of(size, look_up(database, frontier_nodes(size)))
    except MissingNode:
        raise NoEvidence(f"The tree up to {size} is not whole: see with `caseledger verify` what holds.") from None


def _write_part(pool: Pool, files: Sequence[BinaryIO], begin: int, end: int) -> None:
    entries, leaves, checkpoints = files
    with pool.connection() as database:
        rows = database.execute(_ENTRIES, [begin, end], binary=True).fetchall()
        notes = database.execute(_NOTE, [begin, end]).fetchall()
    entries.writelines(data + b"\n" for data, _ in rows)
    leaves.writelines(hash_ or bytes(HASH_SIZE) for _, hash_ in rows)
    checkpoints.writelines(note.encode() + b"\n" for (note,) in notes)


def evidence_key(folder: Path) -> Verifier:
    """The key that the folder names as its ledger's: whoever verifies compares it with the one that is published."""
    try:
        return Verifier.parse(_read(folder / VERIFIER).decode("utf-8", "replace").strip())
    except MalformedKey as wrong:
        raise NoEvidence(f"{folder / VERIFIER} holds no verifier key: {wrong}") from None


def evidence_edge(folder: Path) -> Frontier:
    """The edge of the tree before the folder's first entry, as the folder says; EMPTY where it begins at position 1.

    That it is the ledger's is proved with the root over the entries after it. Raises Broken, and NoEvidence.
    """
    try:
        with (folder / EDGE).open("rb") as file:
            text = file.read(LONGEST_NOTE).decode("utf-8", "replace")
    except FileNotFoundError:
        return EMPTY
    except OSError as error:
        raise NoEvidence(f"{folder / EDGE} cannot be read ({error.strerror}).") from None
    if not _EDGE.fullmatch(text):
        raise Broken(1, "the folder's edge is not a number of leaves and hashes of 64 hexadecimal digits")
    size, *hashes = text.split()
    edge = Frontier(int(size), tuple(map(bytes.fromhex, hashes)))
    if len(hashes) != edge.size.bit_count():
        raise Broken(
            1, f"the folder's edge has {len(hashes)} hashes, and that of {size} leaves {edge.size.bit_count()}"
        )
    return edge


def verify_evidence(
    folder: Path,
    verifier: Verifier,
    kept: Checkpoint | None = None,
    progress: Progress = lambda done, of: None,
) -> Checkpoint:
    """Verifies a folder by the ledger's public key alone, at constant memory; gives the checkpoint that it proves.

    `kept` is a checkpoint of that key that somebody kept. Raises Broken with the first position, and NoEvidence.
    """
    edge = evidence_edge(folder)
    signed = checkpoint_of(_read(folder / CHECKPOINT), verifier, edge.size + 1, "the folder's checkpoint")
    if kept and kept.size > signed.size:
        raise Broken(
            signed.size + 1, f"the checkpoint that was kept is of {kept.size} entries; the evidence was cut off"
        )
    if kept and kept.size < edge.size:
        raise NoEvidence(
            f"The checkpoint that was kept is of {kept.size} entries, and the folder begins after {edge.size}: export "
            f"with --after {kept.size} or less."
        )
    with ExitStack() as stack:
        files = [stack.enter_context(_open(folder / name)) for name in (ENTRIES, LEAVES, CHECKPOINTS)]
        try:
            _Folder(verifier, edge, signed, kept, files).verify(progress)
        except OSError as error:
            raise NoEvidence(f"{folder} cannot be read ({error.strerror}).") from None
    return signed


class _Folder:
    """A folder that is read from its begin to its end, once."""

    def __init__(
        self,
        verifier: Verifier,
        edge: Frontier,
        signed: Checkpoint,
        kept: Checkpoint | None,
        files: Sequence[BinaryIO],
    ) -> None:
        self._signed = signed
        self._kept = kept
        self._after = edge.size
        self._entries, self._leaves, notes = files
        self._checkpoints = _Checkpoints(notes, verifier, edge.size)
        self._auditor = Auditor(edge)

    def verify(self, progress: Progress) -> None:
        auditor, last = self._auditor, self._signed.size
        auditor.check_kept(self._kept)
        for entries, fault in self._parts():
            found = self._checkpoints.upto(auditor.position + len(entries))
            for part in halted(entries, auditor.position, [*found, *([self._kept.size] if self._kept else [])]):
                auditor.examine(part, self._take)
                self._checkpoint(found.get(auditor.position))
                auditor.check_kept(self._kept)
            progress(len(entries), last - self._after)
            if fault:
                raise Broken(auditor.position + 1, fault)
            if auditor.position > last:
                break
        auditor.check(self._signed, "the folder's checkpoint")
        if self._checkpoints.size != last or not self._checkpoints.ended():
            raise Broken(min(self._checkpoints.size, last) + 1, f"the folder's {CHECKPOINTS} do not end with {last}")
        if len(self._leaves_at(last)) != 0:
            raise Broken(last + 1, f"the folder's {LEAVES} go on beyond the last entry")

    def _parts(self) -> Iterator[tuple[list[bytes], str | None]]:
        """The next entries, and what is wrong with the line that follows them."""
        rest = b""
        while block := self._entries.read(BYTES_AT_A_TIME):
            *entries, rest = (rest + block).split(b"\n")
            if len(rest) > LONGEST_ENTRY:
                yield entries, f"its line has more than {LONGEST_ENTRY} bytes, and no entry is so long"
                return
            yield entries, None
        if rest:
            yield [], "its line is cut off"

    def _take(self, entries: Sequence[bytes]) -> None:
        first = self._auditor.position + 1
        _, completed = self._auditor.take(entries)
        hashes = completed[0][2] if completed else []
        leaves = self._leaves_at(first - 1, len(entries))
        if leaves != b"".join(hashes):
            given = (leaves[at : at + HASH_SIZE] for at in range(0, len(entries) * HASH_SIZE, HASH_SIZE))
            position = next(at for at, pair in enumerate(zip(hashes, given, strict=True), first) if pair[0] != pair[1])
            raise Broken(position, f"its entry does not hash to the leaf that the folder's {LEAVES} have")

    def _leaves_at(self, index: int, count: int = 1) -> bytes:
        self._leaves.seek((index - self._after) * HASH_SIZE)
        return self._leaves.read(count * HASH_SIZE)

    def _checkpoint(self, found: Checkpoint | Broken | None) -> None:
        if isinstance(found, Broken):
            raise found
        if found:
            self._auditor.check(found)


class _Checkpoints:
    """The notes of a file in their order, by their sizes; what is wrong with one is for whoever comes to its position."""

    def __init__(self, file: BinaryIO, verifier: Verifier, after: int) -> None:
        self._file = file
        self._verifier = verifier
        self._next: tuple[int, Checkpoint | Broken] | None = None
        self.size = after
        """That of the last note that was given."""

    def upto(self, position: int) -> dict[int, Checkpoint | Broken]:
        """The next notes of at most this size."""
        found: dict[int, Checkpoint | Broken] = {}
        while (following := self._next or self._read()) and following[0] <= position:
            found[following[0]] = following[1]
            self.size = following[0]
            self._next = None
        self._next = following
        return found

    def ended(self) -> bool:
        self._next = self._next or self._read()
        return self._next is None

    def _read(self) -> tuple[int, Checkpoint | Broken] | None:
        note = b""
        blank = 0
        while blank < 2 and len(note) <= LONGEST_NOTE and (line := self._file.readline(LONGEST_NOTE)):
            blank += line == b"\n"
            note += line
        if not note:
            return None
        note = note.removesuffix(b"\n") if blank == 2 else note
        try:
            checkpoint = checkpoint_of(note, self._verifier, self.size + 1)
        except Broken as broken:
            size = max(size_of(note), self.size + 1)
            return size, Broken(size, broken.why)
        if checkpoint.size <= self.size:
            why = f"the checkpoint that follows that of {self.size} entries is of {checkpoint.size}"
            return self.size + 1, Broken(self.size + 1, why)
        return checkpoint.size, checkpoint


def size_of(note: bytes) -> int:
    """What a note says that its size is, signed or not; 0 where it says none."""
    try:
        return Checkpoint.parse(Note.parse(note).text).size
    except MalformedNote:
        return 0


def _read(file: Path) -> bytes:
    with _open(file) as opened:
        return opened.read(LONGEST_NOTE)


def _open(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise NoEvidence(
            f"{file} cannot be read ({error.strerror}): an evidence folder has {VERIFIER}, {CHECKPOINT}, {CHECKPOINTS}, "
            f"{LEAVES} and {ENTRIES}, as `caseledger export --format evidence` writes them."
        ) from None


_NEWEST_NOTE: Final = """
SELECT head.position, newest.size, newest.note,
    (SELECT min(size) FROM checkpoints WHERE size > greatest(%(after)s::bigint, %(upto)s::bigint))
FROM head LEFT JOIN LATERAL (
    SELECT size, note FROM checkpoints WHERE size <= least(%(upto)s::bigint, head.position) ORDER BY size DESC LIMIT 1
) AS newest ON true
"""
_NOTE: Final = "SELECT note FROM checkpoints WHERE size > %s AND size <= %s ORDER BY size DESC LIMIT 1"
_ENTRIES: Final = """
SELECT events.data, substring(run.hashes FROM (events.position - 1 - run.first)::int * 32 + 1 FOR 32)
FROM events LEFT JOIN LATERAL (
    SELECT first, hashes FROM node_runs WHERE level = 0 AND first < events.position ORDER BY first DESC LIMIT 1
) AS run ON (events.position - 1 - run.first) * 32 < length(run.hashes)
WHERE events.position > %s AND events.position <= %s ORDER BY events.position
"""
