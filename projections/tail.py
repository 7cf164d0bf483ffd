"""The newest part of a log that grows, kept once in a process for all who follow it."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar


class Placed(Protocol):
    @property
    def position(self) -> int: ...


P = TypeVar("P", bound=Placed)


class Tail(Generic[P]):
    """At most `most` items, in order: all there are after `floor` up to `position`. Used on one event loop only.

    Whoever follows keeps nothing but a position, so that being slow holds no memory: what is no longer here is read from
    the database.
    """

    def __init__(self, position: int, most: int) -> None:
        self.floor = position
        self.position = position
        self._most = most
        self._items: list[P] = []
        self._moved = asyncio.Event()

    def add(self, items: Sequence[P], position: int) -> None:
        """Adds the items up to a position, and wakes who waits."""
        self._items += items
        if (dropped := len(self._items) - self._most) > 0:
            self.floor = self._items[dropped - 1].position
            del self._items[:dropped]
        self._move(position)

    def skip(self, position: int) -> None:
        """Goes on from a position without what lies before it."""
        self._items.clear()
        self.floor = position
        self._move(position)

    def amend(self, position: int, change: Callable[[P], P]) -> None:
        """Changes the item at a position, if it is here."""
        place = bisect_right(self._items, position, key=_position) - 1
        if place >= 0 and self._items[place].position == position:
            self._items[place] = change(self._items[place])

    def after(self, position: int) -> list[P]:
        """The items after a position that is not below the floor."""
        return self._items[bisect_right(self._items, position, key=_position) :]

    async def moved_beyond(self, position: int) -> None:
        """Returns when the log is known beyond a position."""
        while self.position <= position:
            await self._moved.wait()

    def _move(self, position: int) -> None:
        self.position = position
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def _position(item: Placed) -> int:
    return item.position
