import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from eventsourcing.dcb import tests as library
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem, DCBSequencedEvent
from eventsourcing.persistence import IntegrityError, ProgrammingError

from caseledger.postgres import CarriedPostgres
from ledger.appends import AlreadyAppended, Once
from ledger.migrations import LEDGER_MIGRATIONS, Pool, migrate, open_pool
from ledger.recorder import PAGE, PostgresRecorder

Unit = tuple[list[str], list[str]]
"""Types and tags of a query item."""

SHA = b"\x01" * 32


def event(type_: str = "A", *tags: str, data: bytes = b"") -> DCBEvent:
    return DCBEvent(type_, data, list(tags))


def query(*items: Unit) -> DCBQuery:
    return DCBQuery([DCBQueryItem(types, tags) for types, tags in items])


def unless(*items: Unit, after: int = 0) -> DCBAppendCondition:
    return DCBAppendCondition(query(*items), after)


def positions(events: Iterator[DCBSequencedEvent] | Sequence[DCBSequencedEvent]) -> list[int]:
    return [sequenced.position for sequenced in events]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it has not come about within 20 seconds"
        time.sleep(0.01)


def someone_waits_for_a_lock(pool: Pool) -> bool:
    """Whether a session of this test's schema waits for a row that another one holds."""
    with pool.connection() as conn:
        waiting = conn.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN "
            "(SELECT pid FROM pg_locks WHERE relation = 'head'::regclass)"
        ).fetchone()
    return waiting is not None and waiting[0] > 0


class Gate:
    """A seal that holds the first append where it has its turn and has not committed."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.fails = False

    def __call__(self, sealed: DCBEvent, position: int, recorded_at: datetime) -> bytes:
        self.entered.set()
        assert self.opened.wait(20)
        if self.fails:
            raise RuntimeError("sealing failed")
        return sealed.data


@pytest.fixture
def pool16(database16: str, schema16: str) -> Iterator[Pool]:
    with open_pool(database16, schema16) as opened:
        yield opened


@pytest.fixture(params=[18, 16])
def any_recorder(request: pytest.FixtureRequest) -> PostgresRecorder:
    return PostgresRecorder(request.getfixturevalue("pool" if request.param == 18 else "pool16"))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def test_it_appends_and_reads_as_the_library_demands(any_recorder: PostgresRecorder) -> None:
    library.DCBRecorderTestCase()._test_append_read(any_recorder)


def test_it_subscribes_as_the_library_demands(any_recorder: PostgresRecorder) -> None:
    library.DCBRecorderTestCase()._test_append_subscribe(any_recorder)


# Positions


def test_an_empty_store_has_head_0_and_a_response_without_head(recorder: PostgresRecorder) -> None:
    assert recorder.head() == 0
    assert recorder.read().head is None
    assert recorder.read_streams({"t": 0}) == (0, [])


def test_positions_have_no_gaps_and_a_follower_misses_none_under_eight_writers(
    recorder: PostgresRecorder, threads: ThreadPoolExecutor
) -> None:
    writers, each = 8, 40
    total = writers * each * 2
    followed: list[int] = []

    def follow() -> None:
        while len(followed) < total:
            followed.extend(positions(recorder.read(after=followed[-1] if followed else 0)))

    def write(writer: int) -> list[int]:
        lasts = []
        for number in range(each):
            lasts.append(recorder.append([event("A", f"w:{writer}"), event("B", f"n:{number}")]))
            if number % 10 == 0:  # An append that fails takes no position.
                with pytest.raises(IntegrityError):
                    recorder.append([event()], unless(([], [f"w:{writer}"])))
        return lasts

    follower = threading.Thread(target=follow)
    follower.start()
    lasts = [last for wrote in threads.map(write, range(writers)) for last in wrote]
    follower.join(30)
    assert sorted(lasts) == list(range(2, total + 1, 2))
    assert followed == list(range(1, total + 1))
    assert recorder.head() == total


@pytest.mark.parametrize("first_commits", [True, False])
def test_a_follower_misses_nothing_when_the_first_to_take_its_turn_ends_last(
    pool: Pool, recorder: PostgresRecorder, threads: ThreadPoolExecutor, first_commits: bool
) -> None:
    gate = Gate()
    first: Future[int] = threads.submit(PostgresRecorder(pool, seal=gate).append, [event("first"), event("first")])
    assert gate.entered.wait(20)
    second: Future[int] = threads.submit(recorder.append, [event("second")])
    wait_until(lambda: someone_waits_for_a_lock(pool))
    assert not second.done()
    followed = list(recorder.read())
    assert followed == []
    assert recorder.head() == 0
    gate.fails = not first_commits
    gate.opened.set()
    assert second.result(20) == (3 if first_commits else 1)
    if first_commits:
        assert first.result(20) == 2
    else:
        with pytest.raises(RuntimeError, match="sealing failed"):
            first.result(20)
    followed = list(recorder.read(after=0))
    expected = ["first", "first", "second"] if first_commits else ["second"]
    assert [(one.position, one.event.type) for one in followed] == list(enumerate(expected, start=1))


def test_a_turn_held_open_by_another_program_orders_appends_behind_it(
    pool: Pool, recorder: PostgresRecorder, threads: ThreadPoolExecutor
) -> None:
    with pool.connection() as other, other.transaction():
        other.execute("SELECT position FROM head FOR UPDATE")
        other.execute("INSERT INTO events VALUES (1, 'theirs', '{t}', '', now())")
        other.execute("INSERT INTO tags VALUES ('t', 1)")
        other.execute("UPDATE head SET position = 1")
        blind = threads.submit(recorder.append, [event("ours")])
        careful = threads.submit(recorder.append, [event("ours")], unless(([], ["t"])))
        wait_until(lambda: someone_waits_for_a_lock(pool))
        assert positions(recorder.read()) == []
    assert blind.result(20) == 2
    with pytest.raises(IntegrityError):  # It sees what was committed while it waited.
        careful.result(20)
    assert [one.event.type for one in recorder.read()] == ["theirs", "ours"]


def test_a_writer_that_dies_with_its_turn_leaves_no_gap(
    database: str, schema: str, pool: Pool, recorder: PostgresRecorder, threads: ThreadPoolExecutor
) -> None:
    gate = Gate()
    with open_pool(psycopg.conninfo.make_conninfo(database, application_name=schema), schema) as dying:
        first = threads.submit(PostgresRecorder(dying, seal=gate).append, [event("lost")])
        assert gate.entered.wait(20)
        with psycopg.connect(database) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = %s AND state = 'idle in transaction'",
                [schema],
            )
        gate.opened.set()
        with pytest.raises(psycopg.OperationalError):
            first.result(20)
    assert recorder.append([event("kept")]) == 1
    assert [(one.position, one.event.type) for one in recorder.read()] == [(1, "kept")]


# Conditions

SIEVES: dict[str, tuple[list[Unit], set[int]]] = {
    "nothing": ([], {1, 2, 3, 4}),
    "an item of nothing": ([([], [])], {1, 2, 3, 4}),
    "an item of nothing beside another": ([([], []), ([], ["none"])], {1, 2, 3, 4}),
    "a tag": ([([], ["a"])], {1, 2}),
    "a tag named twice": ([([], ["a", "a"])], {1, 2}),
    "a tag of none": ([([], ["none"])], set()),
    "two tags together": ([([], ["a", "b"])], {2}),
    "two tags together the other way round": ([([], ["b", "a"])], {2}),
    "two tags that are nowhere together": ([([], ["a", "c"])], set()),
    "either of two tags": ([([], ["a"]), ([], ["b"])], {1, 2, 3}),
    "a type": ([(["X"], [])], {1, 3}),
    "a type of none": ([(["none"], [])], set()),
    "either of two types": ([(["X", "Y"], [])], {1, 2, 3}),
    "either of two types in items of their own": ([(["X"], []), (["Y"], [])], {1, 2, 3}),
    "a type and a tag": ([(["X"], ["b"])], {3}),
    "one of two types and a tag": ([(["X", "Y"], ["b"])], {2, 3}),
    "a type and a tag that are nowhere together": ([(["Z"], ["a"])], set()),
    "a type and two tags": ([(["Y"], ["b", "a"])], {2}),
    "one item of each kind": ([([], ["c"]), (["X"], ["a"]), (["Y"], [])], {1, 2, 4}),
    "a tag with every sign of an array's literal": ([(["Z"], ['q "u" \\o\\ {t},é ', "c"])], {4}),
    "a tag that is the word for nothing": ([(["Z"], ["NULL", "c"])], {4}),
}


@pytest.fixture
def filled(recorder: PostgresRecorder) -> PostgresRecorder:
    recorder.append([event("X", "a"), event("Y", "a", "b"), event("X", "b")])
    recorder.append([event("Z", "c", 'q "u" \\o\\ {t},é ', "NULL")])
    return recorder


@pytest.mark.parametrize("sieve", SIEVES)
def test_a_query_finds_exactly_the_events_that_match_an_item(filled: PostgresRecorder, sieve: str) -> None:
    items, matching = SIEVES[sieve]
    for after in range(6):
        expected = sorted(position for position in matching if position > after)
        response = filled.read(query(*items), after=after)
        assert response.head == 4
        assert positions(response) == expected
        assert positions(filled.read(query(*items), after=after, limit=1)) == expected[:1]


@pytest.mark.parametrize("sieve", SIEVES)
def test_a_condition_fails_exactly_when_a_later_event_matches_and_then_leaves_nothing(
    filled: PostgresRecorder, sieve: str
) -> None:
    items, matching = SIEVES[sieve]
    newest = max(matching, default=0)
    if newest:
        with pytest.raises(IntegrityError):
            filled.append([event("new", "new")], unless(*items, after=newest - 1), once=Once("holder", "key", SHA))
        assert filled.head() == 4
        assert positions(filled.read()) == [1, 2, 3, 4]
        assert filled.read_streams({"new": 0}) == (4, [])
        assert filled.appended("holder", "key") is None
    after = 4 if newest else 0
    assert filled.append([event("new", "new")], unless(*items, after=after)) == 5


def test_a_condition_without_after_looks_at_all_events(filled: PostgresRecorder) -> None:
    with pytest.raises(IntegrityError):
        filled.append([event()], DCBAppendCondition(query(([], ["a"]))))
    assert filled.append([event()], DCBAppendCondition(query(([], ["none"])))) == 5


def test_of_two_appends_on_the_same_condition_one_fails(
    recorder: PostgresRecorder, threads: ThreadPoolExecutor
) -> None:
    barrier = threading.Barrier(8)

    def claim(number: int) -> bool:
        barrier.wait()
        try:
            recorder.append([event("Claimed", "one")], unless((["Claimed"], ["one"])))
        except IntegrityError:
            return False
        return True

    assert sum(threads.map(claim, range(8))) == 1
    assert recorder.head() == 1


def test_a_batch_of_a_thousand_events_on_five_thousand_tags_is_one_append(recorder: PostgresRecorder) -> None:
    recorder.append([event("A", "tag:4999")])
    items: list[Unit] = [([], [f"tag:{number}"]) for number in range(5000)]
    batch = [event("B", f"tag:{number}", f"other:{number}", "all", data=b"%d" % number) for number in range(1000)]
    with pytest.raises(IntegrityError):
        recorder.append(batch, unless(*items, after=0))
    assert recorder.append(batch, unless(*items, after=1)) == 1001
    found = list(recorder.read(query(([], ["all"]))))
    assert [(one.position, one.event) for one in found] == list(enumerate(batch, start=2))


def test_an_append_of_nothing_is_refused(recorder: PostgresRecorder) -> None:
    with pytest.raises(ProgrammingError, match="at least one event, got none"):
        recorder.append([])


# What is stored


def test_a_tag_named_twice_by_an_event_finds_it_once(recorder: PostgresRecorder) -> None:
    recorder.append([event("A", "t", "t")])
    assert positions(recorder.read(query(([], ["t"])))) == [1]
    assert [one.event.tags for one in recorder.read()] == [["t", "t"]]


def test_the_seal_forms_what_is_stored_from_position_and_instant(pool: Pool) -> None:
    instant = datetime(2026, 4, 1, 8, 30, 15, 123456, UTC)

    def seal(sealed: DCBEvent, position: int, recorded_at: datetime) -> bytes:
        assert recorded_at.tzinfo is UTC
        return f"{position} {recorded_at.isoformat()} ".encode() + sealed.data

    recorder = PostgresRecorder(pool, seal=seal, clock=lambda: instant)
    recorder.append([event(data=b"\x00\xff"), event(data=b"y")])
    assert [one.event.data for one in recorder.read()] == [
        b"1 2026-04-01T08:30:15.123456+00:00 \x00\xff",
        b"2 2026-04-01T08:30:15.123456+00:00 y",
    ]


def test_a_seal_that_fails_leaves_nothing_and_a_working_connection(database: str, schema: str) -> None:
    gate = Gate()
    gate.opened.set()
    gate.fails = True
    with open_pool(database, schema, max_size=1) as single:
        with pytest.raises(RuntimeError, match="sealing failed"):
            PostgresRecorder(single, seal=gate).append([event()], once=Once("holder", "key", SHA))
        assert PostgresRecorder(single).append([event()], once=Once("holder", "key", SHA)) == 1


def test_an_append_that_the_database_refuses_leaves_nothing_and_a_working_connection(
    database: str, schema: str
) -> None:
    with open_pool(database, schema, max_size=1) as single:
        recorder = PostgresRecorder(single)
        with pytest.raises(psycopg.DataError):
            recorder.append([event("A", "t"), event("A", "with \x00 in it")])
        with pytest.raises(psycopg.errors.CheckViolation):
            recorder.append([event("A", "t")], once=Once("holder", "key", b"too short"))
        assert recorder.read_streams({"t": 0}) == (0, [])
        assert recorder.append([event("A", "t")]) == 1


def test_instants_never_decrease_even_when_the_clock_goes_back(pool: Pool) -> None:
    start = datetime(2026, 4, 1, tzinfo=UTC)
    ticks = iter([start + timedelta(seconds=second) for second in (10, 5, 7, 11, 0)])
    recorder = PostgresRecorder(pool, clock=lambda: next(ticks))
    for _ in range(5):
        recorder.append([event(), event()])
    with pool.connection() as conn:
        rows = conn.execute("SELECT recorded_at FROM events ORDER BY position").fetchall()
    seconds = [(instant - start).total_seconds() for (instant,) in rows]
    assert seconds == [10, 10, 10, 10, 10, 10, 11, 11, 11, 11]


# Once


def test_a_key_that_is_kept_appends_nothing_and_says_what_was_appended(recorder: PostgresRecorder) -> None:
    once = Once("holder", "key", SHA)
    recorder.append([event()])
    assert recorder.append([event(), event()], once=once) == 3
    with pytest.raises(AlreadyAppended) as caught:
        recorder.append([event()], once=Once("holder", "key", b"\x02" * 32))
    kept = caught.value
    assert (kept.first_position, kept.last_position, kept.input_sha256) == (2, 3, SHA)
    assert recorder.head() == 3


def test_a_key_that_is_kept_is_told_before_a_condition_that_fails(recorder: PostgresRecorder) -> None:
    once = Once("holder", "key", SHA)
    condition = unless(([], ["t"]))
    assert recorder.append([event("A", "t")], condition, once=once) == 1
    with pytest.raises(AlreadyAppended):
        recorder.append([event("A", "t")], condition, once=once)


def test_a_key_belongs_to_its_holder(recorder: PostgresRecorder) -> None:
    assert recorder.append([event()], once=Once("one", "key", SHA)) == 1
    assert recorder.append([event()], once=Once("other", "key", SHA)) == 2
    assert recorder.append([event()], once=Once("one", "another key", SHA)) == 3


def test_of_eight_appends_under_one_key_at_once_exactly_one_appends(
    recorder: PostgresRecorder, threads: ThreadPoolExecutor
) -> None:
    barrier = threading.Barrier(8)

    def append(number: int) -> tuple[bool, int]:
        barrier.wait()
        try:
            return True, recorder.append([event(), event()], once=Once("holder", "key", SHA))
        except AlreadyAppended as kept:
            return False, kept.last_position

    outcomes = sorted(threads.map(append, range(8)))
    assert outcomes == [(False, 2)] * 7 + [(True, 2)]
    assert positions(recorder.read()) == [1, 2]


def test_a_kept_key_can_be_asked_for(recorder: PostgresRecorder) -> None:
    recorder.append([event()], once=Once("holder", "key", SHA))
    kept = recorder.appended("holder", "key")
    assert kept is not None
    assert (kept.first_position, kept.last_position, kept.input_sha256) == (1, 1, SHA)
    assert recorder.appended("holder", "other") is None


# Reading


def test_a_long_read_comes_in_pages_and_ends_at_the_head_of_its_call(recorder: PostgresRecorder) -> None:
    total = 2 * PAGE + 10
    recorder.append([event("A", "t") for _ in range(total)])
    responses = [recorder.read(), recorder.read(query(([], ["t"]))), recorder.read(query((["A"], [])))]
    recorder.append([event("A", "t")])
    for response in responses:
        assert response.head == total
        assert positions(response) == list(range(1, total + 1))
        assert response.head == total
        assert next(response, None) is None


def test_a_limit_beyond_a_page_is_kept_and_its_head_is_the_last_event(recorder: PostgresRecorder) -> None:
    recorder.append([event("A") for _ in range(2 * PAGE)])
    response = recorder.read(after=3, limit=PAGE + 5)
    assert positions(response) == list(range(4, PAGE + 9))
    assert response.head == PAGE + 8


def test_a_read_holds_no_connection_between_its_pages(database: str, schema: str) -> None:
    with open_pool(database, schema, max_size=1) as single:
        recorder = PostgresRecorder(single)
        recorder.append([event() for _ in range(PAGE + 1)])
        response = recorder.read()
        next(response)
        assert recorder.head() == PAGE + 1


def test_streams_are_each_read_after_their_own_position_and_every_event_once(filled: PostgresRecorder) -> None:
    head, found = filled.read_streams({"a": 1, "b": 0, "c": 4, "none": 0})
    assert head == 4
    assert positions(found) == [2, 3]
    assert found[0].event == event("Y", "a", "b")
    assert positions(filled.read_streams({"a": 0, "b": 0, "c": 0}, upto=2)[1]) == [1, 2]
    assert filled.read_streams({"a": 0, "c": 0}, upto=0) == (4, [])
    assert filled.read_streams({}) == (4, [])


def test_streams_and_their_head_are_of_one_moment(recorder: PostgresRecorder, threads: ThreadPoolExecutor) -> None:
    done = threading.Event()

    def write() -> None:
        for _ in range(150):
            recorder.append([event("A", "t"), event("B", "u")])
        done.set()

    writing = threads.submit(write)
    while not done.is_set():
        head, found = recorder.read_streams({"t": 0, "u": 0})
        assert positions(found) == list(range(1, head + 1))
    writing.result()


def test_positions_are_read_in_order_and_unknown_ones_left_out(filled: PostgresRecorder) -> None:
    assert positions(filled.read_positions([3, 1, 1, 99])) == [1, 3]
    assert filled.read_positions([]) == []


@pytest.mark.parametrize("tag_count", [1, 500])
def test_tags_are_looked_up_in_their_index_whatever_the_planner_believes(
    database: str, schema: str, tag_count: int
) -> None:
    with open_pool(database, schema, max_size=1) as single:
        recorder = PostgresRecorder(single)
        for _ in range(3):
            recorder.append([event("A", f"e:{number % 50}", f"n:{number}") for number in range(1000)])
        before = _full_scans(single)
        items: list[Unit] = [([], [f"none:{number}"]) for number in range(tag_count)]
        narrow: list[Unit] = [(["none"], [f"e:{number}", "x"]) for number in range(tag_count)]
        recorder.append([event("A", "new")], unless(*items, *narrow, after=10))
        list(recorder.read(query(*items, *narrow)))
        recorder.read_streams({f"e:{number}": 2990 for number in range(tag_count)})
        assert _full_scans(single) == before


def _full_scans(single: Pool) -> object:
    """How often events and tags were read from beginning to end, by the one connection of the pool."""
    with single.connection() as conn:
        conn.execute("SELECT pg_stat_force_next_flush()")
        return conn.execute(
            "SELECT sum(seq_scan) FROM pg_stat_user_tables "
            "WHERE schemaname = current_schema() AND relname IN ('events', 'tags')"
        ).fetchone()


# Subscriptions and outages


def test_a_subscription_hears_of_an_append_before_it_would_ask(recorder: PostgresRecorder) -> None:
    with recorder.subscribe(query(([], ["t"]))) as subscription:
        recorder.append([event("A", "t")])
        assert next(subscription).position == 1
        waits = []
        for number in range(5):
            time.sleep(0.05)
            began = time.monotonic()
            recorder.append([event("A", "other"), event("A", "t")])
            assert next(subscription).position == 2 * number + 3
            waits.append(time.monotonic() - began)
    assert sorted(waits)[2] < 0.3


def test_a_subscription_that_is_not_told_asks_within_a_second(pool: Pool, recorder: PostgresRecorder) -> None:
    with recorder.subscribe() as subscription:
        recorder.append([event()])
        assert next(subscription).position == 1
        with pool.connection() as conn, conn.transaction():  # An append whose notification was lost.
            conn.execute("INSERT INTO events VALUES (2, 'A', '{}', '', now())")
            conn.execute("UPDATE head SET position = 2")
        began = time.monotonic()
        assert next(subscription).position == 2
        assert time.monotonic() - began < 2.5


def test_a_stopped_subscription_ends_and_takes_no_connection_of_the_pool(database: str, schema: str) -> None:
    with open_pool(database, schema, max_size=1) as single:
        recorder = PostgresRecorder(single)
        with recorder.subscribe() as subscription:
            assert recorder.append([event()]) == 1
            assert next(subscription).position == 1
            threading.Timer(0.1, subscription.stop).start()
            assert next(subscription, None) is None


def test_an_error_in_a_subscription_reaches_whoever_iterates(pool: Pool, recorder: PostgresRecorder) -> None:
    with recorder.subscribe(query(([], ["\x00"]))) as subscription, pytest.raises(psycopg.DataError):
        next(subscription)


def test_pool_and_subscription_outlive_a_stop_and_a_kill_of_the_database(home: Path) -> None:
    postgres = CarriedPostgres(home)
    migrate(postgres.start(), "ledger", LEDGER_MIGRATIONS)
    with open_pool(postgres.conninfo, "ledger", min_size=3) as pool:
        pool.timeout = 3.0
        recorder = PostgresRecorder(pool)
        with recorder.subscribe() as subscription:
            assert recorder.append([event("A")]) == 1
            assert next(subscription).position == 1
            postgres.stop()
            with pytest.raises(psycopg.OperationalError):
                recorder.append([event("lost")])
            # The pool pauses between its tries to connect, up to four seconds here.
            pool.timeout = 10.0
            postgres.start()
            assert recorder.append([event("B")]) == 2
            assert next(subscription).position == 2
            killed = postgres.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            postgres.stop()
            postgres.start()
            assert recorder.append([event("C")]) == 3
            assert next(subscription).position == 3
    postgres.stop()
