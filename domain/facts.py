"""What is known of one subject: the fold of a tag's events, from which every (date, position) can be answered.

Facts fold in position order; dates are evaluated afterwards. Nothing is forgotten, a void marks what it takes out with
its own position, so one state answers every legal date D as known at every position P, and an event that arrives late
in date costs what any other does.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from operator import attrgetter
from typing import Final, Generic, NamedTuple, TypeVar

from domain.events import Event, EventVoided
from domain.recorded import Recorded

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)

HEAD: Final = 2**63 - 1
"""As known at the head, whatever it is."""


class Moment(NamedTuple):
    """A question's point: as of a legal date, as known at a position (§1)."""

    on: date
    known_at: int = HEAD


class Fact(NamedTuple, Generic[E_co]):
    """One event as the rules see it. Ordered by (effective_on, position): “later” in the sense of §1."""

    effective_on: date
    position: int
    event: E_co
    uscc: str | None
    """The enterprise that the event bears."""
    historical: bool = False
    voided_by: int | None = None

    def is_visible(self, at: Moment) -> bool:
        return (
            self.effective_on <= at.on
            and self.position <= at.known_at
            and (self.voided_by is None or self.voided_by > at.known_at)
        )


def _order(fact: Fact[Event]) -> tuple[date, int]:
    return fact.effective_on, fact.position


_position: Final[Callable[[Fact[Event]], int]] = attrgetter("position")


class Facts:
    """The events of one tag, by type, each list ordered by (effective_on, position)."""

    __slots__ = ("_all", "_by_type", "_own", "position")

    def __init__(self) -> None:
        self._by_type: dict[type[Event], list[Fact[Event]]] = {}
        self._own: tuple[type[Event], ...] = ()
        """The types whose list no copy shares: an event changes one of many, and the others need not be copied."""
        self._all: list[Fact[Event]] = []
        """Every fact, in position order: a list, since it is copied with each change and takes a third of a mapping's memory."""
        self.position = 0
        """The last position folded."""

    @classmethod
    def merged(cls, parts: Iterable["Facts"]) -> "Facts":
        """The facts of several tags as one, for questions only: parts do not share an event."""
        whole = cls()
        for part in parts:
            for kind, facts in part._by_type.items():
                whole._by_type.setdefault(kind, []).extend(facts)
            whole._all += part._all
            whole.position = max(whole.position, part.position)
        for facts in whole._by_type.values():
            facts.sort(key=_order)
        whole._all.sort(key=_position)
        return whole

    @property
    def size(self) -> int:
        """How many events it holds."""
        return len(self._all)

    def evolve(self, recorded: Recorded, fact: Fact[Event] | None = None) -> None:
        """Folds the next event of the tag. Events come in position order, each once; `fact` is `fact_of` it, if it is at hand."""
        self.position = recorded.position
        event = recorded.event
        if isinstance(event, EventVoided):
            self._void(event.position, recorded.position)
        self.add(fact or fact_of(recorded))

    def add(self, fact: Fact[Event]) -> None:
        facts = self._list_of(type(fact.event))
        # Mostly the latest comes last.
        if not facts or facts[-1][:2] < fact[:2]:
            facts.append(fact)
        else:
            insort(facts, fact, key=_order)
        self._all.append(fact)

    def _void(self, position: int, by: int) -> None:
        place = self._place(position)
        if place is None:
            return
        fact = self._all[place]
        facts = self._list_of(type(fact.event))
        of_type = bisect_left(facts, _order(fact), key=_order)
        self._all[place] = facts[of_type] = fact._replace(voided_by=by)

    def _place(self, position: int) -> int | None:
        """Where among all facts that of a position is, if there is one."""
        place = bisect_left(self._all, position, key=_position)
        return place if place < len(self._all) and self._all[place].position == position else None

    def _list_of(self, cls: type[Event]) -> list[Fact[Event]]:
        """The list of a type, to be changed."""
        if cls not in self._own:
            self._own = (*self._own, cls)
            self._by_type[cls] = list(self._by_type.get(cls, ()))
        return self._by_type[cls]

    def copy(self) -> "Facts":
        """A state of its own: what is folded into the copy does not touch this one."""
        twin = Facts()
        if not self._all:
            twin.position = self.position
            return twin
        # From now on this one, too, changes no list in place.
        self._own = ()
        twin._by_type = dict(self._by_type)
        twin._all = list(self._all)
        twin.position = self.position
        return twin

    def ever(self, cls: type[E]) -> list[Fact[E]]:
        """Every event of a type, voided or not, of any date."""
        return self._by_type.get(cls, [])  # type: ignore[return-value]  # the list under a type holds that type's facts

    def standing(self, cls: type[E]) -> list[Fact[E]]:
        """Every event of a type that is not voided, of any date."""
        return [fact for fact in self.ever(cls) if fact.voided_by is None]

    def visible(self, cls: type[E], at: Moment) -> list[Fact[E]]:
        """The visible events of a type at (D, P), earliest first."""
        facts = self._by_type.get(cls)
        if not facts:
            return []
        # `is_visible` without a call a fact: every rule begins here.
        on, known_at = at
        return [
            fact  # type: ignore[misc]  # the list under a type holds that type's facts
            for fact in facts
            if fact[0] <= on and fact[1] <= known_at and (fact[5] is None or fact[5] > known_at)
        ]

    def latest(self, at: Moment, *types: type[E]) -> Fact[E] | None:
        """The last visible event of the types by (effective_on, position)."""
        found = [fact for cls in types for fact in self.visible(cls, at)]
        return max(found, key=_order, default=None)

    def all(self) -> Iterator[Fact[Event]]:
        """Every fact, in position order."""
        return iter(self._all)

    def at_position(self, position: int) -> Fact[Event] | None:
        place = self._place(position)
        return None if place is None else self._all[place]


def fact_of(recorded: Recorded) -> Fact[Event]:
    """The event as the rules see it."""
    event, uscc = recorded.event, recorded.uscc
    # Most bear who they name: of the two equal texts one is enough, where millions of facts are kept.
    named = getattr(event, "uscc", None)
    return Fact(recorded.effective_on, recorded.position, event, named if named == uscc else uscc, recorded.historical)


def fold(history: Iterable[Recorded]) -> Facts:
    facts = Facts()
    for recorded in history:
        facts.evolve(recorded)
    return facts
