"""The evidence that nothing of some types is recorded of an enterprise: one file, to be verified by whoever has the ledger's
public key. It shows no entry and names no position.

The first line is an object: `uscc`, `types`, `verifier`, `checkpoint`, and `map` and `segments` (`ledger.completeness`). Then
comes a line for each segment, with a proof for each type in their order. The type `*` is whatever type.

It speaks of records: an event that was voided later is recorded all the same, and so is its void.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.events import EVENTS
from domain.text import shown
from domain.vocabulary import Area
from ledger.completeness import Lines, mapped, segment_line, verified_line
from ledger.draw_evidence import BrokenLine
from ledger.enterprise_map import ANY, Segment, key_of
from ledger.entry import canonical
from ledger.evidence import NoEvidence
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Signer, Verifier
from ledger.tree import Proofs
from ledger.verify import Progress

ALL: Final = "ALL"
"""How whatever type is asked for."""
EVERY_TYPE: Final = "*"
"""How a file writes it."""
MOST_NAMED: Final = 20
_TYPE: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}|\*")


class NoSuchTypes(ValueError):
    """What is no area and no type of event; the message says what there is."""


@dataclass(frozen=True, slots=True)
class ProvedAbsence:
    """That a ledger has no event of these types about an enterprise, under which checkpoint and key."""

    uscc: str
    types: tuple[str, ...]
    checkpoint: Checkpoint
    verifier: Verifier

    @property
    def areas(self) -> list[str]:
        """The areas all of whose types, as this program knows them, are among them."""
        return [area for area in Area if EVERY_TYPE in self.types or set(_types_of(area)) <= set(self.types)]


def types_asked(names: Sequence[str]) -> list[str]:
    """The types of event that areas, types and ALL stand for. Raises NoSuchTypes."""
    found: set[str] = set()
    for name in names:
        if name.upper() == ALL:
            return [EVERY_TYPE]
        if name.upper() in list(Area):
            found.update(_types_of(Area(name.upper())))
        elif name in EVENTS:
            found.add(name)
        else:
            legal = f"{', '.join(Area)}, {ALL}, or a type of event such as PenaltyImposed"
            raise NoSuchTypes(f"{legal}; got {shown(name)}")
    return sorted(found)


def _types_of(area: Area) -> list[str]:
    return [name for name, cls in EVENTS.items() if cls.area is area]


def absence_evidence(
    pool: Pool, signer: Signer, uscc: str, types: Sequence[str], size: int, progress: Progress
) -> Iterator[bytes]:
    """The lines that prove that no event of these types about an enterprise is among so many entries.

    Raises NoEvidence with the positions where there are such events.
    """
    _check_absent(pool, uscc, types, size)
    keys = [_key(uscc, type_) for type_ in types]
    found = mapped(pool, signer, size, keys, progress)
    proofs = Proofs(pool)
    signed, verifier = proofs.checkpoint(size), proofs.verifier()
    assert signed
    head = {"checkpoint": signed.note, "types": list(types), "uscc": uscc, "verifier": verifier}
    yield canonical({**head, **found.header})
    for segment, proved in zip(found.segments, found.proofs, strict=True):
        yield canonical(segment_line(segment, keys, proved))


def _key(uscc: str, type_: str) -> bytes:
    return key_of(uscc, ANY if type_ == EVERY_TYPE else type_)


def _check_absent(pool: Pool, uscc: str, types: Sequence[str], size: int) -> None:
    asked: dict[str, Any] = {**tags_of_enterprise(uscc), "size": size, "types": list(types), "limit": MOST_NAMED}
    with pool.connection() as database:
        rows = database.execute(_RECORDED.encode(), asked).fetchall()
    if rows:
        named = ", ".join(f"{position} ({type_})" for position, type_, _ in rows)
        more = f" and {rows[0][2] - len(rows)} more" if rows[0][2] > len(rows) else ""
        raise NoEvidence(
            f"Up to {size} the ledger has of {uscc} what was asked to be absent, at {named}{more}: a file of the "
            "enterprise's entries (without --absence) shows them. What was voided is recorded all the same."
        )


def tags_of_enterprise(uscc: str) -> dict[str, str]:
    """The tags by which an enterprise's events are found; that of `days` goes on."""
    return {"enterprise": f"enterprise:{uscc}", "decisions": f"decisions:{uscc}", "days": f"complaints:{uscc}:"}


def verify_absence(
    lines: Lines, uscc: str, types: Sequence[str], signed: Checkpoint, verifier: Verifier, segments: Sequence[Segment]
) -> ProvedAbsence:
    """Verifies the lines after the first. Raises BrokenLine."""
    if not types or sorted(set(types)) != list(types) or not all(map(_TYPE.fullmatch, types)):
        raise BrokenLine(1, "its types are no types of event, each once and in their order")
    keys = [_key(uscc, type_) for type_ in types]
    for segment in segments:
        read = verified_line(lines, segment, keys)
        for type_, proof in zip(types, read.proofs, strict=True):
            if proof.positions:
                raise lines.broken(f"position {proof.positions[0]} is of the enterprise and of type {type_}")
    if next(iter(lines), None) is not None:
        raise lines.broken("the file goes on after its last segment")
    return ProvedAbsence(uscc, tuple(types), signed, verifier)


FOUND: Final = """
WITH found AS (
    SELECT position FROM tags WHERE tag = %(enterprise)s
    UNION SELECT position FROM tags WHERE tag = %(decisions)s
    UNION SELECT position FROM tags WHERE tag >= %(days)s AND tag < %(days)s || '~'
)"""
"""The positions of an enterprise by its tags (`tags_of_enterprise`)."""
_RECORDED: Final = f"""{FOUND}
SELECT events.position, events.type, count(*) OVER () FROM found JOIN events ON events.position = found.position
WHERE events.position <= %(size)s AND ('*' = ANY (%(types)s::text[]) OR events.type = ANY (%(types)s::text[]))
ORDER BY events.position LIMIT %(limit)s
"""  # noqa: S608  # a constant
