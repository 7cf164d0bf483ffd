"""What proves from the enterprise map that the entries of an enterprise are all that there are, or that there are none.

A file has in its first line the map of a checkpoint: `map`, that checkpoint with the map's root in an extension line, signed
by the log's key; and `segments`, the number of leaves and the root of each. A line for each segment has `after` and `upto`,
its bounds, and `proofs`, what it has under each key that the file is about (`ledger.enterprise_map`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from domain.text import shown
from ledger.draw_evidence import BrokenLine
from ledger.enterprise_map import (
    NotProved,
    Proof,
    Segment,
    check_proof,
    map_root,
    names_map,
    number_of_segments,
    segments_of,
    with_map,
)
from ledger.evidence import NoEvidence
from ledger.map_keeping import Damaged, bring_up, proved
from ledger.migrations import Pool
from ledger.notes import Checkpoint, MalformedNote, Note, Signer, UnverifiedNote, Verifier, open_checkpoint
from ledger.rows import moment
from ledger.verify import Progress


class Mapped(NamedTuple):
    """The map of a checkpoint, and what it has under the keys that were asked for, segment by segment."""

    note: str
    segments: list[Segment]
    proofs: list[list[Proof]]
    made: int
    """Entries whose segments were made for it; `progress` was told of them."""

    @property
    def header(self) -> dict[str, Any]:
        """What a file's first line has of it."""
        return {"map": self.note, "segments": [[each.leaves, each.root.hex()] for each in self.segments]}


def mapped(pool: Pool, signer: Signer, size: int, keys: Sequence[bytes], progress: Progress) -> Mapped:
    """Brings the map up to a checkpoint's size, signs it, and proves what it has under keys.

    Raises NoEvidence where the database's map is not that of its entries.
    """
    made = 0

    def making(done: int, of: int) -> None:
        nonlocal made
        made += done
        progress(done, of)

    try:
        bring_up(pool, size, making)
        with moment(pool) as database:
            found = list(proved(database, size, keys))
        segments = [segment for segment, _ in found]
        return Mapped(_signed(pool, signer, size, segments), segments, [proofs for _, proofs in found], made)
    except Damaged:
        raise damaged() from None


def damaged() -> NoEvidence:
    return NoEvidence(
        "The map of enterprises in this database is not that of its entries: see with `caseledger verify` what holds."
    )


def _signed(pool: Pool, signer: Signer, size: int, segments: Sequence[Segment]) -> str:
    """The note of the map of a checkpoint's size: made and kept, unless it is kept. Raises Damaged."""
    of_map = map_root(segments)
    with pool.connection() as database:
        row = database.execute("SELECT root FROM checkpoints WHERE size = %s", [size]).fetchone()
        if row is None:
            raise Damaged
        text = with_map(signer.name, size, row[0], of_map).text
        note = Note(text, (signer.sign(text),)).encoded.decode()
        database.execute(
            "INSERT INTO map_notes (size, root, note) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", [size, of_map, note]
        )
        kept = database.execute("SELECT root FROM map_notes WHERE size = %s", [size]).fetchone()
    if kept is None or kept[0] != of_map:
        raise Damaged
    return note


def segment_line(segment: Segment, keys: Sequence[bytes], proofs: Sequence[Proof]) -> dict[str, Any]:
    """What a file's line has of a segment. Raises NoEvidence where the proofs do not hold."""
    try:
        for key, proof in zip(keys, proofs, strict=True):
            check_proof(proof, key, segment)
    except NotProved:
        raise damaged() from None
    return {"after": segment.after, "proofs": [msgspec.to_builtins(proof) for proof in proofs], "upto": segment.upto}


class Lines:
    """The lines of a file, each with its number."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.number = 0
        """That of the last line that was read."""

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.number += 1
            yield line

    def next(self, wanted: str) -> bytes:
        """The next line, which must be there. Raises BrokenLine."""
        line = next(iter(self), None)
        if line is None:
            raise BrokenLine(self.number + 1, f"the file ends before {wanted}")
        return line

    def broken(self, why: str) -> BrokenLine:
        return BrokenLine(self.number, why)


class SegmentLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The line of a segment."""

    after: int
    upto: int
    proofs: list[Proof]


def verified_segments(
    note: str, given: Sequence[tuple[int, str]], signed: Checkpoint, verifier: Verifier
) -> list[Segment]:
    """The segments of a file's first line, if they are those of the map that the log's key signed for its checkpoint.

    Raises BrokenLine.
    """
    try:
        checkpoint = open_checkpoint(note.encode(), signed.origin, verifier).checkpoint
    except (MalformedNote, UnverifiedNote, UnicodeEncodeError) as wrong:
        raise BrokenLine(1, f"its map is not signed by {verifier}: {str(wrong).rstrip('.')}") from None
    if (checkpoint.size, checkpoint.root) != (signed.size, signed.root):
        raise BrokenLine(1, "its map is not that of its checkpoint, but of another size or root")
    number = number_of_segments(signed.size)
    if len(given) != number:
        raise BrokenLine(1, f"a map of {signed.size} entries has {number} segments, and it has {len(given)}")
    try:
        segments = [
            Segment(*bounds, leaves, bytes.fromhex(root))
            for bounds, (leaves, root) in zip(segments_of(signed.size), given, strict=True)
        ]
    except ValueError:
        raise BrokenLine(1, "the root of a segment is not hexadecimal") from None
    if not names_map(checkpoint, map_root(segments)):
        raise BrokenLine(1, "its segments are not those whose root the map's note names")
    return segments


def verified_line(lines: Lines, segment: Segment, keys: Sequence[bytes]) -> SegmentLine:
    """The next line, if it proves what a segment has under these keys. Raises BrokenLine."""
    span = f"the entries {segment.after + 1} to {segment.upto}"
    line = lines.next(f"what the map has of {span}")
    try:
        read = msgspec.json.decode(line, type=SegmentLine)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors
        raise lines.broken(f"it is not what the map has of {span}: after, upto and proofs") from None
    if (read.after, read.upto) != segment.bounds:
        raise lines.broken(f"it is of the segment of {read.after + 1} to {read.upto}, and the next one is of {span}")
    if len(read.proofs) != len(keys):
        raise lines.broken(f"it has {len(read.proofs)} proofs, and the file is about {len(keys)} keys")
    for number, (proof, key) in enumerate(zip(read.proofs, keys, strict=True), 1):
        try:
            check_proof(proof, key, segment)
        except NotProved as wrong:
            raise lines.broken(f"its proof {number} does not hold: {shown(wrong, limit=200)[1:-1]}") from None
    return read
