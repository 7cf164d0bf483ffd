"""Verification of a whole ledger: every entry's bytes, its place and time, and the tree over all, up to a signed root.

An `Auditor` takes entries in their order and keeps nothing but the tree's right edge, so memory does not grow. It needs no
database: `ledger.verify_database` feeds it from one and compares what the database keeps beside the entries;
`ledger.evidence` feeds it from a folder. The first position that does not hold ends it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from domain.text import shown
from ledger.entry import canonical
from ledger.merkle import Frontier, Row, leaf_hash
from ledger.notes import Checkpoint, MalformedKey, MalformedNote, UnverifiedNote, Verifier, open_checkpoint


class Stated(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What an entry states; its data are not looked into, so that what a later program wrote is verified as well."""

    data: dict[str, Any]
    effective_on: str
    historical: bool
    id: str
    position: int
    recorded_at: str
    recorded_by: str
    tags: list[str]
    type: str
    version: int = 1


T = TypeVar("T")
Progress: TypeAlias = Callable[[int, int], None]
"""Hears of entries done since it was last told, and of how many there are in all."""
LONGEST_ENTRY: Final = 16 * 1024 * 1024
"""Bytes. Twice the longest line that an import reads, eight times the largest request: none that was recorded is longer."""

_DECODER: Final = msgspec.json.Decoder(Stated)


EMPTY: Final = Frontier(0, ())


class Broken(Exception):
    """The first position that does not hold, and what is wrong there."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(f"Position {position} does not hold: {why}.")
        self.position = position
        self.why = why


class Auditor:
    """Recomputes leaves and roots of entries that are given in order, from the position after an edge on."""

    def __init__(self, edge: Frontier = EMPTY) -> None:
        self.edge = edge
        self.recorded_at = ""
        """The instant of the last entry, as it is written there."""

    @property
    def position(self) -> int:
        return self.edge.size

    def examine(self, rows: Sequence[T], check: Callable[[Sequence[T]], None]) -> None:
        """Lets `check` take the next rows; raises Broken with the first position, in whatever order `check` looks.

        What it looks at first may be wrong at a later position than what it would have come to.
        """
        edge, recorded_at = self.edge, self.recorded_at
        try:
            check(rows)
        except Broken as broken:
            before = rows[: max(0, broken.position - edge.size - 1)]
            if 0 < len(before) < len(rows):
                self.edge, self.recorded_at = edge, recorded_at
                self.examine(before, check)
            raise

    def take(self, entries: Sequence[bytes]) -> tuple[list[Stated], list[Row]]:
        """What the next entries state, and the nodes that they complete, leaves first. Raises Broken."""
        stated = [self._state(entry, position) for position, entry in enumerate(entries, self.position + 1)]
        self.edge, rows = self.edge.extend(map(leaf_hash, entries))
        return stated, rows

    def _state(self, entry: bytes, position: int) -> Stated:
        stated = stated_of(entry, position)
        if stated.recorded_at < self.recorded_at:
            raise Broken(position, f"it was recorded at {shown(stated.recorded_at)}, before the one before it")
        self.recorded_at = stated.recorded_at
        return stated

    def check(self, checkpoint: Checkpoint, source: str = "its checkpoint") -> None:
        """That the tree of the entries taken so far is that of a checkpoint of this size. Raises Broken."""
        if checkpoint.size != self.position:
            raise Broken(
                min(checkpoint.size, self.position) + 1,
                f"{source} is of {checkpoint.size} entries, and there are {self.position}",
            )
        if checkpoint.root != self.edge.root:
            raise Broken(self.position, f"the root of the entries up to it is not that of {source}")

    def check_kept(self, kept: Checkpoint | None) -> None:
        """That these entries are those of a checkpoint that somebody kept, where it is of this size. Raises Broken."""
        if kept and kept.size == self.position:
            self.check(kept, "the checkpoint that was kept")


def stated_of(entry: bytes, position: int) -> Stated:
    """What an entry states, if its bytes are written as an entry of this position is. Raises Broken at that position."""
    try:
        stated = _DECODER.decode(entry)
        written = canonical(stated)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors
        raise Broken(position, "what is stored there is no entry") from None
    if written != entry:
        raise Broken(position, "its entry is not written canonically (RFC 8785)")
    if stated.position != position:
        raise Broken(position, f"the entry there says that it is at position {stated.position}")
    return stated


def checkpoint_of(note: bytes, verifier: Verifier, position: int, source: str = "its checkpoint") -> Checkpoint:
    """The checkpoint of a signed note, if the ledger's key signed it. Raises Broken at this position."""
    try:
        return open_checkpoint(note, verifier.name, verifier).checkpoint
    except (MalformedKey, MalformedNote, UnverifiedNote) as wrong:
        raise Broken(position, f"{source} is not signed by {verifier}: {str(wrong).rstrip('.')}") from None


def halted(rows: Sequence[T], after: int, sizes: Iterable[int]) -> Iterator[Sequence[T]]:
    """The rows that follow position `after`, in parts that end where roots are to be compared: at these sizes."""
    ends = sorted({len(rows), *(size - after for size in sizes if 0 < size - after < len(rows))})
    for begin, end in pairwise([0, *ends]):
        yield rows[begin:end]
