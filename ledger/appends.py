"""What is appended and what comes of it: the words that the recorder, the sequencer and their callers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent
from eventsourcing.persistence import IntegrityError

from ledger.tree import Growth, Receipt

Seal: TypeAlias = Callable[[DCBEvent, int, datetime], bytes]
"""Forms the bytes that are stored, from the event, its position and its instant (UTC)."""
Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True)
class Once:
    """A key under which its holder may append once. `input_sha256` (32 bytes) is of what the holder asked for."""

    holder: str
    key: str
    input_sha256: bytes


class AlreadyAppended(Exception):
    """The holder has appended under this key: the positions are those of then, and nothing was appended now.

    Whether it asked for the same is for the caller to say: `input_sha256` is that of then.
    """

    def __init__(self, first_position: int, last_position: int, input_sha256: bytes) -> None:
        super().__init__(f"appended before at positions {first_position} to {last_position}")
        self.first_position = first_position
        self.last_position = last_position
        self.input_sha256 = input_sha256


@dataclass(eq=False, slots=True)
class Append:
    """Events that one caller wants appended, all or none."""

    events: Sequence[DCBEvent]
    condition: DCBAppendCondition | None = None
    once: Once | None = None
    destroys: str | None = None
    """The data subject whose key is destroyed in the same transaction (`ledger.sealing`)."""


@dataclass(slots=True)
class Appended:
    """An append that is durable: the positions of its first event and its last."""

    first: int
    last: int
    growth: Growth | None = None
    """What its group brought to the tree; None in a store without one. It holds the whole group's entries: let it go."""

    def receipts(self) -> list[Receipt]:
        """The receipts of its events, in order, under its group's checkpoint; none in a store without a tree.

        They are made now, by whoever asks, from memory alone.
        """
        return self.growth.receipts(self.first, self.last) if self.growth else []


Result: TypeAlias = "Appended | AlreadyAppended | IntegrityError"
"""What came of an append, or why it was refused."""
