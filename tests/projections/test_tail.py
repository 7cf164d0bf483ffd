"""The tail of a log: bounded, in order, and nothing of what lies after its floor is missing."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial

import pytest

from projections.tail import Tail


@dataclass(frozen=True)
class Item:
    position: int
    note: str = ""


def tail(*positions: int, most: int = 3, floor: int = 0) -> Tail[Item]:
    made: Tail[Item] = Tail(floor, most)
    for position in positions:
        made.add([Item(position)], position)
    return made


def held(of: Tail[Item], after: int | None = None) -> list[int]:
    return [item.position for item in of.after(of.floor if after is None else after)]


def test_it_holds_at_most_so_many_and_all_there_are_after_its_floor() -> None:
    made = tail(1, 2, 5, 7, 8)
    assert (held(made), made.floor, made.position) == ([5, 7, 8], 2, 8)
    made.add([Item(position) for position in range(9, 20)], 20)
    assert (held(made), made.floor, made.position) == ([17, 18, 19], 16, 20)


@pytest.mark.parametrize(("after", "left"), [(0, [2, 4, 6]), (2, [4, 6]), (3, [4, 6]), (6, []), (9, [])])
def test_what_comes_after_a_position_is_found(after: int, left: list[int]) -> None:
    assert held(tail(2, 4, 6), after) == left


def test_the_position_moves_where_there_is_no_item() -> None:
    made = tail(1)
    made.add([], 9)
    assert (held(made), made.floor, made.position) == ([1], 0, 9)


def test_what_is_skipped_is_below_the_floor() -> None:
    made = tail(1, 2)
    made.skip(500)
    assert (held(made), made.floor, made.position) == ([], 500, 500)


def test_an_item_is_amended_where_it_is_held() -> None:
    made = tail(1, 2, 3, 4)
    for position in (1, 3, 9):
        made.amend(position, partial(replace, note="changed"))
    assert [(item.position, item.note) for item in made.after(1)] == [(2, ""), (3, "changed"), (4, "")]


def test_who_waits_is_woken_when_the_log_is_beyond_their_position_and_not_before() -> None:
    async def waits() -> list[bool]:
        made = tail(1)
        waiting = asyncio.create_task(made.moved_beyond(5))
        seen = []
        for position in (3, 5, 6):
            made.add([], position)
            for _ in range(3):
                await asyncio.sleep(0)
            seen.append(waiting.done())
        return seen

    assert asyncio.run(waits()) == [False, False, True]
