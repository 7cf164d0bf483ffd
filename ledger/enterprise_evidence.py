"""The evidence of one enterprise: its entries, each with its proof, under one checkpoint, and the proof that they are all;
one file, to be verified by whoever has the ledger's public key.

The first line is an object: `uscc`, `verifier` and `checkpoint`, the signed note with its cosignatures; `after`, the position
after which the file begins; and `map` and `segments` (`ledger.completeness`). Then comes, for each segment of the map that
ends after `after`, a line with its proof, and after it by rising positions an object for each position that it proves:
`entry`, as it was hashed, and `proof`, its inclusion proof (RFC 9162) under the checkpoint; or `leftOut`, the position alone,
where the entry holds a personal field in the clear, as those older than sealing do. The last line says how many `entries`
there are, and how many were `leftOut`.

Files of before there was a map have no `after`, `map`, `segments` and lines of these: they prove each entry, and not that
there are no others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from domain.identifiers import uscc as uscc_of
from ledger.absence_evidence import FOUND, ProvedAbsence, tags_of_enterprise, verify_absence
from ledger.completeness import Lines, mapped, segment_line, verified_line, verified_segments
from ledger.draw_evidence import BrokenLine, hashes_of, no_evidence, signed_by
from ledger.enterprise_map import Proof, Segment, key_of
from ledger.entry import canonical, opened
from ledger.evidence import NoEvidence, newest_note, size_of
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Signer, Verifier
from ledger.sealing import in_the_clear
from ledger.tree import Proofs, Receipt
from ledger.verify import Broken, Progress, stated_of

AT_A_TIME: Final = 500
LONGEST_LINE: Final = 34 * 1024 * 1024
"""Bytes: the longest entry, each of its quotes escaped, with its proof."""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    checkpoint: str
    uscc: str
    verifier: str
    after: int = 0
    map: str | None = None
    segments: list[tuple[int, str]] = []
    types: list[str] | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    entry: str
    proof: list[str]


class _LeftOut(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    left_out: int


class _Placed(msgspec.Struct):
    position: int


class _End(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    entries: int
    left_out: int


@dataclass(frozen=True, slots=True)
class ProvedEntries:
    """Entries of an enterprise that are in a ledger: under which checkpoint and key, how many, from where to where.

    `complete`: they are all after position `after`, but for those that are there and were `left_out`.
    """

    uscc: str
    checkpoint: Checkpoint
    verifier: Verifier
    entries: int = 0
    first: int = 0
    last: int = 0
    complete: bool = False
    after: int = 0
    left_out: int = 0


def newest_size(pool: Pool, after: int, upto: int) -> int:
    """The size of the largest checkpoint within `upto`. Raises NoEvidence where none is over an entry after `after`."""
    with pool.connection() as database:
        return size_of(newest_note(database, after, upto))


def enterprise_evidence(
    pool: Pool, signer: Signer, uscc: str, after: int, size: int, progress: Progress
) -> Iterator[bytes]:
    """The lines of an enterprise's evidence: all its entries after a position, under the checkpoint of a size.

    Raises NoEvidence where there is no entry of it.
    """
    count = _count(pool, uscc, after, size)
    if not count:
        raise NoEvidence(
            f"There is nothing of {uscc} in this ledger after {after} and up to {size}, its last checkpoint there: look "
            "at the code, and at --after and --upto; `--absence ALL` makes a file that proves it."
        )
    keys = [key_of(uscc)]
    found = mapped(pool, signer, size, keys, progress)
    proofs = Proofs(pool)
    signed, verifier = proofs.checkpoint(size), proofs.verifier()
    assert signed
    yield canonical({"after": after, "checkpoint": signed.note, "uscc": uscc, "verifier": verifier, **found.header})
    written = 0
    for segment, (proof,) in zip(found.segments, found.proofs, strict=True):
        if segment.upto > after:
            positions = _positions(pool, uscc, segment)
            yield canonical(segment_line(segment, keys, [Proof(proof.index, positions, proof.leaves)]))
            wanted = [position for position in positions if position > after]
            for begin in range(0, len(wanted), AT_A_TIME):
                part = proofs.receipts(wanted[begin : begin + AT_A_TIME], size)
                shown = [not in_the_clear(opened(each.entry).event) for each in part]
                yield from map(_line, part, shown)
                written += sum(shown)
                progress(len(part), found.made + count)
    yield canonical({"entries": written, "leftOut": count - written})


def _count(pool: Pool, uscc: str, after: int, size: int) -> int:
    asked = {**tags_of_enterprise(uscc), "after": after, "upto": size}
    with pool.connection() as database:
        row = database.execute(_COUNT.encode(), asked).fetchone()
    assert row
    count: int = row[0]
    return count


def _positions(pool: Pool, uscc: str, segment: Segment) -> list[int]:
    """The positions of an enterprise in a segment, ascending."""
    asked = {**tags_of_enterprise(uscc), "after": segment.after, "upto": segment.upto}
    with pool.connection() as database:
        return [position for (position,) in database.execute(_POSITIONS.encode(), asked, binary=True)]


def _line(receipt: Receipt, is_shown: bool) -> bytes:
    if not is_shown:
        return canonical({"leftOut": receipt.position})
    return canonical({"entry": receipt.entry.decode(), "proof": [each.hex() for each in receipt.proof]})


def verify_enterprise(lines: Iterable[bytes], verifier: Verifier | None = None) -> ProvedEntries | ProvedAbsence:
    """Verifies the lines by the ledger's public key; by the file's own where none is given.

    Raises BrokenLine with the first line that does not hold, and NoEvidence where the first is none of such a file.
    """
    numbered = Lines(lines)
    try:
        header = msgspec.json.decode(next(iter(numbered), b""), type=_Header)
        uscc_of(header.uscc)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors
        raise no_evidence("an enterprise") from None
    key, signed = signed_by(header.verifier, header.checkpoint, verifier, "an enterprise")
    if header.map is None:
        return _verify_each(numbered, ProvedEntries(header.uscc, signed, key))
    segments = verified_segments(header.map, header.segments, signed, key)
    if header.types is not None:
        return verify_absence(numbered, header.uscc, header.types, signed, key, segments)
    if not 0 <= header.after < signed.size:
        raise BrokenLine(1, f"the entries after {header.after} are none of the {signed.size}")
    proved = ProvedEntries(header.uscc, signed, key, complete=True, after=header.after)
    return _verify_all(numbered, proved, segments)


def _verify_each(lines: Lines, proved: ProvedEntries) -> ProvedEntries:
    """Of a file without a map: each entry, and that the file was not cut off."""
    for line in lines:
        if line.startswith(_END):
            _check_end(lines, line, proved)
            return proved
        position = _verified(lines.number, line, proved)
        if position <= proved.last:
            raise lines.broken(f"position {position} does not come after {proved.last}")
        proved = replace(proved, entries=proved.entries + 1, first=proved.first or position, last=position)
    raise BrokenLine(lines.number + 1, "the file ends before the line that says how many entries it has")


def _verify_all(lines: Lines, proved: ProvedEntries, segments: Sequence[Segment]) -> ProvedEntries:
    """That the entries are those of the positions that the map has."""
    keys = [key_of(proved.uscc)]
    entries = left_out = first = last = 0
    for segment in segments:
        if segment.upto > proved.after:
            for position in verified_line(lines, segment, keys).proofs[0].positions:
                if position > proved.after:
                    is_shown = _is_shown(lines, position, proved)
                    entries, left_out = entries + is_shown, left_out + (not is_shown)
                    if is_shown:
                        first, last = first or position, position
    proved = replace(proved, entries=entries, left_out=left_out, first=first, last=last)
    _check_end(lines, lines.next("the line that says how many entries it has"), proved)
    return proved


def _is_shown(lines: Lines, position: int, proved: ProvedEntries) -> bool:
    """Whether the next line has the entry of this position, or says that it is left out. Raises BrokenLine."""
    line = lines.next(f"the entry of position {position}, which the map has")
    if line.startswith(_LEFT_OUT):
        try:
            found = msgspec.json.decode(line, type=_LeftOut).left_out
        except ValueError:
            raise lines.broken("it is no position that is left out") from None
    else:
        found = _verified(lines.number, line, proved)
    if found != position:
        raise lines.broken(f"position {position} is the next that the map has of {proved.uscc}, and this is {found}")
    return not line.startswith(_LEFT_OUT)


def _verified(number: int, line: bytes, proved: ProvedEntries) -> int:
    """The position of a line's entry, if it is one of the enterprise's and under the checkpoint."""
    uscc, signed = proved.uscc, proved.checkpoint
    try:
        read = msgspec.json.decode(line, type=_Line)
        entry = read.entry.encode()
        position = msgspec.json.decode(entry, type=_Placed).position
        stated = stated_of(entry, position)
    except (ValueError, RecursionError):
        raise BrokenLine(number, "it is no entry with its proof") from None
    except Broken as broken:
        raise BrokenLine(number, broken.why) from None
    proof = hashes_of(read.proof, number)
    if not verify_inclusion(leaf_hash(entry), position - 1, signed.size, proof, signed.root):
        raise BrokenLine(
            number, f"its entry, of position {position}, is not in the tree of the checkpoint by its proof"
        )
    if not any(tag.startswith(tuple(tags_of_enterprise(uscc).values())) for tag in stated.tags):
        raise BrokenLine(number, f"its entry, of position {position}, is none of {uscc}")
    return position


def _check_end(lines: Lines, line: bytes, proved: ProvedEntries) -> None:
    try:
        end = msgspec.json.decode(line, type=_End)
    except ValueError:
        raise lines.broken("it is not the line that says how many entries there are") from None
    if end.entries != proved.entries:
        raise lines.broken(f"it says that there are {end.entries} entries, and there are {proved.entries}")
    if proved.complete and end.left_out != proved.left_out:
        raise lines.broken(f"it says that {end.left_out} entries are left out, and there are {proved.left_out}")
    if next(iter(lines), None) is not None:
        raise lines.broken("the file goes on after its last line")


ENTRY: Final = b'{"entry":'
"""How the line of an entry begins."""
_END: Final = b'{"entries":'
_LEFT_OUT: Final = b'{"leftOut":'
_COUNT: Final = f"""{FOUND}
SELECT count(*) FROM found WHERE position > %(after)s AND position <= %(upto)s
"""  # noqa: S608  # a constant
_POSITIONS: Final = f"""{FOUND}
SELECT position FROM found WHERE position > %(after)s AND position <= %(upto)s ORDER BY position
"""  # noqa: S608  # a constant
