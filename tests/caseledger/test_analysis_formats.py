"""Exports for analysis by the command line: what they say, and what ends them."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
import r4pm
from r4pm import bindings

from caseledger.analysis_formats import _as_a_file
from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from commanding import Ran
from given import A, B, registered
from ledger.imports import IMPORTER

ADOPTED = 4


@pytest.fixture
def recorded(placed: Ran, settings: Settings) -> Ran:
    """The command line on a ledger with two enterprises, which no read model knows yet."""
    with open_system(settings) as system:
        facts = [registered("2020-01-01"), registered("2020-01-01", uscc=B)]
        assert system.ledger.record(IMPORTER, "1", facts).refusals == ()
    return placed


def parked(system: System, uscc: str, position: int) -> None:
    system.runner.catch_up(position - 1)
    with system.pool.connection() as database:
        database.execute(
            "INSERT INTO parked (projection, uscc, position, event_type, fault) VALUES ('credit_changes', %s, %s, 'x', 'x')",
            [uscc, position],
        )


def test_both_files_of_a_log_are_summed_up_alike_and_read_by_r4pm(recorded: Ran, tmp_path: Path) -> None:
    found = [recorded.json("export", "--format", f"ocel-{each}", "--out", f"log.{each}") for each in ("sqlite", "json")]
    figures = {"events": 6, "objects": 6, "eventObjectRelations": 6, "objectObjectRelations": 0, "voided": 0}
    for each in found:
        assert {name: each[name] for name in figures} == figures
        assert "parked" not in each
        read = r4pm.import_item("OCEL", str(tmp_path / each["out"]))
        assert (bindings.num_events(read), bindings.num_objects(read)) == (6, 6)


def test_the_credit_statuses_of_what_was_just_recorded_are_in_it(recorded: Ran, tmp_path: Path) -> None:
    assert recorded.json("export", "--format", "parquet", "--out", "out")["creditSpans"] == 4
    rows = duckdb.execute(f"SELECT DISTINCT status FROM '{tmp_path}/out/credit_timelines/*/*.parquet'").fetchall()
    assert sorted(rows) == [("GOOD",), ("UNKNOWN",)]
    assert duckdb.execute(f"SELECT count(*) FROM '{tmp_path}/out/events/*/*.parquet'").fetchall() == [(6,)]


@pytest.mark.parametrize("name", ["ocel-sqlite", "ocel-json", "parquet"])
def test_an_enterprise_that_stands_still_is_left_without_status_and_named(
    recorded: Ran, settings: Settings, name: str
) -> None:
    with open_system(settings) as system:
        parked(system, A, 5)
    found = recorded.json("export", "--format", name, "--out", "out")
    assert (found["withoutCreditStatus"], found["parked"]) == (1, [A])
    assert recorded("export", "--format", name, "--out", "again") == 0
    assert "1 without credit status" in recorded.err


def test_a_read_model_that_is_behind_is_said_and_nothing_is_written(
    recorded: Ran, settings: Settings, tmp_path: Path
) -> None:
    with open_system(settings) as system:
        system.runner.catch_up()
        with system.pool.connection() as database:
            database.execute(
                "UPDATE projections SET position = 5, stopped_at = 6, event_type = 'x', fault = 'x'"
                " WHERE name = 'credit_changes'"
            )
    assert recorded("export", "--format", "parquet", "--out", "out") == 2
    assert recorded.err == (
        "The read model credit_changes stands at 5, and the entries go up to 6: see with `caseledger status` why, or give "
        "--upto 5.\n"
    )
    assert not (tmp_path / "out").exists()
    assert recorded("export", "--format", "parquet", "--out", "out", "--upto", "5") == 0


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The system refuses to let files of this process grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["ocel-sqlite", "ocel-json", "parquet"])
def test_a_file_that_may_not_grow_is_taken_away(recorded: Ran, tmp_path: Path, name: str) -> None:
    assert recorded("export", "--format", name, "--out", "before") == 0
    with files_up_to(1_500):
        assert recorded("export", "--format", name, "--out", "out") == 2
    assert recorded.err.startswith("out cannot be written (")
    assert recorded.err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_FULL, "No space left on device"),
        (sqlite3.SQLITE_IOERR_WRITE, "Input/output error"),
        (sqlite3.SQLITE_READONLY, "Read-only file system"),
    ],
)
def test_a_fault_of_the_database_that_is_written_is_one_of_the_disk(code: int, said: str) -> None:
    fault = sqlite3.OperationalError("disk I/O error")
    fault.sqlite_errorcode = code
    with pytest.raises(OSError, match=said), _as_a_file():
        raise fault
