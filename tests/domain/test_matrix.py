from pathlib import Path

import pytest

from domain.callers import Caller, Role
from domain.matrix import EVENTS, FIELDS, GATES, Reach, Row
from domain.matrix_doc import ROLES, matrix_page

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
ROW = Row(Reach.ALL, Reach.OWN, Reach.NONE, Reach.NONE, Reach.NONE)


def test_the_page_is_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == matrix_page()


def test_the_page_names_everything_that_has_a_row() -> None:
    page = matrix_page()
    assert all(owner in page and name in page for owner, _, name in (named.partition(".") for named in FIELDS))
    assert all(page.count(name) >= 2 for name in [*EVENTS, *GATES])


def test_a_row_has_a_column_for_each_role() -> None:
    assert {role.value for role in Role} == set(ROLES) == set(Row._fields) - {"scope"}


@pytest.mark.parametrize(("role", "reach"), [("regulator", Reach.ALL), ("auditor", Reach.OWN), ("public", Reach.NONE)])
def test_a_caller_reaches_as_far_as_its_role_and_no_further_without_the_scope(role: str, reach: Reach) -> None:
    assert Caller(Role(role)).reach(ROW) is reach
    scoped = ROW._replace(scope="s")
    assert Caller(Role(role)).reach(scoped) is Reach.NONE
    assert Caller(Role(role), scopes=frozenset("s")).reach(scoped) is reach
