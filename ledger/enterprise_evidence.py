"""The evidence of one enterprise: its entries, each with its proof, under one checkpoint; one file, to be verified by whoever
has the ledger's public key.

The first line is an object: `uscc`, `verifier` and `checkpoint`, the signed note with its cosignatures. Then comes an object
for each entry, by rising positions: `entry`, as it was hashed, and `proof`, its inclusion proof (RFC 9162) under that
checkpoint. The last line says how many `entries` there are, and how many were `leftOut` because they hold a personal field in
the clear, as those older than sealing do. The file proves that each entry is in the ledger, and not that there are no others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from domain.identifiers import uscc as uscc_of
from ledger.draw_evidence import BrokenLine, hashes_of, no_evidence, signed_by
from ledger.entry import canonical, opened
from ledger.evidence import NoEvidence, newest_note, size_of
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Verifier
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


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    entry: str
    proof: list[str]


class _Placed(msgspec.Struct):
    position: int


class _End(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    entries: int
    left_out: int


@dataclass(frozen=True, slots=True)
class ProvedEntries:
    """Entries of an enterprise that are in a ledger: under which checkpoint and key, how many, from where to where."""

    uscc: str
    checkpoint: Checkpoint
    verifier: Verifier
    entries: int = 0
    first: int = 0
    last: int = 0


def newest_size(pool: Pool, after: int, upto: int) -> int:
    """The size of the largest checkpoint within `upto`. Raises NoEvidence where none is over an entry after `after`."""
    with pool.connection() as database:
        return size_of(newest_note(database, after, upto))


def enterprise_evidence(pool: Pool, uscc: str, after: int, size: int, progress: Progress) -> Iterator[bytes]:
    """The lines of an enterprise's evidence: its entries after a position, under the checkpoint of a size.

    Raises NoEvidence where there is no entry of it.
    """
    asked = {**_tags(uscc), "after": after, "size": size}
    proofs = Proofs(pool)
    signed, verifier = proofs.checkpoint(size), proofs.verifier()
    assert signed
    written = left_out = 0
    for positions, count in _positions(pool, asked):
        if not written + left_out:
            yield canonical({"checkpoint": signed.note, "uscc": uscc, "verifier": verifier})
        shown = [each for each in proofs.receipts(positions, size) if not in_the_clear(opened(each.entry).event)]
        yield from map(_line, shown)
        written, left_out = written + len(shown), left_out + len(positions) - len(shown)
        progress(len(positions), count)
    if not written + left_out:
        raise NoEvidence(
            f"There is nothing of {uscc} in this ledger after {after} and up to {size}, its last checkpoint there: look "
            "at the code, and at --after and --upto."
        )
    yield canonical({"entries": written, "leftOut": left_out})


def _positions(pool: Pool, asked: dict[str, Any]) -> Iterator[tuple[list[int], int]]:
    """The positions of an enterprise's entries by batches, and how many there are in all, in constant memory."""
    with pool.connection() as database, database.transaction(), database.cursor("positions", binary=True) as cursor:
        cursor.execute(_POSITIONS, asked)
        while rows := cursor.fetchmany(AT_A_TIME):
            yield [position for position, _ in rows], rows[0][1]


def _tags(uscc: str) -> dict[str, str]:
    return {"enterprise": f"enterprise:{uscc}", "decisions": f"decisions:{uscc}", "days": f"complaints:{uscc}:"}


def _line(receipt: Receipt) -> bytes:
    return canonical({"entry": receipt.entry.decode(), "proof": [each.hex() for each in receipt.proof]})


def verify_enterprise(lines: Iterable[bytes], verifier: Verifier | None = None) -> ProvedEntries:
    """Verifies the lines by the ledger's public key; by the file's own where none is given.

    Raises BrokenLine with the first line that does not hold, and NoEvidence where the first is none of such a file.
    """
    numbered = enumerate(lines, 1)
    _, first = next(numbered, (1, b""))
    try:
        header = msgspec.json.decode(first, type=_Header)
        uscc_of(header.uscc)
    except ValueError:  # msgspec's own are ValueErrors
        raise no_evidence("an enterprise") from None
    key, signed = signed_by(header.verifier, header.checkpoint, verifier, "an enterprise")
    proved, number = ProvedEntries(header.uscc, signed, key), 1
    for number, line in numbered:
        if line.startswith(_END):
            _check_end(number, line, proved, next(numbered, None))
            return proved
        position = _verified(number, line, header.uscc, signed)
        if position <= proved.last:
            raise BrokenLine(number, f"position {position} does not come after {proved.last}")
        proved = replace(proved, entries=proved.entries + 1, first=proved.first or position, last=position)
    raise BrokenLine(number + 1, "the file ends before the line that says how many entries it has")


def _verified(number: int, line: bytes, uscc: str, signed: Checkpoint) -> int:
    """The position of a line's entry, if it is one of the enterprise's and under the checkpoint."""
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
    if not any(tag.startswith(tuple(_tags(uscc).values())) for tag in stated.tags):
        raise BrokenLine(number, f"its entry, of position {position}, is none of {uscc}")
    return position


def _check_end(number: int, line: bytes, proved: ProvedEntries, following: object) -> None:
    try:
        end = msgspec.json.decode(line, type=_End)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BrokenLine(number, "it is not the line that says how many entries there are") from None
    if end.entries != proved.entries:
        raise BrokenLine(number, f"it says that there are {end.entries} entries, and there are {proved.entries}")
    if following:
        raise BrokenLine(number + 1, "the file goes on after its last line")


_END: Final = b'{"entries":'
_POSITIONS: Final = """
SELECT position, count(*) OVER () FROM (
    SELECT position FROM tags WHERE tag = %(enterprise)s
    UNION SELECT position FROM tags WHERE tag = %(decisions)s
    UNION SELECT position FROM tags WHERE tag >= %(days)s AND tag < %(days)s || '~'
) AS found WHERE position > %(after)s AND position <= %(size)s ORDER BY position
"""
