"""Appends that are submitted: many under way from one thread, in groups of which one is sent behind the other."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError

from appends import event, once, queued, stored, transactions, unless
from faults import Broken, broken, connection_ended
from ledger import sequencer
from ledger.appends import AlreadyAppended, Append, Appended
from ledger.migrations import Database
from ledger.prepared import Line
from ledger.recorder import PostgresRecorder
from ledger.sequencer import Pending, Sequencer
from running import at_once, wait_until


def test_many_appends_are_under_way_from_one_thread_and_each_gets_what_came_of_it(recorder: PostgresRecorder) -> None:
    recorder.append([event("before", "taken")])
    with queued(recorder) as queue:
        pending = [
            recorder.submit(Append([event(f"{number}", f"t:{number}")], unless(([], [f"t:{number}"]))))
            for number in range(30)
        ]
        refused = recorder.submit(Append([event("refused")], unless(([], ["taken"]))))
        twin = recorder.submit(Append([event("twin", "t:3")], unless(([], ["t:3"]))))
        queue.append([event("from a thread")])
    assert [each.result().last for each in reversed(pending)] == list(range(32, 2, -1))
    assert queue.came() == [2, 33]
    for each in (refused, twin):
        for _ in range(2):
            with pytest.raises(IntegrityError):
                each.result()
    assert pending[0].result().last == 3
    assert transactions(recorder.pool) == [1, 1, 16, 15]


def test_many_who_are_submitted_are_two_groups_of_which_one_is_sent_behind_the_other(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = watched_lines(monkeypatch)
    clients, each = 64, 20
    lots = [iter([[event(f"{client}", f"t:{client}-{n}")] for n in range(each)]) for client in range(clients)]
    under_way = [recorder.submit(Append(next(lot))) for lot in lots]
    given: list[tuple[int, str]] = []
    for _ in range(1, each):
        for client, lot in enumerate(lots):
            given.append((under_way[client].result().last, f"{client}"))
            under_way[client] = recorder.submit(Append(next(lot)))
    given += [(pending.result().last, f"{client}") for client, pending in enumerate(under_way)]
    assert stored(recorder.pool) == sorted(given)
    assert [position for position, _ in sorted(given)] == list(range(1, clients * each + 1))
    assert len(transactions(recorder.pool)) < clients * each / 4
    assert max(most) == sequencer.MOST_UNDER_WAY


def test_what_threads_append_is_never_two_groups_under_way(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = watched_lines(monkeypatch)
    at_once([lambda: recorder.append([event()])] * 32)
    assert most == []


def watched_lines(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements were under way after each that was sent."""
    seen: list[int] = []
    send = Line.send

    def watched(line: Line, *asked: Any) -> None:
        send(line, *asked)
        seen.append(len(line._under_way))

    monkeypatch.setattr(Line, "send", watched)
    return seen


def test_what_was_refused_under_way_fails_no_neighbour_and_no_group_behind_it(recorder: PostgresRecorder) -> None:
    recorder.append([event("X", "taken")])
    with queued(recorder):
        pending = [
            recorder.submit(Append([event(f"{n}", f"t:{n}")], unless(([], ["taken"] if n == 3 else [f"t:{n}"]))))
            for n in range(40)
        ]
        bad = recorder.submit(Append([event("bad", secrets.token_hex(8_192))]))
        last = recorder.submit(Append([event("last")], unless(([], ["t:7"]))))
    for n, each in enumerate(pending):
        if n == 3:
            with pytest.raises(IntegrityError):
                each.result()
        else:
            assert each.result().last == n + 3 - (n > 3)
    with pytest.raises(psycopg.Error):
        bad.result()
    with pytest.raises(IntegrityError):
        last.result()
    assert len(stored(recorder.pool)) == 2 + 39


FAULTS = [(step, after, skip) for step in ("send", "receive") for after in (False, True) for skip in range(2)]
"""A step of the line, whether the fault is after it, and how many of its kind pass before."""


@pytest.mark.parametrize("kind", ["an exception", "an ended connection"])
@pytest.mark.parametrize(("step", "after", "skip"), FAULTS)
def test_a_fault_with_two_groups_under_way_loses_nothing_and_writes_nothing_twice(
    database: str, recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch,
    kind: str, step: str, after: bool, skip: int,
) -> None:  # fmt: skip
    fault = Faulty(broken if kind == "an exception" else connection_ended(database), after=after, skip=skip)
    with queued(recorder) as queue:
        pending = {n: recorder.submit(Append([event(f"{n}")], once=once(f"{n}"))) for n in range(96)}
        monkeypatch.setattr(Line, step, fault.around(getattr(Line, step)))
        # Leaving the block lets two groups be sent: half of these, and behind them the rest.
    acknowledged = {n: each for n, pending_one in pending.items() if (each := came_of(pending_one)) is not None}
    assert fault.happened
    assert queue.came() == [1]
    assert all(dict(stored(recorder.pool))[position] == f"{n}" for n, position in acknowledged.items())
    for n in pending.keys() - acknowledged.keys():
        again(recorder, f"{n}")
    log = stored(recorder.pool)
    assert sorted(type_ for _, type_ in log) == sorted(["first", *(f"{n}" for n in pending)])
    assert [position for position, _ in log] == list(range(1, len(log) + 1))
    later = [recorder.submit(Append([event("later")])) for _ in range(40)]
    assert [each.result().last for each in later] == list(range(len(log) + 1, len(log) + 41))


def again(recorder: PostgresRecorder, name: str) -> None:
    """Asks once more under the key, whatever became of it before."""
    with suppress(AlreadyAppended):
        recorder.append([event(name)], once=once(name))


def came_of(pending: Pending) -> int | None:
    """Its position; None where a fault was told."""
    try:
        return pending.result().last
    except (Broken, psycopg.OperationalError):
        return None


class Faulty:
    """Lets a fault happen once, before or after a step."""

    def __init__(self, act: Callable[[Database], None], *, after: bool, skip: int) -> None:
        self.happened = False
        self._act, self._after, self._skip = act, after, skip

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(line: Line, *asked: Any) -> Any:
            due, self._skip = not self.happened and self._skip == 0, self._skip - 1
            if due and not self._after:
                self._happen(line)
            came = step(line, *asked)
            if due and self._after:
                self._happen(line)
            return came

        return faulty

    def _happen(self, line: Line) -> None:
        self.happened = True
        self._act(line.database)


def test_whoever_waits_when_the_thread_fails_is_told_and_the_next_has_another_thread(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: ended.append(failed.exc_type))
    with monkeypatch.context() as patched:
        patched.setattr(Sequencer, "_take", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            recorder.submit(Append([event("lost")])).result()
    wait_until(lambda: ended == [ZeroDivisionError])
    assert recorder.submit(Append([event("next")])).result().last == 1


def test_what_is_submitted_while_nobody_waits_is_appended_too(recorder: PostgresRecorder) -> None:
    assert [recorder.submit(Append([event()])).result().last for _ in range(3)] == [1, 2, 3]
    with pytest.raises(ProgrammingError, match="at least one event"):
        recorder.submit(Append([]))


def test_several_may_wait_for_what_was_submitted() -> None:
    pending = Pending(Append([event()]))
    with ThreadPoolExecutor(2) as threads:
        came = [threads.submit(pending.result) for _ in range(2)]
        Pending.tell([pending], [Appended(1, 1)])
        assert [result.result(timeout=10).last for result in came] == [1, 1]
