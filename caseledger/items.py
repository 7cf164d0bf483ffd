"""What an import is made of: the items of a file, and the formats that files have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from caseledger.lines import Source
from domain.commands import Refusal
from ledger.imports import ImportedLines
from ledger.ledger import Ledger

Fact = tuple[str, Any]
"""A fact as a client states it: the field of FactInput, and what is sent under it."""


class Item(msgspec.Struct, frozen=True):
    """A row of a file: facts that go in all or none, a few at most, or why it states none.

    With neither it is passed over: it is well-formed, and nothing that this ledger could take.
    """

    number: int
    """Where it stands: the line of text or the row of a sheet, from 1 on."""
    sent: Any
    """What the row says, as it may stand in the file of rejected rows: JSON if it is JSON, UNSET for what may not."""
    facts: tuple[Fact, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    content: bytes = b""
    """What tells a row with facts from others, in one form whatever its blanks and order."""
    unique: bool = False
    """Whether rows of one `content` are the same row, wherever they stand; else a row that comes twice goes in twice."""
    counted: tuple[str, ...] = ()
    """What the row is counted as in the summary once it is recorded, where a format has more to count than rows."""
    origin: str = ""
    """The URI of what made the row, where it says so."""
    rests_on: Mapping[int, bytes] = msgspec.field(default_factory=dict)
    """For each position that its fact names as another ledger has it, the `content` of the row, unique, of that event."""

    def refused(self, *refusals: Refusal) -> "Item":
        return replace(self, facts=(), refusals=refusals)

    def stating(self, name: str, fact: Any, rests_on: Mapping[int, bytes] | None = None) -> "Item":
        return replace(self, facts=((name, fact),), rests_on=rests_on or {})


Settle = Callable[[Sequence[Item]], Sequence[Item | None]]
"""Each item as it is to be recorded on what the ledger holds by now, each knowing those before it: with facts, perhaps
others than it came with, with refusals, or None where all of it is in. It answers for what comes twice, too."""


class Format(NamedTuple):
    """A format that files of facts may have. Adding one is a reader and a line in `caseledger.formats`."""

    name: str
    """As it is given to --format."""
    fits: Callable[[bytes], bool]
    """Whether a file that begins so is of it; the beginning is decompressed, at most a few thousand bytes, and may be cut."""
    items: Callable[[Source], Iterator[Item]]
    """The rows of a file, in order. Raises Unreadable where it cannot be read on, after those that could be, and for
    a file that is of another format, before the first."""
    settling: Callable[[Ledger, ImportedLines, bool], Settle] | None = None
    """What makes a Settle for rows of this format on a ledger; the flag is --correct."""
    counted: tuple[str, ...] = ()
    """All that its rows may be counted as."""
