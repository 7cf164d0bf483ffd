"""`caseledger verify` and `caseledger export --format evidence`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import MofNCompleteColumn, TextColumn

from caseledger.errors import CannotVerify
from caseledger.reporting import as_json, note, progress
from caseledger.settings import Settings
from caseledger.wiring import open_system, open_to_look
from ledger.evidence import LONGEST_NOTE, NoEvidence, evidence_key, verify_evidence, write_evidence
from ledger.migrations import Database
from ledger.notes import Checkpoint, MalformedKey, MalformedNote, UnverifiedNote, Verifier, open_checkpoint
from ledger.tree import verifier_of
from ledger.verify import Broken
from ledger.verify_database import verify_database


def verify(settings: Settings, evidence: Path | None, key: str | None, checkpoint: Path | None, machine: bool) -> bool:
    """Verifies and prints; says whether all holds. Raises CannotVerify for what cannot be looked at."""
    try:
        if evidence is None:
            signed, verifier = _of_database(settings, checkpoint, machine)
        else:
            signed, verifier = _of_folder(evidence, key, checkpoint, machine)
    except Broken as broken:
        if machine:
            as_json({"holds": False, "position": broken.position, "why": broken.why})
        else:
            note(str(broken))
        return False
    except NoEvidence as wrong:
        raise CannotVerify(str(wrong)) from None
    size, root = (signed.size, signed.root.hex()) if signed else (0, None)
    if machine:
        as_json({"holds": True, "size": size, "rootHash": root, "verifier": str(verifier) if verifier else None})
    elif signed:
        print(f"{size} entries hold under the root {root}, signed by {verifier}.", flush=True)
    else:
        print("The ledger is empty.", flush=True)
    return True


def export_evidence(settings: Settings, out: Path, upto: int | None, machine: bool) -> None:
    try:
        with open_system(settings) as system, _progress(machine) as show:
            signed = write_evidence(system.pool, out, upto, show)
    except NoEvidence as wrong:
        raise CannotVerify(str(wrong)) from None
    except OSError as error:
        raise CannotVerify(
            f"{out} cannot be written ({error.strerror}): give a folder that this user may write."
        ) from None
    if machine:
        as_json({"out": str(out), "size": signed.size, "rootHash": signed.root.hex()})
    else:
        note(
            f"{signed.size} entries and their checkpoint are in {out}; verify them with `caseledger verify --evidence`."
        )


def _of_database(
    settings: Settings, checkpoint: Path | None, machine: bool
) -> tuple[Checkpoint | None, Verifier | None]:
    # Only looked at: whoever completes and signs what is missing before it is verified signs whatever was done to it.
    with open_to_look(settings) as pool:
        with pool.connection() as database:
            verifier = verifier_of(database)
        kept = _kept(checkpoint, verifier) if checkpoint and verifier else None
        with _progress(machine) as show:
            return verify_database(pool, kept, show, readers=_projections)


def _projections(database: Database) -> list[tuple[str, int]]:
    rows = database.execute("SELECT name, position FROM projections ORDER BY name").fetchall()
    return [(f"the projection {name}", position) for name, position in rows]


def _of_folder(
    folder: Path, key: str | None, checkpoint: Path | None, machine: bool
) -> tuple[Checkpoint | None, Verifier | None]:
    verifier = _key(key) if key else evidence_key(folder)
    if not key and not machine:
        note(
            f"The folder names the key {verifier}: compare it with the one that the ledger publishes, or give it by --key."
        )
    kept = _kept(checkpoint, verifier) if checkpoint else None
    with _progress(machine) as show:
        return verify_evidence(folder, verifier, kept, show), verifier


def _key(given: str) -> Verifier:
    try:
        return Verifier.given(given)
    except MalformedKey:
        raise CannotVerify("--key is a verifier key, NAME+ID+BASE64 as /tlog/key gives it, or a file of it.") from None


def _kept(file: Path, verifier: Verifier) -> Checkpoint:
    try:
        with file.open("rb") as opened:
            message = opened.read(LONGEST_NOTE)
    except OSError as error:
        raise CannotVerify(f"{file} cannot be read ({error.strerror}).") from None
    try:
        return open_checkpoint(message, verifier.name, verifier).checkpoint
    except (MalformedNote, UnverifiedNote) as wrong:
        raise CannotVerify(f"{file} is no checkpoint that {verifier} signed: {wrong}") from None


@contextmanager
def _progress(machine: bool) -> Iterator[Callable[[int], None]]:
    with progress(TextColumn("entries"), MofNCompleteColumn(), machine=machine) as bar:
        task = bar.add_task("entries", total=None)
        yield lambda done: bar.advance(task, done)
