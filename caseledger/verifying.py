"""`caseledger verify`."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from caseledger.errors import CannotVerify
from caseledger.reporting import as_json, counted, note
from caseledger.settings import Settings
from caseledger.wiring import open_to_look
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
        if evidence is None:
            found = _of_database(settings, checkpoint, machine)
        else:
            found = _of_folder(evidence, key, checkpoint, machine)
    except Broken as broken:
        if machine:
            as_json({"holds": False, "position": broken.position, "why": broken.why})
        else:
            note(str(broken))
        return False
    except NoEvidence as wrong:
        raise CannotVerify(str(wrong)) from None
    _print(found, machine)
    return True


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
