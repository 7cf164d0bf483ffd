"""Cosignatures of the ledger's own checkpoints: which witnesses are asked, what they answered, and where it is kept.

Nothing is sent here. A cosignature is kept only if the witness's own key made it, and then for good.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from domain.text import shown
from ledger.merkle import consistency_proof
from ledger.migrations import Database
from ledger.notes import KeyType, MalformedKey, MalformedNote, Signature, Verifier, timestamp_of
from ledger.submissions import Submission
from ledger.tree import Signed, look_up

MOST_WITNESSES: Final = 32
LARGEST_ANSWER: Final = 16 * 1024
"""Bytes: more than the cosignatures of any witness have."""
CLOCK_SECONDS: Final = 300
"""How far a witness's clock may be ahead."""

_URL: Final = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


class MalformedWitnesses(ValueError):
    """Text that names no witnesses; the message says what is wrong and how it is written."""


class NoCosignature(Exception):
    """An answer without a cosignature that can be believed; the message says why, in words of this program."""


@dataclass(frozen=True, slots=True)
class WitnessAt:
    """A witness that is asked: the key of its cosignatures, and the URL prefix that /add-checkpoint is below."""

    verifier: Verifier
    url: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """The witness of a line “VERIFIER_KEY URL”. Raises MalformedWitnesses."""
        parts = line.split()
        if len(parts) != 2:
            raise MalformedWitnesses(f"A witness is written VERIFIER_KEY URL; got {shown(line)}.")
        key, url = parts
        try:
            verifier = Verifier.parse(key)
        except MalformedKey as error:
            raise MalformedWitnesses(str(error)) from None
        if verifier.key_type is not KeyType.COSIGNATURE_V1:
            raise MalformedWitnesses(
                f"The key {shown(key)} is of type {verifier.key_type:#04x}; a witness's is of type "
                f"{KeyType.COSIGNATURE_V1:#04x} (cosignature/v1), as `caseledger witness` prints it."
            )
        if not _URL.fullmatch(url):
            raise MalformedWitnesses(f"A witness's URL is http://HOST:PORT or https://…; got {shown(url)}.")
        return cls(verifier, url.rstrip("/"))


def witnesses_of(text: str) -> tuple[WitnessAt, ...]:
    """The witnesses of lines, or of parts between commas; a line that begins with # is a comment.

    Raises MalformedWitnesses, also for two of one key or name.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    parts = [part.strip() for line in lines for part in line.split(",")]
    witnesses = tuple(WitnessAt.parse(part) for part in parts if part)
    if len(witnesses) > MOST_WITNESSES:
        raise MalformedWitnesses(f"There may be {MOST_WITNESSES} witnesses; got {len(witnesses)}.")
    for kind, each in (
        ("name", [at.verifier.name for at in witnesses]),
        ("key", [at.verifier.public_key for at in witnesses]),
    ):
        if len(set(each)) < len(each):
            raise MalformedWitnesses(f"Two of the witnesses have one {kind}; each is named once.")
    return witnesses


def newest(database: Database) -> Signed | None:
    """The newest checkpoint as the log signed it; None where there is none."""
    row = database.execute("SELECT size, root, note, signed_at FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    return Signed(*row) if row else None


def cosigned_last(database: Database, witness: Verifier) -> int:
    """The size of the newest checkpoint that this witness cosigned; 0 where there is none."""
    row = database.execute(
        "SELECT coalesce(max(size), 0) FROM cosignatures WHERE witness = %s", [str(witness)]
    ).fetchone()
    size: int = row[0] if row else 0
    return size


def submission(database: Database, old: int, signed: Signed) -> bytes:
    """The add-checkpoint request of a checkpoint for a witness that has seen `old` entries, at most the checkpoint's."""
    proof = consistency_proof(old, signed.size, lambda nodes: look_up(database, nodes)) if 0 < old < signed.size else []
    return Submission(old, tuple(proof), signed.note.encode()).encoded


def cosignature_in(answer: bytes, signed: Signed, witness: Verifier, now: datetime) -> Signature:
    """The cosignature of this witness among the lines of an answer; other keys' lines are passed over.

    Raises NoCosignature, and never says what the answer was.
    """
    try:
        lines = answer.decode().removesuffix("\n").split("\n")
        signatures = [Signature.parse(line) for line in lines]
    except (UnicodeDecodeError, MalformedNote):
        raise NoCosignature("its answer is no lines of signatures") from None
    for signature in signatures:
        if (signature.name, signature.key_id) == (witness.name, witness.key_id):
            if not witness.verifies(signed.note.rpartition("\n\n")[0] + "\n", signature):
                raise NoCosignature("its cosignature is not by its key, or of another checkpoint")
            if timestamp_of(signature) > now.timestamp() + CLOCK_SECONDS:
                raise NoCosignature(f"its clock is more than {CLOCK_SECONDS} seconds ahead")
            return signature
    raise NoCosignature("its answer has no cosignature by the key that is configured")


def keep(database: Database, signed: Signed, witness: Verifier, cosignature: Signature) -> None:
    """Keeps a verified cosignature; where the checkpoint has one of this witness, that one stays."""
    cosigned_at = datetime.fromtimestamp(timestamp_of(cosignature), UTC)
    database.execute(
        "INSERT INTO cosignatures (size, witness, line, cosigned_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [signed.size, str(witness), cosignature.line, cosigned_at],
    )
