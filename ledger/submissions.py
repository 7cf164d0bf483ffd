"""The add-checkpoint call of c2sp.org/tlog-witness: what a log sends to a witness, and what the witness accepts.

Nothing is sent or kept here. A body is the line “old SIZE”, a consistency proof of one base64 line a hash, an empty line
and a signed checkpoint. The order of the checks, and so the status of an answer, is that of the specification.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final, Self

from domain.text import shown
from ledger.merkle import EMPTY_ROOT, HASH_SIZE, verify_consistency
from ledger.notes import LARGEST_SIZE, Checkpoint, MalformedNote, Note, UnverifiedNote, Verifier

MOST_HASHES: Final = 63
"""Of a proof."""
LARGEST_SUBMISSION: Final = 64 * 1024
"""Bytes: more than a proof and a checkpoint with 100 signatures have."""
SIZE_MEDIA: Final = "text/x.tlog.size"
"""The media type of an answer 409, whose body is the size that the witness cosigned last, and a newline."""

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


class MalformedSubmission(ValueError):
    """A body that is no add-checkpoint request, to the letter of the specification."""


class NotAccepted(Exception):
    """A submission that must not be cosigned: the message says why, `status` is the answer's HTTP status.

    With 409 `latest` is the size that the witness cosigned last. `suspicious` marks what an honest log never sends;
    `split` what convicts it: two roots of one size under its own signature.
    """

    def __init__(self, status: int, why: str, *, latest: int | None = None, split: Note | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.latest = latest
        self.split = split

    @property
    def suspicious(self) -> bool:
        return self.split is not None or self.status == 422


@dataclass(frozen=True, slots=True)
class Submission:
    """`checkpoint` is the bytes of a signed note, not looked at; `proof` leads to it from the tree of `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """The submission of a request's body. Raises MalformedSubmission."""
        head, blank, checkpoint = body.partition(b"\n\n")
        first, *lines = head.decode("utf-8", "replace").split("\n")
        old = _OLD.fullmatch(first)
        if not blank or not old or int(old[1]) > LARGEST_SIZE:
            raise MalformedSubmission(
                "A submission is the line “old SIZE”, a proof of one base64 line a hash, an empty line and a checkpoint; "
                f"got {shown(first)}."
            )
        if len(lines) > MOST_HASHES:
            raise MalformedSubmission(f"A proof has at most {MOST_HASHES} lines; got {len(lines)}.")
        return cls(int(old[1]), tuple(map(_hash, lines)), checkpoint)

    @property
    def encoded(self) -> bytes:
        lines = [f"old {self.old}", *(b64encode(each).decode() for each in self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def accepted(body: bytes, log: Verifier, seen: Checkpoint | None) -> tuple[Checkpoint, Note]:
    """The checkpoint of a submission that continues `seen`, and its note with the log's signature alone.

    `seen` is what was cosigned last, None before the first. Raises NotAccepted.
    """
    submission, note, new = _parsed(body)
    if new.origin != log.name:
        raise NotAccepted(404, f"The log {shown(new.origin)} is not known here; {shown(log.name)} is.")
    try:
        signed = Note(note.text, (note.verified_by([log])[log],))
    except UnverifiedNote as error:
        raise NotAccepted(403, str(error)) from None
    _check_sizes(submission, new, seen, signed)
    _check_proof(submission, new, seen)
    return new, signed


def _parsed(body: bytes) -> tuple[Submission, Note, Checkpoint]:
    try:
        submission = Submission.parse(body)
        note = Note.parse(submission.checkpoint)
        return submission, note, Checkpoint.parse(note.text)
    except (MalformedSubmission, MalformedNote) as error:
        raise NotAccepted(400, str(error)) from None


def _check_sizes(submission: Submission, new: Checkpoint, seen: Checkpoint | None, signed: Note) -> None:
    if submission.old > new.size:
        raise NotAccepted(400, f"The old size {submission.old} is larger than the checkpoint's, {new.size}.")
    latest, root = (seen.size, seen.root) if seen else (0, EMPTY_ROOT)
    # Found whatever old size was sent: the answer is 409 either way, and two roots of one size are a proof by themselves.
    if new.size == latest and new.root != root:
        raise NotAccepted(
            409,
            f"The log is split: for {new.size} entries it signed the root {root.hex()} and now {new.root.hex()}.",
            latest=latest,
            split=signed if seen else None,
        )
    if submission.old != latest:
        raise NotAccepted(
            409, f"The checkpoint cosigned last has {latest} entries, not {submission.old}.", latest=latest
        )


def _check_proof(submission: Submission, new: Checkpoint, seen: Checkpoint | None) -> None:
    """That the tree grew from what was seen; the old size is the size seen."""
    if seen is None or seen.size in (0, new.size):
        holds = not submission.proof
    else:
        holds = verify_consistency(seen.size, new.size, seen.root, new.root, submission.proof)
    if not holds:
        raise NotAccepted(
            422,
            f"The proof does not lead from the {submission.old} entries seen before to the {new.size} signed now: it is "
            "not theirs, or the log is rewritten.",
        )


def _hash(line: str) -> bytes:
    try:
        value = b64decode(line, validate=True)
    except ValueError:
        value = b""
    if len(value) != HASH_SIZE or b64encode(value).decode() != line:
        raise MalformedSubmission(f"A proof's line is base64 of {HASH_SIZE} bytes; got {shown(line)}.")
    return value
