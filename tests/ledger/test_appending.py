"""One group of appends: what each of its members comes to, asked of the group alone.

Each is asked of both ways: by an appender that takes its turn first, and by one that knows the head and writes at once.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NamedTuple

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError

from appends import SHA, bare, event, now, once, stored, stuck, unless
from ledger.appending import PART, Appender, Sent
from ledger.appends import AlreadyAppended, Append, Appended, Once, Result, Seal
from ledger.migrations import Pool
from ledger.prepared import Line
from ledger.tree import LedgerTree
from running import wait_until
from signed_tree import SIGNER, check


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


Group = Callable[..., list[Result]]
Together = Callable[..., list[object]]


def alone(pool: Pool, seal: Seal = bare) -> Appender:
    """An appender that knows the head."""
    appender = Appender(seal, now, None)
    with pool.connection() as database:
        appender.append(database, [])
    return appender


@pytest.fixture(params=["in turn", "at once"])
def group(pool: Pool, request: pytest.FixtureRequest) -> Group:
    """Appends a group and gives what each member came to."""

    def append(*appends: Append, seal: Seal = bare) -> list[Result]:
        appender = alone(pool, seal) if request.param == "at once" else Appender(seal, now, None)
        with pool.connection() as database:
            return appender.append(database, appends)

    return append


@pytest.fixture
def together(group: Group) -> Together:
    """Appends a group and gives the positions of its members, or the names of what refused them."""

    def append(*appends: Append) -> list[object]:
        return outcomes(group(*appends))

    return append


def outcomes(results: Sequence[Result]) -> list[object]:
    return [result.last if isinstance(result, Appended) else type(result).__name__ for result in results]


@pytest.mark.parametrize("name", CASES)
def test_a_member_conflicts_with_what_the_group_appends_before_it(pool: Pool, together: Together, name: str) -> None:
    condition, conflicts = CASES[name]
    came = together(Append([event("X", "a", "b")]), Append([event("new")], condition), Append([event("last")]))
    assert came == ([1, "IntegrityError", 2] if conflicts else [1, 2, 3])
    assert stored(pool) == ([(1, "X"), (2, "last")] if conflicts else [(1, "X"), (2, "new"), (3, "last")])


@pytest.mark.parametrize("name", CASES)
def test_the_same_conflicts_with_what_was_committed_before(together: Together, name: str) -> None:
    condition, conflicts = CASES[name]
    together(Append([event("X", "a", "b")]))
    assert together(Append([event("new")], condition)) == (["IntegrityError"] if conflicts else [2])


@pytest.mark.parametrize("name", CASES)
def test_a_condition_after_it_does_not_ask_about_it(together: Together, name: str) -> None:
    together(Append([event("X", "a", "b")]))
    after = DCBAppendCondition(CASES[name].condition.fail_if_events_match, 1)
    assert together(Append([event("new")], after)) == [2]


def test_an_append_may_match_its_own_condition(together: Together) -> None:
    everything = DCBAppendCondition(DCBQuery())
    assert together(Append([event("X", "a"), event("X", "a")], everything)) == [2]


def test_what_is_refused_is_no_reason_to_refuse_another(pool: Pool, together: Together) -> None:
    claim = unless(([], ["a"]))
    came = together(
        Append([event("X", "b")]),
        Append([event("refused", "a")], unless(([], ["b"]))),
        Append([event("Y", "a")], claim),
        Append([event("refused", "a")], claim),
    )
    assert came == [1, "IntegrityError", 2, "IntegrityError"]
    assert stored(pool) == [(1, "X"), (2, "Y")]


def test_each_of_many_conditions_is_that_of_its_own_member(together: Together) -> None:
    together(*(Append([event(f"T{number}", f"t:{number}", f"u:{number}")]) for number in range(60)))
    conditions = [unless(([], [f"t:{n}"]), (["none"], [f"u:{n}"]), ([], ["none"]), after=30) for n in range(60)]
    conditions += [unless(([f"T{n}"], [f"t:{n}", f"u:{n}"]), after=30) for n in range(60)]
    conditions += [unless(([f"T{n}"], []), after=30) for n in range(60)]
    came = together(*(Append([event("new")], condition) for condition in conditions))
    assert [isinstance(result, int) for result in came] == ([True] * 30 + [False] * 30) * 3


def test_members_get_positions_in_their_order_and_one_instant(pool: Pool, together: Together) -> None:
    members = [Append([event(f"{place}-{number}") for number in range(1 + place % 3)]) for place in range(20)]
    assert together(*members) == [sum(len(each.events) for each in members[: n + 1]) for n in range(20)]
    expected = [one.type for member in members for one in member.events]
    assert stored(pool) == list(enumerate(expected, start=1))
    with pool.connection() as database:
        assert database.execute("SELECT DISTINCT recorded_at FROM events").fetchall() == [(now(),)]


def test_of_two_members_under_one_key_the_first_appends_and_the_other_learns_its_positions(
    pool: Pool, group: Group
) -> None:
    first, again, other = group(
        Append([event("X"), event("X")], once=once()),
        Append([event("Y")], once=Once("holder", "key", b"\x02" * 32)),
        Append([event("Z")], once=once(holder="another")),
    )
    assert (first, other) == (Appended(1, 2), Appended(3, 3))
    assert isinstance(again, AlreadyAppended)
    assert (again.first_position, again.last_position, again.input_sha256) == (1, 2, SHA)
    assert stored(pool) == [(1, "X"), (2, "X"), (3, "Z")]


def test_a_key_whose_first_append_was_refused_is_free_for_the_next_member(pool: Pool, together: Together) -> None:
    came = together(
        Append([event("X", "a")]),
        Append([event("Y")], unless(([], ["a"])), once()),
        Append([event("Z")], once=once()),
        Append([event("again")], once=once()),
    )
    assert came == [1, "IntegrityError", 2, "AlreadyAppended"]
    assert stored(pool) == [(1, "X"), (2, "Z")]


def test_a_group_of_refused_members_appends_nothing_and_leaves_the_head(pool: Pool, together: Together) -> None:
    together(Append([event("X", "a")], once=once()))
    came = together(Append([event()], unless(([], ["a"]))), Append([event()], once=once()))
    assert came == ["IntegrityError", "AlreadyAppended"]
    with pool.connection() as database:
        assert database.execute("SELECT position FROM head").fetchone() == (1,)
    assert together() == []


def test_a_refusal_says_after_which_position_it_looked(pool: Pool, together: Together, group: Group) -> None:
    together(Append([event("X", "a")]), Append([event("X", "a")]))
    (refused,) = group(Append([event()], unless(([], ["a"]), after=1)))
    assert isinstance(refused, IntegrityError)
    assert str(refused) == "an event after position 1 matches the append condition"


def test_the_group_is_sealed_in_its_order_with_the_positions_that_it_gets(pool: Pool, group: Group) -> None:
    sealed: list[tuple[int, str]] = []

    def seal(one: DCBEvent, position: int, recorded_at: object) -> bytes:
        sealed.append((position, one.type))
        return b""

    members = [Append([event("A"), event("B")]), Append([event("no", "t")], unless((["A"], []))), Append([event("C")])]
    group(*members, seal=seal)
    assert sealed == stored(pool) == [(1, "A"), (2, "B"), (3, "C")]


def test_an_appender_that_is_alone_writes_by_one_statement(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    appender = alone(pool)
    monkeypatch.delattr(Appender, "_append_in_turn")
    for number in range(1, 4):
        with pool.connection() as database:
            assert outcomes(appender.append(database, [Append([event("A", "a")], once=once(str(number)))])) == [number]


def test_an_appender_takes_its_turn_again_once_another_has_appended(pool: Pool) -> None:
    one, other = alone(pool), alone(pool)
    for number in range(1, 9):
        with pool.connection() as database:
            appender = one if number % 3 else other
            assert outcomes(appender.append(database, [Append([event(f"{number}")])])) == [number]
    assert stored(pool) == [(number, f"{number}") for number in range(1, 9)]


def test_a_condition_asks_about_what_another_appended_while_the_head_was_waited_for(pool: Pool) -> None:
    appender, other = alone(pool), alone(pool)
    claim = Append([event("mine", "a")], unless(([], ["a"])), once())

    def append() -> list[object]:
        with pool.connection() as database:
            return outcomes(appender.append(database, [claim, Append([event("neighbour", "b")])]))

    with ThreadPoolExecutor(1) as threads, pool.connection() as database, database.transaction():
        other.append(database, [Append([event("theirs", "a")])])
        came = threads.submit(append)
        wait_until(lambda: stuck(pool) != [])
        assert not came.done()
        # Leaving the block commits what was appended by the other.
    assert came.result() == ["IntegrityError", 2]
    assert stored(pool) == [(1, "theirs"), (2, "neighbour")]


def test_a_head_of_the_same_position_and_another_instant_is_not_the_one_that_was_left(
    database: str, schema: str, pool: Pool
) -> None:
    appender = alone(pool)
    with pool.connection() as connection:
        appender.append(connection, [Append([event("before", "a")])])
    with psycopg.connect(database, options=f"-c search_path={schema}") as owner:
        owner.execute("UPDATE head SET recorded_at = recorded_at + interval '1 hour'")
    with pool.connection() as connection:
        appender.append(connection, [Append([event("after")])])
        rows = connection.execute("SELECT recorded_at FROM events ORDER BY position").fetchall()
    assert rows == [(now(),), (now() + timedelta(hours=1),)]


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 3 * PART + 5])
def test_an_append_in_parts_is_one_append(pool: Pool, group: Group, size: int) -> None:
    (appended,) = group(Append([event(f"{n}", f"t:{n % 7}") for n in range(size)], once=once()))
    assert appended == Appended(1, size)
    assert stored(pool) == [(n + 1, f"{n}") for n in range(size)]
    (again,) = group(Append([event("again")], once=once()))
    assert isinstance(again, AlreadyAppended)
    assert (again.first_position, again.last_position) == (1, size)
    with pool.connection() as database:
        assert database.execute("SELECT count(*), count(DISTINCT position) FROM tags").fetchone() == (size, size)
        assert database.execute("SELECT count(DISTINCT xmin::text) FROM events").fetchone() == (1,)


def test_an_append_in_parts_is_refused_whole(pool: Pool, together: Together) -> None:
    together(Append([event("X", "a")]))
    assert together(Append([event("new")] * (2 * PART), unless(([], ["a"])))) == ["IntegrityError"]
    assert stored(pool) == [(1, "X")]
    assert together(Append([event("next")])) == [2]


# Groups under way


@pytest.fixture
def line(pool: Pool) -> Iterator[Line]:
    with pool.connection() as database:
        made = Line(database)
        yield made
        made.leave()


def sent(appender: Appender, line: Line, *groups: Sequence[Append]) -> list[Sent]:
    """Groups under way, each sent behind the one before it."""
    under_way: list[Sent] = []
    for group in groups:
        made = appender.send(line, group, under_way[-1] if under_way else None)
        assert made is not None
        under_way.append(made)
    return under_way


def came(appender: Appender, line: Line, under_way: Sequence[Sent]) -> list[list[object] | None]:
    """What came of each group: its members' positions, None where it was not written."""
    received = [appender.receive(line, each) for each in under_way]
    return [None if results is None else outcomes(results) for results in received]


def test_a_group_is_sent_behind_one_that_is_under_way(pool: Pool, line: Line) -> None:
    appender = alone(pool)
    first = [Append([event("X", "a")]), Append([event("Y")])]
    under_way = sent(appender, line, first, [Append([event("Z")], unless(([], ["b"])), once())])
    assert came(appender, line, under_way) == [[1, 2], [3]]
    assert stored(pool) == [(1, "X"), (2, "Y"), (3, "Z")]
    assert outcomes(appender.append(line.database, [Append([event("last")])])) == [4]


@pytest.mark.parametrize(
    "refused",
    [
        Append([event("no")], unless(([], ["a"]))),
        Append([event("no")], unless((["X"], []))),
        Append([event("no")], once=once()),
    ],
    ids=["its tag", "its type", "its key"],
)
def test_what_a_group_under_way_appends_is_seen_by_the_next(pool: Pool, line: Line, refused: Append) -> None:
    appender = alone(pool)
    behind = [refused, Append([event("Y")])]
    under_way = sent(appender, line, [Append([event("X", "a")], once=once())], behind, [Append([event("Z")])])
    assert came(appender, line, under_way) == [[1], None, None]
    assert stored(pool) == [(1, "X")]
    name, position = outcomes(appender.append(line.database, behind))
    assert name == ("AlreadyAppended" if refused.once else "IntegrityError")
    assert position == 2


def test_groups_behind_one_that_another_process_has_overtaken_are_not_written(pool: Pool, line: Line) -> None:
    appender, other = alone(pool), Appender(bare, lambda: now() + timedelta(hours=1), None)
    with pool.connection() as database:
        other.append(database, [Append([event("theirs")])])
    under_way = sent(appender, line, [Append([event("X")])], [Append([event("Y")])])
    assert came(appender, line, under_way) == [None, None]
    assert outcomes(appender.append(line.database, [Append([event("X")])])) == [2]
    assert appender.send(line, [Append([event("Y")])], None) is None, "who is not alone takes its turn"
    assert stored(pool) == [(1, "theirs"), (2, "X")]


def test_a_group_goes_on_with_no_other_tree_than_its_own_even_at_the_same_position_and_instant(
    pool: Pool, line: Line
) -> None:
    appender, other = (Appender(bare, now, LedgerTree(SIGNER)) for _ in range(2))
    for _ in range(2):
        assert appender.append(line.database, [Append([event("before")])])
    # It comes to the position, and has the instant, that the group is to leave the head at.
    with pool.connection() as database:
        other.append(database, [Append([event("theirs")])])
    under_way = sent(appender, line, [Append([event("X")])], [Append([event("Y")])])
    assert came(appender, line, under_way) == [None, None]
    assert outcomes(appender.append(line.database, [Append([event("last")])])) == [4]
    assert [type_ for _, type_ in stored(pool)] == ["before", "before", "theirs", "last"]
    check(pool)


@pytest.mark.parametrize("what", ["of more events than one statement writes", "that destroys a key"])
def test_what_is_more_than_a_statement_is_not_sent(pool: Pool, line: Line, what: str) -> None:
    appender = alone(pool)
    append = Append([event()] * (PART + 1)) if "events" in what else Append([event()], destroys="nobody")
    assert appender.send(line, [append], None) is None
    assert outcomes(appender.append(line.database, [append])) == [len(append.events)]
