"""Appends that wait are committed together, and what one of them comes to is no other's business."""

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest
from eventsourcing.dcb.api import DCBEvent

from appends import event, once, outcome, queued, sequencers, stored, stuck, transactions, unless
from caseledger.postgres import CarriedPostgres
from ledger import notifier, prepared, sequencer
from ledger.appends import Append, Appended
from ledger.migrations import LEDGER_MIGRATIONS, Pool, migrate, open_pool
from ledger.recorder import PostgresRecorder
from ledger.sequencer import Pending
from running import at_once, head_held_still, wait_until

BAD = {
    "a NUL in a tag": event("bad", "with \x00 in it"),
    "a NUL in a type": event("bad \x00"),
    "half a character in a tag": event("bad", "\ud800"),
    "a tag that no index takes": event("bad", secrets.token_hex(8_192)),
    "a type that no index takes": event(secrets.token_hex(8_192)),
}
"""Events that the database, or the way there, refuses."""


# Groups


def test_appends_that_wait_are_committed_by_one_transaction(recorder: PostgresRecorder) -> None:
    with queued(recorder) as queue:
        for number in range(40):
            queue.append([event(f"{number}", f"t:{number}")], unless(([], [f"t:{number}"])))
    assert queue.came() == list(range(1, 42))
    assert stored(recorder.pool) == [(1, "first"), *((number + 2, str(number)) for number in range(40))]
    assert transactions(recorder.pool) == [1, 40]


def test_many_clients_share_commits_and_each_gets_its_own_position(recorder: PostgresRecorder) -> None:
    clients, each = 64, 10

    def write(client: int) -> list[int]:
        return [
            recorder.append([event(f"{client}-{turn}", f"t:{client}")], unless(([f"{client}-{turn}"], [f"t:{client}"])))
            for turn in range(each)
        ]

    with ThreadPoolExecutor(clients) as threads:
        given = dict(enumerate(threads.map(write, range(clients))))
    assert stored(recorder.pool) == sorted(
        (position, f"{client}-{turn}") for client, positions in given.items() for turn, position in enumerate(positions)
    )
    assert [position for position, _ in stored(recorder.pool)] == list(range(1, clients * each + 1))
    assert len(transactions(recorder.pool)) < clients * each / 4


def test_a_group_takes_no_more_appends_and_events_than_it_may(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "MOST_TOGETHER", 3)
    monkeypatch.setattr(sequencer, "MOST_EVENTS_TOGETHER", 10)
    with queued(recorder) as queue:
        for events in (1, 1, 1, 1, 6, 4, 5, 12, 1, 9):
            queue.append([event() for _ in range(events)])
    assert queue.came() == [1, 2, 3, 4, 5, 11, 15, 20, 32, 33, 42]
    assert transactions(recorder.pool) == [1, 3, 7, 9, 12, 10]


def test_two_processes_worth_of_recorders_interleave_without_gaps(database: str, schema: str) -> None:
    with open_pool(database, schema, max_size=4) as one, open_pool(database, schema, max_size=4) as other:
        recorders = [PostgresRecorder(one), PostgresRecorder(other)]

        def write(client: int) -> list[object]:
            recorder = recorders[client % 2]
            came: list[object] = []
            for turn in range(15):
                came.append(recorder.append([event(f"{client % 2}"), event(f"{client % 2}", f"c:{client}")]))
                if turn % 5 == 0:
                    came.append(outcome(lambda: recorder.append([event()], unless(([], [f"c:{client}"])))))
            return came

        with ThreadPoolExecutor(16) as threads:
            came = [result for results in threads.map(write, range(16)) for result in results]
        assert sorted(result for result in came if isinstance(result, int)) == list(range(2, 481, 2))
        assert came.count("IntegrityError") == 16 * 3
        log = stored(one)
        assert [position for position, _ in log] == list(range(1, 481))
        turns = [type_ for _, type_ in log]
        assert sum(left != right for left, right in pairwise(turns)) > 2


def test_who_comes_while_nobody_waits_commits_by_itself(recorder: PostgresRecorder) -> None:
    sealed: list[threading.Thread] = []
    sealing = PostgresRecorder(recorder.pool, seal=lambda one, at, when: _noted(sealed, one.data))
    assert [sealing.append([event()]) for _ in range(3)] == [1, 2, 3]
    assert set(sealed) == {threading.current_thread()}


def test_who_commits_by_itself_does_so_outside_of_its_deadline(recorder: PostgresRecorder) -> None:
    seen: list[str] = []
    own = ContextVar("own", default="none")

    def seal(sealed: DCBEvent, position: int, recorded_at: datetime) -> bytes:
        seen.append(own.get())
        return sealed.data

    own.set("the caller's")
    PostgresRecorder(recorder.pool, seal=seal).append([event()])
    assert seen == ["none"]


def test_who_commits_by_itself_commits_for_no_other(recorder: PostgresRecorder) -> None:
    sealed: list[threading.Thread] = []
    sealing = PostgresRecorder(recorder.pool, seal=lambda one, at, when: _noted(sealed, one.data))
    with queued(sealing) as queue:
        for _ in range(5):
            queue.append([event()])
    assert queue.came() == [1, 2, 3, 4, 5, 6]
    assert [thread.name == "sequencer" for thread in sealed] == [False, *[True] * 5]


def _noted(threads: list[threading.Thread], data: bytes) -> bytes:
    threads.append(threading.current_thread())
    return data


# Neighbours


def test_a_conflicting_append_does_not_fail_its_neighbours(recorder: PostgresRecorder) -> None:
    recorder.append([event("X", "taken")])
    with queued(recorder) as queue:
        queue.append([event("Y")])
        queue.append([event("no")], unless(([], ["taken"])))
        queue.append([event("no")], unless((["Y"], [])))
        queue.append([event("Z")], unless(([], ["free"])))
    assert queue.came() == [2, 3, "IntegrityError", "IntegrityError", 4]
    assert stored(recorder.pool) == [(1, "X"), (2, "first"), (3, "Y"), (4, "Z")]
    assert transactions(recorder.pool) == [1, 1, 2]


@pytest.mark.parametrize("what", BAD)
def test_an_append_that_cannot_be_written_fails_alone(recorder: PostgresRecorder, what: str) -> None:
    with queued(recorder) as queue:
        queue.append([event("X", "a")], once=once())
        queue.append([event("half"), BAD[what]], once=once("bad"))
        queue.append([event("Y", "b")], unless(([], ["b"])))
        queue.append([event("no")], unless(([], ["a"])))
    first, x, bad, y, conflicting = queue.came()
    assert (first, x, y, conflicting) == (1, 2, 3, "IntegrityError")
    assert isinstance(bad, str)
    assert stored(recorder.pool) == [(1, "first"), (2, "X"), (3, "Y")]
    assert recorder.appended("holder", "bad") is None
    assert recorder.append([event("Z")]) == 4


@pytest.mark.parametrize("text", ["with \x00 in it", "\ud800"])
def test_a_condition_that_cannot_be_asked_fails_alone(recorder: PostgresRecorder, text: str) -> None:
    with queued(recorder) as queue:
        queue.append([event("X")])
        queue.append([event("no")], unless(([], [text])))
        queue.append([event("no")], once=once(text))
        queue.append([event("Y")])
    first, x, asked, keyed, y = queue.came()
    assert (first, x, y) == (1, 2, 3)
    assert isinstance(asked, str)
    assert isinstance(keyed, str)
    assert recorder.append([event("Z")]) == 4


def test_of_two_appends_of_a_group_under_one_key_one_appends_and_one_is_told(recorder: PostgresRecorder) -> None:
    with queued(recorder) as queue:
        queue.append([event("X"), event("X")], once=once())
        queue.append([event("Y")], once=once())
    assert queue.came() == [1, 3, "AlreadyAppended"]
    kept = recorder.appended("holder", "key")
    assert kept is not None
    assert (kept.first_position, kept.last_position) == (2, 3)


# Back-pressure


def test_an_append_beyond_the_bound_is_turned_away_and_nothing_is_lost(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "MOST_WAITING", 5)
    with queued(recorder) as queue:
        for number in range(5):
            queue.append([event(f"{number}")])
        with pytest.raises(sequencer.Overloaded, match="5 appends wait already"):
            recorder.append([event("too many")])
        queue.append([event("too many")])
        assert queue.waiting == 5
    assert queue.came() == [1, 2, 3, 4, 5, 6, "Overloaded"]
    assert [type_ for _, type_ in stored(recorder.pool)] == ["first", "0", "1", "2", "3", "4"]
    assert recorder.append([event("later")]) == 7


# Faults


def test_a_killed_connection_fails_its_group_and_not_those_that_wait(database: str, recorder: PostgresRecorder) -> None:
    with queued(recorder) as queue, psycopg.connect(database) as owner:
        queue.append([event("X")])
        (pid,) = stuck(recorder.pool)
        owner.execute("SELECT pg_terminate_backend(%s)", [pid])
        wait_until(lambda: queue.waiting == 0)
    lost, waited = queue.came()
    assert lost in {"AdminShutdown", "OperationalError"}
    assert waited == 1
    assert recorder.append([event("Y")]) == 2


@pytest.mark.parametrize("fault", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_when_the_database_goes_every_caller_who_waits_gets_an_error_and_asks_again_under_its_key(
    home: Path, fault: signal.Signals
) -> None:
    postgres = CarriedPostgres(home)
    migrate(postgres.start(), "ledger", LEDGER_MIGRATIONS)
    with open_pool(postgres.conninfo, "ledger") as pool, ThreadPoolExecutor(8) as threads:
        recorder = PostgresRecorder(pool)

        def append(key: str) -> object:
            return outcome(lambda: recorder.append([event(key)], once=once(key)))

        with head_held_still(postgres.conninfo, "ledger"):
            waiting = [threads.submit(append, f"{number}") for number in range(8)]
            wait_until(lambda: stuck(pool) != [])
            pool.timeout = 1.0
            assert postgres.pid is not None
            os.kill(postgres.pid, fault)
            errors = {each.result(timeout=30) for each in waiting}
        assert errors <= {"AdminShutdown", "OperationalError", "PoolTimeout"}
        postgres.stop()
        postgres.start()
        pool.timeout = 20.0
        assert {append(f"{number}") for number in range(8)} == set(range(1, 9))
        assert [position for position, _ in stored(pool)] == list(range(1, 9))
        assert {type_ for _, type_ in stored(pool)} == {f"{number}" for number in range(8)}
    postgres.stop()


def test_a_fault_of_the_seal_reaches_its_caller_and_the_next_append_works(pool: Pool) -> None:
    recorder = PostgresRecorder(pool, seal=lambda one, position, instant: b"%d" % (1 // (one.type != "bad")))
    with pytest.raises(ZeroDivisionError):
        recorder.append([event("bad")])
    assert recorder.append([event("good")]) == 1


# The connection


def test_a_connection_is_held_while_appends_come_and_given_back_after(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "HOLD_SECONDS", 0.3)
    for number in range(5):
        recorder.append([event(f"{number}")])
    assert recorder._sequencer._held is not None
    wait_until(lambda: recorder._sequencer._held is None)
    assert recorder.append([event("later")]) == 6


def test_a_held_connection_that_has_ended_is_replaced_before_the_next_append(
    database: str, recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "HOLD_SECONDS", 20.0)
    recorder.append([event("X")])
    held = recorder._sequencer._held
    assert held is not None
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 20000)", [held.database.info.backend_pid])
    assert recorder.append([event("Y")]) == 2


# The thread


def test_the_thread_ends_when_idle_and_starts_again(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "IDLE_SECONDS", 0.2)
    before = sequencers()
    for position in (1, 2):
        assert recorder.append([event()]) == position
        assert len(sequencers() - before) == 1
        wait_until(lambda: not sequencers() - before)


def test_no_append_is_left_behind_by_a_thread_that_is_about_to_end(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "IDLE_SECONDS", 0.002)

    def write() -> int:
        for turn in range(25):
            time.sleep(0.002 + turn % 3 / 1_000)
            recorder.append([event()])
        return 25

    assert sum(at_once([write] * 4)) == 100
    assert len(stored(recorder.pool)) == 100


def test_one_thread_serves_all_who_append(recorder: PostgresRecorder) -> None:
    before = sequencers()
    at_once([lambda: recorder.append([event()])] * 16)
    assert len(sequencers() - before) == 1


def test_an_append_for_which_no_thread_can_be_started_is_not_kept_and_holds_up_no_other(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            recorder.append([event("lost")])
    came: list[object] = []
    later = threading.Thread(target=lambda: came.append(recorder.append([event("later")])), daemon=True)
    later.start()
    later.join(5)
    assert came == [1]
    assert stored(recorder.pool) == [(1, "later")]


# Notifications


def test_subscribers_are_told_by_a_transaction_after_that_of_the_events(
    recorder: PostgresRecorder, database: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = notifier._NOTIFY.replace("''", "pg_current_xact_id()::text")
    assert telling != notifier._NOTIFY
    monkeypatch.setattr(notifier, "_NOTIFY", telling)
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f'LISTEN "{schema}_head"'.encode())
        recorder.append([event()])
        (told,) = listener.notifies(timeout=10, stop_after=1)
    with recorder.pool.connection() as reader:
        row = reader.execute("SELECT xmin::text::bigint FROM events").fetchone()
    assert row is not None
    assert int(told.payload) % 2**32 > row[0]


@pytest.mark.parametrize("failing", ["SELECT 1 / 0", "SELECT pg_terminate_backend(pg_backend_pid())"])
def test_a_notification_that_fails_undoes_nothing_and_the_next_is_given(
    recorder: PostgresRecorder, database: str, schema: str, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    failed = threading.Event()

    class Failing(str):
        """A statement that says when it was used."""

        def encode(self, *how: Any) -> bytes:
            failed.set()
            return failing.encode()

    monkeypatch.setattr(notifier, "_NOTIFY", Failing())
    assert recorder.append([event("X")]) == 1
    assert failed.wait(10)
    monkeypatch.undo()
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f'LISTEN "{schema}_head"'.encode())
        assert recorder.append([event("Y")]) == 2
        assert list(listener.notifies(timeout=10, stop_after=1))
    assert stored(recorder.pool) == [(1, "X"), (2, "Y")]


def test_appends_that_follow_each_other_closely_are_told_of_once(
    recorder: PostgresRecorder, database: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "PAUSE_SECONDS", 1.0)
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f'LISTEN "{schema}_head"'.encode())
        for _ in range(20):
            recorder.append([event()])
        told = list(listener.notifies(timeout=1.5))
    assert len(told) == 2


def test_an_interrupted_caller_holds_up_no_other_of_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    group = [Pending(Append([event()]), is_chained=True) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        came = [threads.submit(pending.result) for pending in (group[0], group[2])]
        interrupted = group[1]
        monkeypatch.setattr(interrupted, "_done", Interrupted(interrupted._done))
        with pytest.raises(KeyboardInterrupt):
            interrupted.result()
        Pending.tell(group, [Appended(1, 1), Appended(2, 2), Appended(3, 3)])
        assert [result.result(timeout=10).last for result in came] == [1, 3]


class Interrupted:
    """A lock whose first wait is broken off as Ctrl-C does in a main thread."""

    def __init__(self, lock: threading.Lock) -> None:
        self.release = lock.release
        self._lock = lock
        self._broken = False

    def acquire(self) -> bool:
        if not self._broken:
            self._broken = True
            raise KeyboardInterrupt
        return self._lock.acquire()


def test_appends_that_are_durable_are_not_repeated_when_what_follows_them_fails(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: Callable[..., None] = psycopg_pool.ConnectionPool.putconn

    def broken(pool: Pool, connection: Any) -> None:
        given_back(pool, connection)
        if threading.current_thread().name == "sequencer":
            raise MemoryError

    with queued(recorder) as queue:
        for number in range(3):
            queue.append([event(f"{number}")])
        monkeypatch.setattr(psycopg_pool.ConnectionPool, "putconn", broken)
    assert queue.came() == [1, 2, 3, 4]
    assert recorder.append([event("next")]) == 5
    assert stored(recorder.pool) == [(1, "first"), (2, "0"), (3, "1"), (4, "2"), (5, "next")]


def test_a_group_whose_outcome_is_unknown_is_not_written_once_more(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared.run

    def broken(*asked: Any) -> int:
        run(*asked)
        raise MemoryError

    recorder.append([event("before")])
    with queued(recorder) as queue:
        for number in range(2):
            queue.append([event(f"{number}")])
        monkeypatch.setattr(prepared, "run", broken)
    assert queue.outcomes[0]() == 2
    for came in queue.outcomes[1:]:
        with pytest.raises(MemoryError):
            came()
    monkeypatch.undo()
    assert stored(recorder.pool) == [(1, "before"), (2, "first"), (3, "0"), (4, "1")]
