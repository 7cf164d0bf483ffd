"""The history's rows: which event bears whom, from when, and what voided it."""

from datetime import date
from typing import Any

from given import A, B, complained, filed, registered, renamed, resolved, voided
from running import ADOPTED, System


def rows(system: System) -> list[tuple[Any, ...]]:
    """Position after the adopted versions, enterprise, area, type, date, and after the same the void's position."""
    statement = (
        "SELECT position - %(a)s, uscc, area, type, effective_on, voided_by - %(a)s FROM history"
        " WHERE position > %(a)s ORDER BY position"
    )
    with system.pool.connection() as database:
        return database.execute(statement, {"a": ADOPTED}).fetchall()


def test_each_event_is_a_row_with_whom_it_bears(system: System) -> None:
    system.known(
        registered(), registered("2018-01-01", uscc=B), filed(), complained("2020-01-03"), resolved("2020-01-04")
    )
    system.known(complained("2020-01-05", complaintId="C-2", displayedNumber="1"), voided(ADOPTED + 4, "2020-02-01"))
    assert rows(system) == [
        (1, A, "REGISTER", "EnterpriseRegistered", date(2017, 1, 1), None),
        (2, B, "REGISTER", "EnterpriseRegistered", date(2018, 1, 1), None),
        (3, A, "NUMBER", "NumberFiled", date(2018, 2, 1), None),
        (4, A, "COMPLAINT", "ComplaintReceived", date(2020, 1, 3), 7),
        (5, A, "COMPLAINT", "ComplaintResolved", date(2020, 1, 4), None),
        (6, None, "COMPLAINT", "ComplaintReceived", date(2020, 1, 5), None),
        (7, A, "LEDGER", "EventVoided", date(2020, 2, 1), None),
    ]


def test_a_void_in_the_same_batch_marks_the_event_that_it_voids(still: System) -> None:
    still.record(registered(), renamed(), voided(ADOPTED + 2))
    still.runner.catch_up()
    assert [(position, by) for position, *_, by in rows(still)] == [(1, None), (2, 3), (3, None)]


def test_what_the_ledger_adopts_bears_nobody(system: System) -> None:
    with system.pool.connection() as database:
        found = database.execute("SELECT DISTINCT uscc, area, type FROM history").fetchall()
    assert found == [(None, "LEDGER", "RulebookAdopted")]
