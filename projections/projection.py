"""What a projection is: a name, and how it writes a batch of events into its own tables."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Final, Protocol, TypeAlias

from psycopg import Connection
from psycopg.rows import TupleRow

from domain.events import Event, EventVoided
from domain.recorded import Recorded
from ledger.streams import Streams

Database = Connection[TupleRow]


class Projection(Protocol):
    """Rows kept in step with the log.

    `apply` is called with events in position order, each exactly once, inside the transaction that also moves the
    projection's position; it must write nothing but the projection's own tables. `version` is raised with every change
    that makes other rows of the same log: tables that an older version filled are then made anew (`projections.upgrading`).
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None: ...


Build: TypeAlias = Callable[[Streams], Sequence[Projection]]
"""Makes the projections of a program."""


_VOID: Final = EventVoided.__name__


class Moves:
    """A batch by what each of its events adds to or takes from: looked at once, whatever number of tables asks."""

    _latest: "tuple[Sequence[Recorded], Moves] | None" = None

    def __init__(self, batch: Sequence[Recorded]) -> None:
        by_type = defaultdict[str, list[Recorded]](list)
        for each in batch:
            name = each.type
            by_type[name if name != _VOID else moved_type(each)].append(each)
        self._by_type: Mapping[str, list[Recorded]] = by_type
        self._touching: dict[tuple[str, frozenset[str]], dict[str, list[int]]] = {}

    @classmethod
    def of_batch(cls, batch: Sequence[Recorded]) -> "Moves":
        """The same for all projections that are given the very same batch, one after the other."""
        latest = cls._latest
        if latest is None or latest[0] is not batch:
            cls._latest = latest = batch, cls(batch)
        return latest[1]

    def of(self, types: Collection[type[Event]]) -> list[Recorded]:
        """Those that record, or void, an event of these types, in order."""
        found = [self._by_type[name] for name in self._present(types)]
        return sorted(chain.from_iterable(found), key=_position) if len(found) > 1 else found[0] if found else []

    def touching(self, prefix: str, types: Collection[type[Event]]) -> dict[str, list[int]]:
        """The positions of the batch by each tag with a prefix that they touch, in order. It is not to be changed.

        Only those that record, or void, an event of these types: no other can change what is made from them.
        """
        asked = prefix, self._present(types)
        if (touched := self._touching.get(asked)) is None:
            touched = self._touching[asked] = {}
            for tag, recorded in tagged(self.of(types), prefix):
                touched.setdefault(tag, []).append(recorded.position)
        return touched

    def _present(self, types: Collection[type[Event]]) -> frozenset[str]:
        return frozenset(cls.__name__ for cls in types if cls.__name__ in self._by_type)


_position: Final[Callable[[Recorded], int]] = attrgetter("position")


def tagged(batch: Sequence[Recorded], prefix: str) -> Iterator[tuple[str, Recorded]]:
    """Each tag with a prefix, and the event that bears it, in order."""
    return ((tag, recorded) for recorded in batch for tag in recorded.tags if tag.startswith(prefix))


def moved_type(recorded: Recorded) -> str:
    """The type whose events a recorded one adds to or takes from."""
    event = recorded.event
    return event.type if isinstance(event, EventVoided) else recorded.type


def moved_position(recorded: Recorded) -> int:
    """Where the event is that a recorded one adds or takes out."""
    event = recorded.event
    return event.position if isinstance(event, EventVoided) else recorded.position
