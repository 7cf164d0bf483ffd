"""Fail closed, an enterprise at a time: what cannot be applied parks its enterprise, and all others go on.

A parked enterprise's rows of that projection stand as they were before the event; nothing of it is applied any more until
the projection is rebuilt. An event of no enterprise stops the projection that cannot apply it, and no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

import psycopg
from eventsourcing.dcb.api import DCBSequencedEvent
from psycopg_pool import PoolTimeout

from domain.recorded import Recorded, bearer
from domain.text import Text
from ledger.entry import UnreadableEntry, read_entry
from ledger.rows import Questions
from projections.projection import Database, Projection

PASSING: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.ProgrammingError,
    psycopg.InternalError,
    psycopg.NotSupportedError,
    PoolTimeout,
    OSError,
    MemoryError,
)
"""Faults of the house and not of an event: the database is away, a table is missing. They are tried again."""


LATELY_SECONDS: Final = 0.2


class Unreadable(NamedTuple):
    """An entry that is no event to this program, with what the log says of it beside."""

    position: int
    type: str
    uscc: str | None
    fault: str


Entry: TypeAlias = Recorded | Unreadable


@dataclass(frozen=True, slots=True)
class Parked:
    """Where a projection stands: of one enterprise or, where `uscc` is None, as a whole."""

    projection: str
    uscc: str | None
    position: int
    event_type: str
    fault: str
    since: datetime | None = None

    @property
    def why(self) -> Text:
        """Why in words, without anything of the event's data."""
        return Text(
            f"位置 {self.position} 的事件 {self.event_type} 无法应用于读模型 {self.projection}（{self.fault}）",
            f"the {self.event_type} at position {self.position} cannot be applied to the read model {self.projection} "
            f"({self.fault})",
        )


class Reached(NamedTuple):
    """How far a projection is, why it stands if it was stopped, and the version that filled its tables."""

    name: str
    position: int
    stopped: Parked | None
    version: int


class Parking(Questions):
    """Questions to what is parked or stopped."""

    _lately: tuple[float, list[Parked]] = (0.0, [])

    def parked(self) -> list[Parked]:
        return [Parked(*row) for row in self._rows(_PARKED, {})]

    def parked_lately(self) -> list[Parked]:
        """What was parked at most LATELY_SECONDS ago: for answers that do not rest on rows."""
        at, found = self._lately
        if monotonic() - at > LATELY_SECONDS:
            found = self.parked()
            self._lately = monotonic(), found
        return found

    def parked_of(self, usccs: Sequence[str]) -> list[Parked]:
        return [Parked(*row) for row in self._rows(_PARKED_OF, {"usccs": list(usccs)})]

    def stopped(self) -> list[Parked]:
        return [each.stopped for each in self.reached() if each.stopped]

    def reached(self) -> list[Reached]:
        return [
            Reached(name, position, None if at is None else Parked(name, None, at, type_, fault, since), version)
            for name, position, at, type_, fault, since, version in self._rows(_REACHED, {})
        ]


def readable(found: DCBSequencedEvent) -> Entry:
    try:
        return read_entry(found)
    except UnreadableEntry as wrong:
        return Unreadable(found.position, found.event.type, bearer(found.event.tags), wrong.fault)


def apply_apart(database: Database, projection: Projection, batch: Sequence[Entry]) -> list[Parked]:
    """Applies what of a batch can be applied, and says what cannot; who is parked already is not in the batch.

    Runs in the transaction of the batch. Nothing is parked for a fault that does not come again.
    """
    apart = _Apart(database, projection)
    apart.apply(batch)
    return apart.parked


class _Apart:
    def __init__(self, database: Database, projection: Projection) -> None:
        self._database = database
        self._projection = projection
        self.parked: list[Parked] = []

    def apply(self, batch: Sequence[Entry]) -> None:
        upto = batch[-1].position if batch else 0
        for entry in batch:
            if entry.uscc is None and (fault := self._fault_of([entry])):
                self._park(entry, fault)
                upto = entry.position - 1
                break
        groups: dict[str, list[Entry]] = {}
        for entry in batch:
            if entry.uscc is not None and entry.position <= upto:
                groups.setdefault(entry.uscc, []).append(entry)
        self._apply_groups(list(groups.values()))

    def _apply_groups(self, groups: Sequence[list[Entry]]) -> None:
        """Halves what fails until it is one enterprise's, and then goes event by event."""
        events = sorted((entry for group in groups for entry in group), key=lambda entry: entry.position)
        if not events or not self._fault_of(events):
            return
        if len(groups) == 1:
            self._apply_singly(groups[0])
        else:
            half = len(groups) // 2
            self._apply_groups(groups[:half])
            self._apply_groups(groups[half:])

    def _apply_singly(self, events: Sequence[Entry]) -> None:
        for entry in events:
            if fault := self._fault_of([entry]):
                self._park(entry, fault)
                return

    def _fault_of(self, entries: Sequence[Entry]) -> str | None:
        """Applies entries all or none; the kind of fault where that cannot be."""
        events: list[Recorded] = []
        for entry in entries:
            if isinstance(entry, Unreadable):
                return entry.fault
            events.append(entry)
        try:
            with self._database.transaction():
                self._projection.apply(self._database, events)
        except PASSING:
            raise
        except UnreadableEntry as wrong:
            return wrong.fault
        except Exception as fault:
            return type(fault).__name__
        return None

    def _park(self, entry: Entry, fault: str) -> None:
        self.parked.append(Parked(self._projection.name, entry.uscc, entry.position, entry.type, fault))


_PARKED: Final = """
SELECT projection, uscc, position, event_type, fault, since FROM parked ORDER BY projection, position, uscc
"""
_PARKED_OF: Final = """
SELECT projection, uscc, position, event_type, fault, since FROM parked
WHERE uscc = ANY (%(usccs)s::text[]) ORDER BY position, projection
"""
_REACHED: Final = """
SELECT name, position, stopped_at, event_type, fault, moved_at, version FROM projections ORDER BY name
"""
