"""/readyz: what a process needs, each named with what is wrong, in a bounded time."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import psycopg
import pytest

from api.readiness import LOOK_SECONDS
from caseledger.postgres import CarriedPostgres
from given import registered
from ledger.migrations import migrate
from running import ADOPTED, MIGRATIONS, System, running, wait_until

LACKING: Final = "keys_0002"


def looked(system: System) -> httpx.Response:
    return system.http.get("/readyz")


def checks(answer: httpx.Response) -> dict[str, Any]:
    """What is wrong, by its name."""
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["ready"] is False
    return {name: found["why"] for name, found in answer.json()["checks"].items() if not found["ok"]}


def owner_of(system: System) -> psycopg.Connection:
    conninfo = psycopg.conninfo.make_conninfo(str(system.pool.conninfo), options=f"-c search_path={system.schema}")
    return psycopg.connect(conninfo, autocommit=True)


def test_a_process_that_is_ready_says_how_far_each_part_is(shared: System) -> None:
    answer = looked(shared)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    found = answer.json()
    assert (found["ready"], found["head"], found["known"]) == (True, ADOPTED, ADOPTED)
    assert {name: each["ok"] for name, each in found["checks"].items()} == dict.fromkeys(
        ("database", "migrations", "projections"), True
    )
    assert set(found["checks"]["projections"]["lag"].values()) == {0}


def test_a_read_model_that_is_too_far_behind_is_named(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.known(registered())
    system.runner.stop()
    with owner_of(system) as owner:
        owner.execute("UPDATE projections SET position = position - 3 WHERE name = 'history'")
    answer = looked(system)
    assert answer.status_code == 200
    assert (answer.json()["known"], answer.json()["checks"]["projections"]["lag"]["history"]) == (system.head - 3, 3)
    monkeypatch.setattr(system.readiness, "_most_lag", 2)
    assert checks(looked(system)) == {"projections": "More than 2 events behind: history."}
    # One that an event stopped is behind in every process, so none is less ready for it.
    with owner_of(system) as owner:
        owner.execute("UPDATE projections SET stopped_at = 1 WHERE name = 'history'")
    assert looked(system).json()["ready"] is True


def test_migrations_that_are_missing_or_of_a_program_that_does_not_go_with_it_are_named(system: System) -> None:
    with owner_of(system) as owner:
        owner.execute("DELETE FROM migrations WHERE name = %s", [LACKING])
        assert checks(looked(system)) == {
            "migrations": f"The database lacks {LACKING}: start the program anew, which migrates it."
        }
        owner.execute("INSERT INTO migrations VALUES (%s, ''), ('newer', '')", [LACKING])
        assert checks(looked(system))["migrations"].endswith(
            "It was migrated by a newer program, beside which no older one may run: run that one or a later."
        )
        owner.execute("UPDATE migrations SET compatible_from = %s WHERE name = 'newer'", [len(MIGRATIONS)])
        assert looked(system).status_code == 200


@contextmanager
def standing_still(postgres: CarriedPostgres) -> Iterator[None]:
    """PostgreSQL takes connections and answers nothing."""
    children = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children").read_text().split()
    stopped = [int(each) for each in children] + [postgres.pid or 0]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_a_database_that_is_away_or_does_not_answer_is_told_within_seconds_and_so_is_its_return(
    own_postgres: CarriedPostgres,
) -> None:
    migrate(own_postgres.conninfo, "ready", MIGRATIONS)
    with running(own_postgres.conninfo, "ready") as system:
        assert looked(system).status_code == 200
        with standing_still(own_postgres):
            for _ in range(2):
                began = monotonic()
                assert checks(looked(system)) == {"database": "The database does not answer within 2 seconds."}
                assert monotonic() - began < LOOK_SECONDS + 2
            assert system.http.get("/healthz").status_code == 200
        wait_until(lambda: looked(system).status_code == 200)
        own_postgres.stop()
        assert checks(looked(system)) == {
            "database": "The database cannot be reached: see that it runs and takes connections."
        }
        assert metric(system, "caseledger_database_up") == 0
        own_postgres.start()
        wait_until(lambda: looked(system).status_code == 200)
        assert metric(system, "caseledger_database_up") == 1


def metric(system: System, name: str) -> float:
    lines = system.http.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def test_a_process_that_is_about_to_stop_is_not_ready(system: System) -> None:
    system.streams.end()
    assert checks(looked(system)) == {"process": "The process is about to stop."}
