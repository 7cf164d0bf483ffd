"""The runner: a batch's rows and its position in one transaction, each event once, whoever stops or fails."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from time import monotonic

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from chance import Chance
from domain.recorded import Recorded
from drawing import draw, licensees
from given import filed, registered, renamed
from ledger.migrations import RUNTIME_ROLE, open_pool
from ledger.notices import connect
from ledger.observed import Observer
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams
from projecting import A_ROW_IN_EVERY_TABLE
from projections.all import all_projections
from projections.history import History
from projections.projection import Database, Projection
from projections.runner import Runner
from running import ADOPTED, System, at_once, code, wait_until


class Seen:
    """Keeps which events it was given, in the order in which it was given them."""

    name = "seen"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        for event in batch:
            database.execute("INSERT INTO seen (position) VALUES (%s)", [event.position])


class Faulty(Seen):
    """Fails at an event, after it wrote what came before, as often as it is told to."""

    def __init__(self, at: int, times: int = 1_000_000) -> None:
        self._at = at
        self._times = times

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        for event in batch:
            if event.position == self._at and self._times > 0:
                self._times -= 1
                raise psycopg.OperationalError("the database goes away")
            super().apply(database, [event])


class Wrong:
    """Writes to a table that is not there."""

    name = "wrong"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        database.execute("INSERT INTO nowhere (position) VALUES (1)")


@pytest.fixture
def seen(still: System, database: str) -> Iterator[System]:
    """A system that stands still, with a table for Seen."""
    with psycopg.connect(database, autocommit=True) as owner:
        table = sql.Identifier(still.schema, "seen")
        owner.execute(sql.SQL("CREATE TABLE {} (n bigserial, position bigint NOT NULL)").format(table))
        owner.execute(sql.SQL("GRANT ALL ON {} TO {}").format(table, sql.Identifier(RUNTIME_ROLE)))
        sequence = sql.Identifier(still.schema, "seen_n_seq")
        owner.execute(sql.SQL("GRANT ALL ON SEQUENCE {} TO {}").format(sequence, sql.Identifier(RUNTIME_ROLE)))
        yield still
        owner.execute(sql.SQL("DROP TABLE {}").format(table))


def runner_of(system: System, *projections: Projection) -> Runner:
    return Runner(system.pool, system.recorder, projections)


def given_to(system: System) -> list[int]:
    """The positions that Seen was given, in the order in which it was."""
    with system.pool.connection() as database:
        return [position for (position,) in database.execute("SELECT position FROM seen ORDER BY n")]


def kept(system: System) -> dict[str, int]:
    """The positions of the projections."""
    with system.pool.connection() as database:
        return dict(database.execute("SELECT name, position FROM projections").fetchall())


def test_every_event_is_applied_once_in_order(seen: System) -> None:
    seen.record(*(registered(uscc=code(n)) for n in range(20)))
    runner = runner_of(seen, Seen(), History())
    assert runner.catch_up() == seen.head == runner.position()
    assert given_to(seen) == list(range(1, seen.head + 1))
    assert runner.step() is False
    assert given_to(seen) == list(range(1, seen.head + 1))


@pytest.mark.parametrize("faulty", [Faulty(at=ADOPTED + 3), Wrong()], ids=["fails", "has no table"])
def test_rows_and_positions_move_together_or_not_at_all(seen: System, faulty: Projection) -> None:
    seen.record(*(registered(uscc=code(n)) for n in range(5)))
    before = kept(seen)
    for projections in ((History(), faulty), (faulty, History())):
        with pytest.raises(psycopg.Error):
            runner_of(seen, *projections).step()
        assert given_to(seen) == []
        assert seen.tables()["history"] == []
        assert {name: position for name, position in kept(seen).items() if position} == {}
        assert {name: kept(seen).get(name) for name in before} == before


def test_a_projection_that_failed_goes_on_where_it_stood(seen: System) -> None:
    seen.record(registered())
    runner = runner_of(seen, Faulty(at=seen.head, times=1), History())
    with pytest.raises(psycopg.OperationalError):
        runner.step()
    assert runner.catch_up() == seen.head
    assert given_to(seen) == list(range(1, seen.head + 1))
    assert len(seen.tables()["history"]) == seen.head


def test_a_running_runner_outlives_a_projection_that_fails(seen: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.runner.RETRY_SECONDS", 0.02)
    runner = runner_of(seen, Faulty(at=ADOPTED + 1, times=3))
    seen.record(registered())
    runner.start()
    try:
        assert runner.wait_for(seen.head, 10) == seen.head
    finally:
        runner.stop()
    assert given_to(seen) == list(range(1, seen.head + 1))


def test_a_running_runner_outlives_its_connections(
    seen: System, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.runner.RETRY_SECONDS", 0.02)
    with open_pool(make_conninfo(database, application_name=seen.schema), seen.schema, max_size=2) as pool:
        runner = Runner(pool, PostgresRecorder(pool), [Seen()])
        runner.start()
        try:
            runner.wait_for(seen.head, 10)
            with psycopg.connect(database, autocommit=True) as owner:
                ended = owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [seen.schema]
                )
                assert ended.fetchall()
            seen.record(registered())
            wait_until(lambda: kept(seen)["seen"] == seen.head)
        finally:
            runner.stop()
    assert given_to(seen) == list(range(1, seen.head + 1))


@pytest.fixture
def rivals(seen: System, database: str) -> Iterator[list[Runner]]:
    """Three runners that know nothing of each other, as in three processes, each with a pool of its own."""
    pools = [open_pool(database, seen.schema, max_size=4) for _ in range(3)]
    runners = []
    for pool in pools:
        recorder = PostgresRecorder(pool)
        runners.append(Runner(pool, recorder, [*all_projections(Streams(recorder)), Seen()]))
    yield runners
    for runner in runners:
        runner.stop()
    for pool in pools:
        pool.close()


def test_of_several_runners_at_once_each_event_is_applied_once(
    seen: System, rivals: list[Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.runner.BATCH", 3)
    monkeypatch.setattr("projections.runner.POLL_SECONDS", 0.005)
    for runner in rivals:
        runner.start()

    def write(writer: int) -> None:
        for n in range(25):
            seen.record(registered(uscc=code(100 * writer + n)))

    at_once([partial(write, writer) for writer in range(4)])
    for runner in rivals:
        assert runner.wait_for(seen.head, 20) == seen.head == ADOPTED + 100
        runner.stop()
    assert given_to(seen) == list(range(1, seen.head + 1))
    live = seen.tables()
    seen.forget()
    seen.runner.catch_up()
    assert seen.tables() == live


def test_another_runner_takes_over_when_one_stops(seen: System, rivals: list[Runner]) -> None:
    first, second, _ = rivals
    first.start()
    seen.record(registered())
    assert first.wait_for(seen.head, 10) == seen.head
    second.start()
    first.stop()
    seen.record(renamed())
    assert second.wait_for(seen.head, 10) == seen.head
    assert given_to(seen) == list(range(1, seen.head + 1))


def test_another_runner_takes_over_within_five_seconds_when_the_leader_s_process_is_gone(
    seen: System, rivals: list[Runner], database: str
) -> None:
    with open_pool(make_conninfo(database, application_name=seen.schema), seen.schema, max_size=2) as pool:
        leader = Runner(pool, PostgresRecorder(pool), [Seen()])
        leader.start()
        wait_until(lambda: leading(database, seen.schema) == 1)
        rivals[0].start()
        # Its process is gone for good: what it had of connections ends, and it makes no more.
        leader._stopped.set()
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [seen.schema]
            )
        began = monotonic()
        seen.record(registered())
        assert rivals[0].wait_for(seen.head, 10) == seen.head
        assert monotonic() - began < 5
        leader.stop()
    assert given_to(seen) == list(range(1, seen.head + 1))


def test_a_runner_that_stands_by_writes_nothing(seen: System, rivals: list[Runner]) -> None:
    rivals[0].start()
    seen.record(registered())
    # Who has applied something leads, and goes on leading.
    assert rivals[0].wait_for(seen.head, 10) == seen.head
    assert rivals[1].step() is False
    seen.record(renamed())
    assert rivals[1].catch_up() == seen.head
    assert given_to(seen) == list(range(1, seen.head + 1))


def leading(database: str, application: str) -> int:
    """How many sessions hold an advisory lock, of those that bear this name."""
    with psycopg.connect(database) as owner:
        row = owner.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND application_name = %s",
            [application],
        ).fetchone()
    assert row
    return int(row[0])


def test_a_runner_that_was_stopped_catches_up(seen: System) -> None:
    runner = runner_of(seen, Seen())
    runner.start()
    seen.record(registered())
    assert runner.wait_for(seen.head, 10) == seen.head
    runner.stop()
    stopped_at = seen.head
    seen.record(renamed(), filed())
    assert runner.wait_for(seen.head, 0.2) == stopped_at
    runner.start()
    assert runner.wait_for(seen.head, 10) == seen.head
    runner.stop()
    assert given_to(seen) == list(range(1, seen.head + 1))


def test_a_projection_that_comes_later_starts_at_the_beginning_and_repeats_no_other(seen: System) -> None:
    seen.record(registered())
    assert runner_of(seen, History()).catch_up() == seen.head
    seen.record(renamed())
    later = runner_of(seen, History(), Seen())
    assert later.position() == 0
    assert later.catch_up() == seen.head
    assert given_to(seen) == list(range(1, seen.head + 1))
    assert len(seen.tables()["history"]) == seen.head


def test_waiting_ends_at_once_when_the_position_is_reached_and_in_time_when_it_is_not(seen: System) -> None:
    runner = runner_of(seen, Seen())
    runner.catch_up()
    began = monotonic()
    assert runner.wait_for(seen.head, 30) == seen.head
    assert runner.wait_for(0, 30) == seen.head
    assert monotonic() - began < 5
    assert runner.wait_for(seen.head + 1, 0.1) == seen.head
    assert 0.1 <= monotonic() - began < 10


def test_what_was_appended_is_seen_at_once_by_a_runner_that_was_woken(
    seen: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.runner.POLL_SECONDS", 60)
    runner = runner_of(seen, Seen())
    runner.start()
    try:
        for n in range(30):
            seen.record(registered(uscc=code(n)))
            runner.wake()
            head = seen.head
            wait_until(lambda head=head: runner.position() == head)  # type: ignore[misc]
    finally:
        runner.stop()


class Batches(Observer):
    """Keeps how many events each batch had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def projected(self, events: int, upto: int, seconds: float) -> None:
        self.sizes.append(events)


def test_what_comes_alone_is_applied_at_once_and_what_follows_it_closely_together(
    seen: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Batches()
    runner = Runner(seen.pool, seen.recorder, [Seen()], batches)
    runner.catch_up()
    monkeypatch.setattr("projections.runner.GATHERED", 1_000_000.0)
    monkeypatch.setattr("projections.runner.GATHER_SECONDS", 1.0)
    runner.start()
    try:
        batches.sizes.clear()
        began = monotonic()
        seen.record(registered(uscc=code(0)))
        assert runner.wait_for(seen.head, 10) == seen.head
        assert monotonic() - began < 1
        for n in range(1, 6):
            seen.record(registered(uscc=code(n)))
        assert runner.wait_for(seen.head, 10) == seen.head
        assert batches.sizes == [1, 5]
    finally:
        stopped = monotonic()
        runner.stop()
    assert monotonic() - stopped < 1
    assert given_to(seen) == list(range(1, seen.head + 1))


def test_who_waits_beside_the_runner_that_leads_is_told_by_the_batch(
    seen: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = runner_of(seen, Seen())
    runner.start()
    try:
        assert runner.wait_for(seen.head, 10) == seen.head
        wait_until(lambda: runner._written == seen.head)
        # Nobody looks by himself within the time of the test.
        monkeypatch.setattr("projections.runner.POLL_SECONDS", 60)
        for n in range(3):
            began = monotonic()
            seen.record(registered(uscc=code(n)))
            assert runner.wait_for(seen.head, 30) == seen.head
            assert monotonic() - began < 5
    finally:
        runner.stop()


def test_what_another_process_appended_is_seen_without_being_woken(seen: System) -> None:
    runner = runner_of(seen, Seen())
    runner.start()
    try:
        seen.record(registered())
        wait_until(lambda: runner.position() == seen.head)
    finally:
        runner.stop()


def test_reading_ahead_goes_as_far_as_is_asked_and_no_event_is_applied_twice(still: System) -> None:
    still.record(*(registered(uscc=code(n)) for n in range(9)))
    runner = Runner(still.pool, still.recorder, all_projections(Streams(still.recorder)), batch=2)
    with closing(connect(still.pool)) as connection:
        for upto in (still.head - 4, still.head):
            runner.bring(connection, upto)
            assert len(still.tables()["history"]) == runner.position() == upto


@pytest.mark.parametrize("seed", [1, 2])
def test_batches_of_any_size_and_rebuilding_give_the_same_rows(
    system: System, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    system.record(*A_ROW_IN_EVERY_TABLE, *licensees([500]))
    draw(system, count=1)
    Chance(system, seed).happen(90)
    system.settle()
    system.runner.stop()
    live = system.tables()
    assert all(live.values()), {name: len(rows) for name, rows in live.items()}
    for size in (1, 7, 2_000):
        monkeypatch.setattr("projections.runner.BATCH", size)
        system.forget()
        rebuilt = Runner(system.pool, system.recorder, all_projections(Streams(system.recorder)))
        assert rebuilt.catch_up() == system.head
        tables = system.tables()
        assert {name for name in live if tables[name] != live[name]} == set(), f"batches of {size}"
