"""The evidence folder: all that proves a ledger, to be verified without a database by whoever has the public key.

verifier         the ledger's C2SP verifier key, NAME+ID+BASE64, in one line
checkpoint       the C2SP signed note over all entries of the folder, with what cosignatures it has
entries.jsonl    the entries from position 1 on, one a line, each as it was hashed
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from ledger.migrations import Pool
from ledger.notes import Checkpoint, MalformedKey, Verifier
from ledger.tree import Proofs, verifier_of
from ledger.verify import Auditor, Broken, checkpoint_of, halted

VERIFIER: Final = "verifier"
CHECKPOINT: Final = "checkpoint"
ENTRIES: Final = "entries.jsonl"
AT_A_TIME: Final = 2_000
LONGEST_NOTE: Final = 100_000


class NoEvidence(Exception):
    """A folder that is no evidence folder, or cannot be made; the message says what is missing and what to do."""


def write_evidence(
    pool: Pool, folder: Path, upto: int | None = None, progress: Callable[[int], None] = lambda done: None
) -> Checkpoint:
    """Writes the folder, whole or not at all, with the largest signed checkpoint that is not beyond `upto`.

    Raises NoEvidence where there is none or the folder exists, and OSError.
    """
    if folder.exists():
        raise NoEvidence(f"{folder} exists already: give a name that is free.")
    with pool.connection() as database:
        row = database.execute(_SIZE, {"upto": upto}).fetchone()
        verifier = verifier_of(database)
    found = Proofs(pool).checkpoint(row[0]) if row else None
    if found is None or verifier is None:
        raise NoEvidence("There is no signed checkpoint up to there: nothing can be proved yet.")
    signed = checkpoint_of(found.note.encode(), verifier, 1)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        (beside / VERIFIER).write_text(f"{verifier}\n", encoding="utf-8")
        (beside / CHECKPOINT).write_bytes(found.note.encode())
        with (beside / ENTRIES).open("wb") as file:
            for entries in _entries(pool, signed.size):
                file.writelines(entry + b"\n" for entry in entries)
                progress(len(entries))
            file.flush()
            os.fsync(file.fileno())
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return signed


def _entries(pool: Pool, size: int) -> Iterator[list[bytes]]:
    for after in range(0, size, AT_A_TIME):
        with pool.connection() as database:
            rows = database.execute(_ENTRIES, [after, min(after + AT_A_TIME, size)], binary=True).fetchall()
        yield [data for (data,) in rows]


def evidence_key(folder: Path) -> Verifier:
    """The key that the folder names as its ledger's: whoever verifies compares it with the one that is published."""
    try:
        return Verifier.parse(_read(folder / VERIFIER).decode("utf-8", "replace").strip())
    except MalformedKey as wrong:
        raise NoEvidence(f"{folder / VERIFIER} holds no verifier key: {wrong}") from None


def verify_evidence(
    folder: Path,
    verifier: Verifier,
    kept: Checkpoint | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Checkpoint:
    """Verifies a folder by the ledger's public key alone, at constant memory; gives the checkpoint that it proves.

    `kept` is a checkpoint of that key that somebody kept. Raises Broken with the first position, and NoEvidence.
    """
    signed = checkpoint_of(_read(folder / CHECKPOINT), verifier, 1, "the folder's checkpoint")
    if kept and kept.size > signed.size:
        raise Broken(
            signed.size + 1, f"the checkpoint that was kept is of {kept.size} entries; the evidence was cut off"
        )
    auditor = Auditor()
    try:
        with (folder / ENTRIES).open("rb") as file:
            while lines := list(islice(file, AT_A_TIME)):
                _take(auditor, [_entry(line, number) for number, line in enumerate(lines, auditor.position + 1)], kept)
                progress(len(lines))
    except OSError as error:
        raise NoEvidence(f"{folder / ENTRIES} cannot be read ({error.strerror}).") from None
    auditor.check(signed, "the folder's checkpoint")
    return signed


def _entry(line: bytes, position: int) -> bytes:
    if not line.endswith(b"\n"):
        raise Broken(position, "its line is cut off")
    return line[:-1]


def _take(auditor: Auditor, entries: list[bytes], kept: Checkpoint | None) -> None:
    for part in halted(entries, auditor.position, [kept.size] if kept else []):
        auditor.take(part)
        auditor.check_kept(kept)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST_NOTE)
    except OSError as error:
        raise NoEvidence(
            f"{file} cannot be read ({error.strerror}): an evidence folder has {VERIFIER}, {CHECKPOINT} and {ENTRIES}, as "
            "`caseledger export --format evidence` writes them."
        ) from None


_SIZE: Final = """
SELECT size FROM checkpoints WHERE %(upto)s::bigint IS NULL OR size <= %(upto)s::bigint ORDER BY size DESC LIMIT 1
"""
_ENTRIES: Final = "SELECT data FROM events WHERE position > %s AND position <= %s ORDER BY position"
