"""Columns as parameters: whatever goes in comes out of an `unnest` as it was."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.migrations import Pool
from ledger.rows import FEW, Bytes, Dates, Flags, Integers, Packed, Texts, columns

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
ROWS = st.lists(
    st.tuples(
        TEXT,
        st.integers(-(2**63), 2**63 - 1),
        st.dates(),
        st.binary(),
        TEXT | st.none(),
        st.booleans(),
        st.dates() | st.none(),
    )
)


@given(ROWS.filter(bool))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_rows_come_back_as_they_went_in(pool: Pool, rows: list[tuple[Any, ...]]) -> None:
    with pool.connection() as database:
        found = database.execute(
            "SELECT * FROM unnest(%s::text[], %s::bigint[], %s::date[], %s::bytea[], %s::text[], %s::boolean[], %s::date[])",
            columns(rows),
        ).fetchall()
    assert found == rows


@pytest.mark.parametrize("empty", [kind.packed([]) for kind in (Bytes, Texts, Integers, Dates, Flags)])
def test_an_array_may_be_empty(pool: Pool, empty: Packed) -> None:
    with pool.connection() as database:
        row = database.execute("SELECT cardinality(%s)", [empty]).fetchone()
    assert row == (0,)


def test_columns_of_plain_values_are_packed_and_others_left_to_the_library() -> None:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    packed = columns(
        [("a", 1, date.max, b"x", None, True, moment, None), ("b", 2, date.min, b"", "c", False, moment, None)]
    )
    assert [type(column) for column in packed] == [Texts, Integers, Dates, Bytes, Texts, Flags, list, list]


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        Texts.packed(["\ud800"])


@pytest.mark.parametrize("count", [FEW, FEW + 1, 5_000])
def test_many_numbers_come_back_as_they_went_in(pool: Pool, count: int) -> None:
    rows = [(number * 3**32 - 2**62, date.fromordinal(1 + number * 600), f"{number}" * 30) for number in range(count)]
    with pool.connection() as database:
        statement = "SELECT * FROM unnest(%s::bigint[], %s::date[], %s::text[])"
        assert database.execute(statement, columns(rows)).fetchall() == rows
