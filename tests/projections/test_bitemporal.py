"""Rows that hold for a span of dates and a span of knowledge."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from given import d
from projecting import SIZES, Kept, connected, holding, kept
from projections.bitemporal import FOREVER, BitemporalTable, Change, Row, changes, spans
from projections.projection import Database

TABLE = BitemporalTable("live_accesses", (("position", "bigint"),))
LISTINGS = BitemporalTable(
    "listings",
    (
        ("position", "bigint"), ("entry_id", "text"), ("list", "text"), ("name", "text"),
        ("authority", "text"), ("ground", "text"), ("removed_on", "date"),
    ),
)  # fmt: skip
"""A table with a column that may be null."""
FIRST, SECOND, THIRD = d("2020-01-01"), d("2020-02-01"), d("2020-03-01")


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Database]:
    with connected(database) as connection:
        yield connection


# The spans of a step function


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], []),
        ([(FIRST, None)], []),
        ([(FIRST, (1,))], [(FIRST, date.max, 1)]),
        ([(FIRST, (1,)), (SECOND, None)], [(FIRST, SECOND, 1)]),
        ([(FIRST, None), (SECOND, (1,))], [(SECOND, date.max, 1)]),
        ([(FIRST, (1,)), (SECOND, (2,))], [(FIRST, SECOND, 1), (SECOND, date.max, 2)]),
        ([(FIRST, (1,)), (SECOND, (1,)), (THIRD, None)], [(FIRST, THIRD, 1)]),
        ([(FIRST, (1,)), (SECOND, None), (THIRD, (1,))], [(FIRST, SECOND, 1), (THIRD, date.max, 1)]),
        ([(FIRST, (1, None)), (SECOND, (1, SECOND))], [(FIRST, SECOND, 1, None), (SECOND, date.max, 1, SECOND)]),
    ],
)
def test_each_step_holds_until_the_next_that_says_something_else(
    steps: list[tuple[date, Row | None]], expected: list[Row]
) -> None:
    assert list(spans(steps)) == expected


steps_of_days = st.lists(
    st.tuples(st.integers(0, 30), st.one_of(st.none(), st.tuples(st.integers(0, 2)))),
    max_size=8,
    unique_by=lambda step: step[0],
).map(lambda steps: [(FIRST + timedelta(days=day), row) for day, row in sorted(steps, key=lambda step: step[0])])


@given(steps_of_days)
def test_the_spans_say_on_every_day_what_the_steps_say(steps: list[tuple[date, Row | None]]) -> None:
    found = list(spans(steps))
    for n in range(-1, 32):
        day = FIRST + timedelta(days=n)
        told = [row for begins, row in steps if begins <= day]
        assert [own for begins, ends, *own in found if begins <= day < ends] == [
            list(row) for row in told[-1:] if row is not None
        ]
    assert all(begins < ends for begins, ends, *_ in found)


def test_a_subject_changes_at_each_position_that_touches_it() -> None:
    asked: list[tuple[str, int]] = []

    def rows(subject: str, position: int) -> list[Row]:
        asked.append((subject, position))
        return [(FIRST, date.max, position)]

    found = list(changes({"a": [2, 5], "b": [3]}, rows))
    assert asked == [("a", 2), ("a", 5), ("b", 3)]
    assert found == [Change(s, p, frozenset({(FIRST, date.max, p)})) for s, p in asked]


# What a table keeps


def changing(subject: str, position: int, *numbers: int) -> Change:
    return Change(subject, position, frozenset((FIRST, date.max, number) for number in numbers))


def written(connection: Database, *batches: Sequence[Change], table: BitemporalTable = TABLE) -> set[Kept]:
    connection.rollback()
    for batch in batches:
        table.apply(connection, batch)
    return kept(connection, table)


def test_a_row_is_kept_from_what_made_it_true_to_what_made_it_false(connection: Database) -> None:
    assert written(connection, [changing("a", 3, 1)], [changing("a", 5, 2)], [changing("a", 9)]) == {
        ("a", 3, 5, FIRST, date.max, 1),
        ("a", 5, 9, FIRST, date.max, 2),
    }


def test_what_stays_as_it_is_keeps_its_row(connection: Database) -> None:
    rows = written(connection, [changing("a", 3, 1, 2)], [changing("a", 5, 2)], [changing("a", 6, 2)])
    assert rows == {("a", 3, 5, FIRST, date.max, 1), ("a", 3, FOREVER, FIRST, date.max, 2)}


def test_what_was_false_meanwhile_has_a_row_for_each_time(connection: Database) -> None:
    expected = {("a", 3, 5, FIRST, date.max, 1), ("a", 7, FOREVER, FIRST, date.max, 1)}
    steps = [changing("a", 3, 1), changing("a", 5), changing("a", 7, 1)]
    assert written(connection, steps) == written(connection, *([step] for step in steps)) == expected


def test_subjects_do_not_touch_each_other(connection: Database) -> None:
    rows = written(connection, [changing("a", 3, 1), changing("b", 4, 1)], [changing("a", 5)])
    assert rows == {("a", 3, 5, FIRST, date.max, 1), ("b", 4, FOREVER, FIRST, date.max, 1)}


def test_a_row_with_a_column_that_is_null_is_the_same_row_when_it_is_read_again(connection: Database) -> None:
    row = (FIRST, date.max, 1, "E-1", "ADVERSE", "甲", "MIIT", "OTHER", None)
    removed = (*row[:-1], SECOND)
    batches = [[Change("a", 3, frozenset({row}))], [Change("a", 4, frozenset({row}))]]
    assert written(connection, *batches, table=LISTINGS) == {("a", 3, FOREVER, *row)}
    batches.append([Change("a", 6, frozenset({removed}))])
    assert written(connection, *batches, table=LISTINGS) == {("a", 3, 6, *row), ("a", 6, FOREVER, *removed)}


def test_no_changes_write_nothing(connection: Database) -> None:
    assert written(connection, [], [changing("a", 3)]) == set()


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes of a few subjects in position order; rows come, go and come again."""
    begins = st.integers(0, 3).map(lambda n: FIRST + timedelta(days=n))
    ends = st.sampled_from((SECOND, THIRD, date.max))
    rows = st.frozensets(st.tuples(begins, ends, st.integers(1, 2)), max_size=3)
    subjects = draw(st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=12))
    return [Change(subject, 2 * place, draw(rows)) for place, subject in enumerate(subjects, 1)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_the_rows_at_any_point_are_those_of_the_last_change_and_no_batch_size_matters(
    connection: Database, history: list[Change]
) -> None:
    found = [
        written(connection, *(history[start : start + size] for start in range(0, len(history), size)))
        for size in SIZES
    ]
    assert found[0] == found[1] == found[2]
    for at in range(2 * len(history) + 2):
        last = {change.subject: change.rows for change in history if change.position <= at}
        for n in (-1, 0, 1, 2, 3, 31, 60, 10_000):
            on = FIRST + timedelta(days=n)
            expected = {(s, own) for s, rows in last.items() for begins, to, own in rows if begins <= on < to}
            assert set(holding(found[0], on, at)) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_no_row_ends_where_the_same_row_begins_again(connection: Database, history: list[Change]) -> None:
    rows = written(connection, history)
    begun = {(subject, known_from, *own) for subject, known_from, _, *own in rows}
    assert not [row for subject, _, known_to, *own in rows if (row := (subject, known_to, *own)) in begun]
    assert all(known_from < known_to for _, known_from, known_to, *_ in rows)


def test_a_change_of_some_parts_leaves_the_others_as_they_are(connection: Database) -> None:
    table = BitemporalTable("live_accesses", (("position", "bigint"),), part="position")
    of_one = Change("a", 5, frozenset({(SECOND, date.max, 1)}), parts=(1,))
    of_none = Change("a", 6, frozenset(), parts=(3,))
    expected = {
        ("a", 3, 5, FIRST, date.max, 1),
        ("a", 3, FOREVER, FIRST, date.max, 2),
        ("a", 5, FOREVER, SECOND, date.max, 1),
    }
    changes_of_a = [changing("a", 3, 1, 2), of_one, of_none]
    assert written(connection, changes_of_a, table=table) == expected
    assert written(connection, *([each] for each in changes_of_a), table=table) == expected
