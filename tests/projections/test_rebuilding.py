"""Rebuilding beside: the old ones serve until the new ones, at the same position, take their place at once."""

import threading
from collections.abc import Callable, Sequence

import psycopg
import pytest
from psycopg import sql

from chance import Chance
from domain.events import EnterpriseRenamed
from domain.recorded import Recorded
from drawing import draw, licensees
from given import registered, renamed
from ledger.streams import Streams
from projecting import A_ROW_IN_EVERY_TABLE
from projections.all import all_projections
from projections.history import History
from projections.parking import Parking
from projections.projection import Database, Projection
from projections.rebuilding import CannotRebuild, Difference, _Rebuild, rebuild
from projections.runner import Runner
from projections.tables import TABLES
from running import READ_MODELS, System, code


class Shifted(History):
    """A history that calls renamings something else."""

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        super().apply(database, batch)
        database.execute("UPDATE history SET type = 'Changed' WHERE type = 'EnterpriseRenamed'")


class Poisoned(History):
    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        if any(isinstance(event.event, EnterpriseRenamed) for event in batch):
            raise LookupError
        super().apply(database, batch)


def with_history(history: Projection) -> Callable[[Streams], list[Projection]]:
    def build(streams: Streams) -> list[Projection]:
        return [history, *(each for each in all_projections(streams) if each.name != "history")]

    return build


def schemas(database: str, system: System) -> list[str]:
    with psycopg.connect(database) as owner:
        rows = owner.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", [f"{system.schema}%"]).fetchall()
    return [name for (name,) in rows]


def objects(database: str, system: System) -> list[tuple[object, ...]]:
    """Every table, index and constraint of the ledger, as the database describes it, with who may do what."""
    with psycopg.connect(database, options=f"-c search_path={system.schema}") as owner:
        return owner.execute(
            "SELECT relname, relkind, pg_get_userbyid(relowner), relacl::text,"
            " CASE WHEN relkind = 'i' THEN pg_get_indexdef(oid) END,"
            " (SELECT array_agg(conname || pg_get_constraintdef(c.oid) ORDER BY conname) FROM pg_constraint c"
            "  WHERE conrelid = pg_class.oid),"
            " (SELECT array_agg(attname || ' ' || atttypid::regtype || concat(attidentity, attnotnull, attcollation)"
            "  ORDER BY attnum) FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0)"
            " FROM pg_class WHERE relnamespace = %s::regnamespace ORDER BY relname",
            [system.schema],
        ).fetchall()


def test_every_table_of_a_read_model_is_rebuilt() -> None:
    assert sorted(table for tables in TABLES.values() for table in tables) == sorted(READ_MODELS)


def test_a_rebuild_under_writes_equals_what_serves_and_goes_on(system: System, database: str) -> None:
    system.record(*A_ROW_IN_EVERY_TABLE)
    Chance(system, 3).happen(60)
    system.record(*licensees([500]))
    draw(system, count=1)
    system.settle()
    before = objects(database, system)
    done = threading.Event()

    def write() -> None:
        n = 0
        while not done.is_set():
            system.record(registered(uscc=code(n, "310000")))
            n += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        made = rebuild(system.pool, all_projections)
    finally:
        done.set()
        writing.join()
    assert (made.swapped, made.differing, made.parked) == (True, (), ())
    system.known(renamed())
    live = system.tables()
    assert all(live.values())
    assert objects(database, system) == before
    assert schemas(database, system) == [system.schema]
    system.runner.stop()
    system.forget()
    Runner(system.pool, system.recorder, all_projections(Streams(system.recorder))).catch_up()
    assert system.tables() == live


def test_a_changed_projection_reports_exactly_the_enterprises_that_differ(system: System) -> None:
    system.known(*(registered(uscc=code(n)) for n in range(6)), renamed(uscc=code(2)), renamed(uscc=code(4)))
    expected = (Difference(code(2), ("history",)), Difference(code(4), ("history",)))

    before = system.tables()
    tried = rebuild(system.pool, with_history(Shifted()), ["history"], dry_run=True)
    assert (tried.projections, tried.differing, tried.swapped) == (("history",), expected, False)
    assert tried.position == system.head
    assert system.tables() == before

    assert rebuild(system.pool, with_history(Shifted()), ["history"]).differing == expected
    assert [row["uscc"] for (row,) in system.tables()["history"] if row["type"] == "Changed"] == [code(2), code(4)]
    assert {name: rows for name, rows in system.tables().items() if rows != before[name]}.keys() == {"history"}


@pytest.fixture
def poisoned(still: System) -> System:
    """A system with an enterprise that is parked."""
    still.record(registered(uscc=code(1)), registered(uscc=code(2)))
    still.record(renamed(uscc=code(2)))
    Runner(still.pool, still.recorder, with_history(Poisoned())(Streams(still.recorder))).catch_up()
    assert [each.uscc for each in Parking(still.pool).parked()] == [code(2)]
    return still


def test_a_rebuild_after_the_fix_ends_the_parking(poisoned: System) -> None:
    made = rebuild(poisoned.pool, all_projections)
    assert made.differing == (Difference(code(2), ("history",)),)
    assert Parking(poisoned.pool).parked() == []
    assert len(poisoned.tables()["history"]) == poisoned.head


def test_a_rebuild_without_a_fix_keeps_the_parking_and_what_was_answered_before(poisoned: System) -> None:
    before = poisoned.tables()
    made = rebuild(poisoned.pool, with_history(Poisoned()))
    assert (made.differing, [each.uscc for each in made.parked]) == ((), [code(2)])
    assert [each.uscc for each in Parking(poisoned.pool).parked()] == [code(2)]
    assert poisoned.tables() == before


def test_a_rebuild_that_knows_less_than_what_serves_does_not_take_its_place(system: System) -> None:
    system.known(registered(uscc=code(2)))
    system.known(renamed(uscc=code(2)))
    before = system.tables()
    with pytest.raises(CannotRebuild, match=r"1 enterprises .* would be parked.*EnterpriseRenamed"):
        rebuild(system.pool, with_history(Poisoned()))
    assert system.tables() == before
    assert Parking(system.pool).parked() == []


def test_what_is_parked_by_an_event_of_the_last_moment_is_not_swapped_in(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(registered(uscc=code(2)))
    compare = _Rebuild.compare

    def compared(work: _Rebuild) -> tuple[int, tuple[Difference, ...]]:
        found = compare(work)
        system.known(renamed(uscc=code(2)))
        return found

    monkeypatch.setattr(_Rebuild, "compare", compared)
    with pytest.raises(CannotRebuild, match=r"1 enterprises .* would be parked.*EnterpriseRenamed"):
        rebuild(system.pool, with_history(Poisoned()))
    assert len(system.tables()["history"]) == system.head
    assert Parking(system.pool).parked() == []


def test_a_rebuild_comes_to_its_end_though_something_is_recorded_whenever_it_looks(system: System) -> None:
    looks: list[int] = []

    def record(reached: int, _: int) -> None:
        assert len(looks) < 10
        looks.append(reached)
        system.known(registered(uscc=code(len(looks))))

    made = rebuild(system.pool, all_projections, progress=record)
    assert (made.swapped, made.differing, made.position) == (True, (), system.head)
    assert len(system.tables()["history"]) == system.head


class Crash(BaseException):
    """The end of a process, as far as one can be had in a test."""


def test_a_rebuild_that_ended_in_the_middle_leaves_what_serves_and_the_next_begins_anew(
    system: System, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(*(registered(uscc=code(n)) for n in range(5)))
    before = system.tables()
    beside = f"{system.schema}_rebuild"

    def crash(*_: int) -> None:
        # Its connection is ended as that of a killed process is: nothing is tidied up.
        with psycopg.connect(database, autocommit=True) as owner:
            ended = owner.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND (classid::bigint << 32) + objid::bigint"
                " = hashtextextended('caseledger rebuild ' || %s, 0)",
                [system.schema],
            ).fetchall()
        assert ended == [(True,)]
        raise Crash

    with pytest.raises((Crash, psycopg.OperationalError)):
        rebuild(system.pool, all_projections, progress=crash)
    system.known(registered(uscc=code(9)))
    assert len(system.tables()["history"]) == len(before["history"]) + 1
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(beside)))
        owner.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} (left_over int)").format(sql.Identifier(beside, "history"))
        )
    assert rebuild(system.pool, all_projections).differing == ()
    assert schemas(database, system) == [system.schema]


def test_one_rebuild_at_a_time(system: System) -> None:
    system.known(registered())

    def second(*_: int) -> None:
        with pytest.raises(CannotRebuild, match="Another rebuild"):
            rebuild(system.pool, all_projections)

    assert rebuild(system.pool, all_projections, progress=second).swapped


def test_only_what_is_a_projection_is_rebuilt(system: System) -> None:
    with pytest.raises(CannotRebuild, match="There is no projection nothing; there are history, register"):
        rebuild(system.pool, all_projections, ["nothing"])
