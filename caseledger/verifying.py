"""`caseledger verify`."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import Any, BinaryIO, cast

from caseledger.errors import CannotVerify
from caseledger.reporting import as_json, counted, note
from caseledger.settings import Settings
from caseledger.wiring import open_to_look
from ledger.absence_evidence import EVERY_TYPE, ProvedAbsence
from ledger.draw_evidence import BrokenLine
from ledger.enterprise_evidence import LONGEST_LINE, ProvedEntries, verify_enterprise
from ledger.evidence import LONGEST_NOTE, NoEvidence, evidence_edge, evidence_key, verify_evidence
from ledger.migrations import Database, Pool
from ledger.notes import Checkpoint, KeyType, MalformedKey, MalformedNote, UnverifiedNote, Verifier, open_checkpoint
from ledger.tree import verifier_of
from ledger.verify import Broken
from ledger.verify_database import verify_database


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found to hold: entries after a position up to a checkpoint's, None in an empty ledger."""

    signed: Checkpoint | None
    verifier: Verifier | None
    after: int = 0


def verify(settings: Settings, evidence: Path | None, key: str | None, checkpoint: Path | None, machine: bool) -> bool:
    """Verifies and prints; says whether all holds. Raises CannotVerify for what cannot be looked at."""
    try:
        if evidence is not None and evidence.is_file():
            _of_enterprise(evidence, key, checkpoint, machine)
            return True
        if evidence is None:
            found = _of_database(settings, checkpoint, machine)
        else:
            found = _of_folder(evidence, key, checkpoint, machine)
    except (Broken, BrokenLine) as broken:
        say_broken(broken, machine)
        return False
    except NoEvidence as wrong:
        raise CannotVerify(str(wrong)) from None
    _print(found, machine)
    return True


def say_broken(broken: Broken | BrokenLine, machine: bool) -> None:
    """What does not hold, and where: the first position, or the first line of a file."""
    where = {"line": broken.line} if isinstance(broken, BrokenLine) else {"position": broken.position}
    if machine:
        as_json({"holds": False, **where, "why": broken.why})
    else:
        note(str(broken))


def _print(found: Verified, machine: bool) -> None:
    signed, verifier, after = found.signed, found.verifier, found.after
    if machine:
        size, root = (signed.size, signed.root.hex()) if signed else (0, None)
        key = str(verifier) if verifier else None
        as_json({"holds": True, "after": after, "size": size, "rootHash": root, "verifier": key})
    elif signed is None:
        print("The ledger is empty.", flush=True)
    else:
        which = f"The entries {after + 1} to {signed.size}" if after else f"{signed.size} entries"
        print(f"{which} hold under the root {signed.root.hex()}, signed by {verifier}.", flush=True)


def _of_database(settings: Settings, checkpoint: Path | None, machine: bool) -> Verified:
    # Only looked at: whoever completes and signs what is missing before it is verified signs whatever was done to it.
    with open_to_look(settings) as pool:
        kept = _kept(checkpoint, _signed_by(pool)) if checkpoint else None
        with counted(machine) as show:
            return Verified(*verify_database(pool, kept, show, readers=_projections))


def _signed_by(pool: Pool) -> Verifier:
    """The key that a checkpoint that was kept must be of. Raises Broken where the ledger has none, as no ledger that was."""
    try:
        with pool.connection() as database:
            verifier = verifier_of(database)
    except MalformedKey:
        verifier = None
    if verifier is None or verifier.key_type is not KeyType.ED25519:
        raise Broken(1, "a checkpoint was kept, and there is no ledger's key that it could be signed under")
    return verifier


def _projections(database: Database) -> list[tuple[str, int]]:
    rows = database.execute("SELECT name, position FROM projections ORDER BY name").fetchall()
    return [(f"the projection {name}", position) for name, position in rows]


def _of_folder(folder: Path, key: str | None, checkpoint: Path | None, machine: bool) -> Verified:
    verifier = given_key(key) if key else evidence_key(folder)
    if not key and not machine:
        say_named_key("folder", verifier)
    kept = _kept(checkpoint, verifier) if checkpoint else None
    with counted(machine) as show:
        signed = verify_evidence(folder, verifier, kept, show)
    return Verified(signed, verifier, evidence_edge(folder).size)


def _of_enterprise(file: Path, key: str | None, checkpoint: Path | None, machine: bool) -> None:
    """Verifies the file of one enterprise and prints what it proves and what it does not."""
    with _lines(file) as lines:
        proved = verify_enterprise(lines, given_key(key) if key else None)
    if not key and not machine:
        say_named_key("file", proved.verifier)
    signed = proved.checkpoint
    if checkpoint:
        kept = _kept(checkpoint, proved.verifier)
        if kept.size != signed.size:
            raise NoEvidence(
                f"The checkpoint that was kept is of {kept.size} entries, and the file's of {signed.size}: one file proves "
                "nothing of the other. Export with --upto that size, or compare with `caseledger verify`."
            )
        if kept.root != signed.root:
            raise BrokenLine(1, "its checkpoint is not the one that was kept: the ledger is split, or was rewritten")
    if machine:
        what = _absence(proved) if isinstance(proved, ProvedAbsence) else _entries(proved)
        size, root = signed.size, signed.root.hex()
        as_json(
            {
                "holds": True,
                "uscc": proved.uscc,
                **what,
                "size": size,
                "rootHash": root,
                "verifier": str(proved.verifier),
            }
        )
        return
    said = _absence_said(proved) if isinstance(proved, ProvedAbsence) else _entries_said(proved)
    print(said, flush=True)


def _absence(proved: ProvedAbsence) -> dict[str, Any]:
    return {"absent": list(proved.types), "areas": proved.areas}


def _absence_said(proved: ProvedAbsence) -> str:
    if EVERY_TYPE in proved.types:
        what = "No event"
    else:
        areas = f" (all of {', '.join(proved.areas)})" if proved.areas else ""
        what = f"No {', '.join(proved.types)}{areas}"
    return f"{what} of {proved.uscc} is recorded in {_ledger(proved)}."


def _entries(proved: ProvedEntries) -> dict[str, Any]:
    found = {"entries": proved.entries, "first": proved.first, "last": proved.last, "complete": proved.complete}
    return {**found, "after": proved.after, "leftOut": proved.left_out} if proved.complete else found


def _entries_said(proved: ProvedEntries) -> str:
    where = f", at positions {proved.first} to {proved.last}," if proved.entries else ""
    entries = f"{proved.entries:,} entries of {proved.uscc}{where}"
    if not proved.complete:
        return (
            f"{entries} are in {_ledger(proved)}. That it has no others of this enterprise is not proved: the file is of "
            "before there was a map; export it anew."
        )
    after = f" after position {proved.after}" if proved.after else ""
    hidden = f", but for {proved.left_out:,} more that are counted and not shown" if proved.left_out else ""
    return f"{entries} are all{after} that there are of it in {_ledger(proved)}{hidden}."


def _ledger(proved: ProvedEntries | ProvedAbsence) -> str:
    signed = proved.checkpoint
    return f"the ledger of {signed.size:,} entries under the root {signed.root.hex()}, signed by {proved.verifier}"


@contextmanager
def _lines(file: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file, gzip or not, which are looked at within the block. Raises NoEvidence where it cannot be read."""
    try:
        with file.open("rb") as raw:
            opened = cast(BinaryIO, GzipFile(fileobj=raw)) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
            yield iter(partial(opened.readline, LONGEST_LINE), b"")
    except (EOFError, BadGzipFile, zlib.error):
        raise NoEvidence(f"{file} is a damaged gzip file, or one that was cut off: get it anew.") from None
    except OSError as error:
        raise NoEvidence(f"{file} cannot be read ({error.strerror}).") from None


def say_named_key(what: str, verifier: Verifier) -> None:
    note(
        f"The {what} names the key {verifier}: compare it with the one that the ledger publishes, or give it by --key."
    )


def given_key(given: str, option: str = "--key") -> Verifier:
    """The ledger's key that an option gives. Raises CannotVerify."""
    with suppress(MalformedKey):
        verifier = Verifier.given(given)
        if verifier.key_type is KeyType.ED25519:
            return verifier
    raise CannotVerify(f"{option} is a ledger's verifier key, NAME+ID+BASE64 as /tlog/key gives it, or a file of it.")


def _kept(file: Path, verifier: Verifier) -> Checkpoint:
    try:
        with file.open("rb") as opened:
            message = opened.read(LONGEST_NOTE)
    except OSError as error:
        raise CannotVerify(f"{file} cannot be read ({error.strerror}).") from None
    try:
        return open_checkpoint(message, verifier.name, verifier).checkpoint
    except (MalformedKey, MalformedNote, UnverifiedNote) as wrong:
        raise CannotVerify(f"{file} is no checkpoint that {verifier} signed: {wrong}") from None
