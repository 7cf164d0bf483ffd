"""One group of appends: what each of its members comes to, asked of the group alone."""

from typing import NamedTuple

import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError

from appends import SHA, bare, event, now, once, stored, unless
from ledger.appending import AlreadyAppended, Append, Appended, Once, append_group
from ledger.migrations import Pool


class Case(NamedTuple):
    """A condition of a group's second member on what its first member, X with the tags a and b, appends."""

    condition: DCBAppendCondition
    conflicts: bool


CASES = {
    "the tag": Case(unless(([], ["a"])), True),
    "another tag": Case(unless(([], ["c"])), False),
    "both tags": Case(unless(([], ["a", "b"])), True),
    "both tags, the other way round": Case(unless(([], ["b", "a"])), True),
    "one tag of it and one not": Case(unless(([], ["a", "c"])), False),
    "the tag twice": Case(unless(([], ["a", "a"])), True),
    "the type": Case(unless((["X"], [])), True),
    "one type of two": Case(unless((["Y", "X"], [])), True),
    "another type": Case(unless((["Y"], [])), False),
    "type and tag": Case(unless((["X"], ["a"])), True),
    "type and both tags": Case(unless((["X"], ["a", "b"])), True),
    "the type with another tag": Case(unless((["X"], ["c"])), False),
    "another type with the tag": Case(unless((["Y"], ["a"])), False),
    "two items, neither of it": Case(unless((["Y"], ["a"]), (["X"], ["c"])), False),
    "two items, the last of it": Case(unless((["Y"], []), ([], ["b"])), True),
    "everything": Case(DCBAppendCondition(DCBQuery()), True),
    "an item that is everything": Case(DCBAppendCondition(DCBQuery([DCBQueryItem()])), True),
    "everything, among other items": Case(unless(([], ["c"]), ([], [])), True),
}


def together(pool: Pool, *appends: Append) -> list[object]:
    """The positions of a group's members, or the names of what refused them."""
    with pool.connection() as database:
        results = append_group(database, appends, bare, now, None)
    return [result.last if isinstance(result, Appended) else type(result).__name__ for result in results]


@pytest.mark.parametrize("name", CASES)
def test_a_member_conflicts_with_what_the_group_appends_before_it(pool: Pool, name: str) -> None:
    condition, conflicts = CASES[name]
    came = together(pool, Append([event("X", "a", "b")]), Append([event("new")], condition), Append([event("last")]))
    assert came == ([1, "IntegrityError", 2] if conflicts else [1, 2, 3])
    assert stored(pool) == ([(1, "X"), (2, "last")] if conflicts else [(1, "X"), (2, "new"), (3, "last")])


@pytest.mark.parametrize("name", CASES)
def test_the_same_conflicts_with_what_was_committed_before(pool: Pool, name: str) -> None:
    condition, conflicts = CASES[name]
    together(pool, Append([event("X", "a", "b")]))
    assert together(pool, Append([event("new")], condition)) == (["IntegrityError"] if conflicts else [2])


@pytest.mark.parametrize("name", CASES)
def test_a_condition_after_it_does_not_ask_about_it(pool: Pool, name: str) -> None:
    together(pool, Append([event("X", "a", "b")]))
    after = DCBAppendCondition(CASES[name].condition.fail_if_events_match, 1)
    assert together(pool, Append([event("new")], after)) == [2]


def test_an_append_may_match_its_own_condition(pool: Pool) -> None:
    everything = DCBAppendCondition(DCBQuery())
    assert together(pool, Append([event("X", "a"), event("X", "a")], everything)) == [2]


def test_what_is_refused_is_no_reason_to_refuse_another(pool: Pool) -> None:
    claim = unless(([], ["a"]))
    came = together(
        pool,
        Append([event("X", "b")]),
        Append([event("refused", "a")], unless(([], ["b"]))),
        Append([event("Y", "a")], claim),
        Append([event("refused", "a")], claim),
    )
    assert came == [1, "IntegrityError", 2, "IntegrityError"]
    assert stored(pool) == [(1, "X"), (2, "Y")]


def test_each_of_many_conditions_is_that_of_its_own_member(pool: Pool) -> None:
    together(pool, *(Append([event(f"T{number}", f"t:{number}", f"u:{number}")]) for number in range(60)))
    conditions = [unless(([], [f"t:{n}"]), (["none"], [f"u:{n}"]), ([], ["none"]), after=30) for n in range(60)]
    conditions += [unless(([f"T{n}"], [f"t:{n}", f"u:{n}"]), after=30) for n in range(60)]
    conditions += [unless(([f"T{n}"], []), after=30) for n in range(60)]
    came = together(pool, *(Append([event("new")], condition) for condition in conditions))
    assert [isinstance(result, int) for result in came] == ([True] * 30 + [False] * 30) * 3


def test_members_get_positions_in_their_order_and_one_instant(pool: Pool) -> None:
    members = [Append([event(f"{place}-{number}") for number in range(1 + place % 3)]) for place in range(20)]
    assert together(pool, *members) == [sum(len(each.events) for each in members[: n + 1]) for n in range(20)]
    expected = [one.type for member in members for one in member.events]
    assert stored(pool) == list(enumerate(expected, start=1))
    with pool.connection() as database:
        assert database.execute("SELECT DISTINCT recorded_at FROM events").fetchall() == [(now(),)]


def test_of_two_members_under_one_key_the_first_appends_and_the_other_learns_its_positions(pool: Pool) -> None:
    with pool.connection() as database:
        first, again, other = append_group(
            database,
            [
                Append([event("X"), event("X")], once=once()),
                Append([event("Y")], once=Once("holder", "key", b"\x02" * 32)),
                Append([event("Z")], once=once(holder="another")),
            ],
            bare,
            now,
            None,
        )
    assert (first, other) == (Appended(1, 2), Appended(3, 3))
    assert isinstance(again, AlreadyAppended)
    assert (again.first_position, again.last_position, again.input_sha256) == (1, 2, SHA)
    assert stored(pool) == [(1, "X"), (2, "X"), (3, "Z")]


def test_a_key_whose_first_append_was_refused_is_free_for_the_next_member(pool: Pool) -> None:
    came = together(
        pool,
        Append([event("X", "a")]),
        Append([event("Y")], unless(([], ["a"])), once()),
        Append([event("Z")], once=once()),
        Append([event("again")], once=once()),
    )
    assert came == [1, "IntegrityError", 2, "AlreadyAppended"]
    assert stored(pool) == [(1, "X"), (2, "Z")]


def test_a_group_of_refused_members_appends_nothing_and_leaves_the_head(pool: Pool) -> None:
    together(pool, Append([event("X", "a")], once=once()))
    came = together(pool, Append([event()], unless(([], ["a"]))), Append([event()], once=once()))
    assert came == ["IntegrityError", "AlreadyAppended"]
    with pool.connection() as database:
        assert database.execute("SELECT position FROM head").fetchone() == (1,)
    assert together(pool) == []


def test_a_refusal_says_after_which_position_it_looked(pool: Pool) -> None:
    together(pool, Append([event("X", "a")]), Append([event("X", "a")]))
    with pool.connection() as database:
        (refused,) = append_group(database, [Append([event()], unless(([], ["a"]), after=1))], bare, now, None)
    assert isinstance(refused, IntegrityError)
    assert str(refused) == "an event after position 1 matches the append condition"


def test_the_group_is_sealed_in_its_order_with_the_positions_that_it_gets(pool: Pool) -> None:
    sealed: list[tuple[int, str]] = []

    def seal(one: DCBEvent, position: int, recorded_at: object) -> bytes:
        sealed.append((position, one.type))
        return b""

    members = [Append([event("A"), event("B")]), Append([event("no", "t")], unless((["A"], []))), Append([event("C")])]
    with pool.connection() as database:
        append_group(database, members, seal, now, None)
    assert sealed == stored(pool) == [(1, "A"), (2, "B"), (3, "C")]
