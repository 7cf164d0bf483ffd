"""A recorder in memory with the semantics of `ledger.recorder.PostgresRecorder`, for tests of what stands above it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBSequencedEvent
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.persistence import ProgrammingError

from ledger.appends import AlreadyAppended, Append, Appended, Once, Seal
from ledger.entry import seal


class MemoryRecorder(InMemoryDCBRecorder):
    """Safe for many threads; durable as long as the process lives.

    Like the library's own it reads by going through all events, so it is for short logs.
    """

    def __init__(self, *, seal: Seal = seal, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self._seal = seal
        self._clock = clock or (lambda: datetime.now(UTC))
        self._recorded_at = datetime.min.replace(tzinfo=UTC)
        self._kept: dict[tuple[str, str], tuple[int, int, bytes]] = {}

    def append(
        self,
        events: Sequence[DCBEvent],
        condition: DCBAppendCondition | None = None,
        *,
        once: Once | None = None,
    ) -> int:
        """Append the events, all or none, and return the position of the last; raises what PostgresRecorder raises."""
        return self.append_with_receipts(Append(events, condition, once)).last

    def append_with_receipts(self, append: Append) -> Appended:
        """Append as `append` does; there is no tree here, so there are no receipts."""
        if not append.events:
            raise ProgrammingError("append needs at least one event, got none")
        once = append.once
        with self._database_lock:
            if once and (kept := self.appended(once.holder, once.key)):
                raise kept
            first = self.head() + 1
            recorded_at = max(self._recorded_at, self._clock().astimezone(UTC))
            last = super().append(self._sealed(append.events, first, recorded_at), append.condition)
            self._recorded_at = recorded_at
            if once:
                self._kept[once.holder, once.key] = first, last, once.input_sha256
            return Appended(first, last)

    def _sealed(self, events: Sequence[DCBEvent], first: int, recorded_at: datetime) -> list[DCBEvent]:
        numbered = enumerate(events, start=first)
        return [DCBEvent(e.type, self._seal(e, position, recorded_at), e.tags) for position, e in numbered]

    def read_streams(self, wanted: Mapping[str, int], upto: int | None = None) -> tuple[int, list[DCBSequencedEvent]]:
        """The head, and in order all events that bear one of the tags after that tag's position, none after `upto`."""
        with self._database_lock:
            head = self.head()
            last = head if upto is None else min(upto, head)
            return head, [e for e in self.events[:last] if any(e.position > wanted.get(t, last) for t in e.event.tags)]

    def read_positions(self, positions: Sequence[int]) -> list[DCBSequencedEvent]:
        """The events at the positions, in order; positions without an event are left out."""
        with self._database_lock:
            return [self.events[position - 1] for position in sorted(set(positions)) if 1 <= position <= self.head()]

    def appended(self, holder: str, key: str) -> AlreadyAppended | None:
        """What `append` with a `Once` of this holder and key would raise."""
        with self._database_lock:
            kept = self._kept.get((holder, key))
            return AlreadyAppended(*kept) if kept else None

    def head(self) -> int:
        """The last position, 0 in an empty log."""
        with self._database_lock:
            return self.events[-1].position if self.events else 0
