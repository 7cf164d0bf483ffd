"""PostgreSQL that dies under a server is started again, and not for ever. `test_mixed` kills a real one."""

from itertools import pairwise
from pathlib import Path
from typing import Final, cast

import pytest
from structlog.testing import capture_logs

from caseledger.postgres import CarriedPostgres, PostgresError
from caseledger.revival import FIRST_PAUSE, LONGEST_PAUSE, MOST_TRIES, STEADY_SECONDS, Revival, reviving

LOG: Final = Path("postgres.log")


class Mortal:
    """A PostgreSQL that is started by `revive`, or is not."""

    def __init__(self, pid: int | None, starts: bool = True, fault: Exception | None = None) -> None:
        self.pid = pid
        self.log = LOG
        self.tries = 0
        self._starts = starts
        self._fault = fault

    def revive(self) -> None:
        self.tries += 1
        if self._fault:
            raise self._fault
        self.pid = 2 if self._starts else None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def revival_of(postgres: Mortal) -> tuple[Revival, Clock]:
    clock = Clock()
    return Revival(cast(CarriedPostgres, postgres), clock), clock


def test_one_that_runs_is_left_alone_and_one_that_has_ended_is_started() -> None:
    postgres = Mortal(1)
    revival, _ = revival_of(postgres)
    revival.look()
    assert postgres.tries == 0
    postgres = Mortal(None)
    revival, _ = revival_of(postgres)
    revival.look()
    assert (postgres.tries, postgres.pid) == (1, 2)


def test_one_that_does_not_stay_is_started_ever_more_seldom_and_then_left_alone() -> None:
    postgres = Mortal(None, starts=False)
    revival, clock = revival_of(postgres)
    started: list[float] = []
    with capture_logs() as logs:
        while clock.now < 1_000:
            before = postgres.tries
            revival.look()
            started += [clock.now] * (postgres.tries - before)
            clock.now += 0.25
    pauses = [after - before for before, after in pairwise(started)]
    assert pauses == [min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(MOST_TRIES - 1)]
    assert [row["event"] for row in logs if row["log_level"] == "error"] == [
        "PostgreSQL is left alone if it ends once more; see its log"
    ]


def test_one_that_stayed_for_a_while_is_started_as_readily_as_the_first_time() -> None:
    postgres = Mortal(None)
    revival, clock = revival_of(postgres)
    for _ in range(3 * MOST_TRIES):
        revival.look()
        clock.now += STEADY_SECONDS
        revival.look()
        postgres.pid = None
    assert postgres.tries == 3 * MOST_TRIES


@pytest.mark.parametrize(
    ("fault", "why"),
    [(PostgresError("See the log."), "See the log."), (PermissionError(13, "secret"), "PermissionError")],
)
def test_why_it_cannot_be_started_is_logged_and_it_is_tried_again(fault: Exception, why: str) -> None:
    postgres = Mortal(None, fault=fault)
    revival, clock = revival_of(postgres)
    with capture_logs() as logs:
        revival.look()
        clock.now += FIRST_PAUSE
        revival.look()
    assert postgres.tries == 2
    assert [row["why"] for row in logs if row["log_level"] == "error"] == [why, why]


def test_without_a_home_nothing_is_watched() -> None:
    with reviving(None):
        pass
