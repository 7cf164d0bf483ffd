"""What a request leaves behind for the next one, and what a large one hopes for."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from eventsourcing.dcb.api import DCBSequencedEvent

from chance import Chance
from domain.facts import Facts, fold
from given import A, Stated, interviewed, registered, renamed
from ledger.appends import Append, Appended
from ledger.entry import seal
from ledger.ledger import MANY, Ledger
from ledger.recorder import PostgresRecorder
from ledger.snapshots import EVERY, Snapshots
from ledger.tree import LedgerTree
from projecting import A_ROW_IN_EVERY_TABLE
from running import System, code, started

MANY_NAMES = [renamed(f"2021-01-{1 + number % 28:02}", name=f"Name {number}") for number in range(MANY)]


@pytest.fixture
def still(database: str) -> Iterator[System]:
    """A system whose runner stands still."""
    with started(database) as system:
        system.runner.stop()
        yield system


def seen(facts: Facts) -> tuple[int, int, list[Any]]:
    return facts.position, facts.size, list(facts.all())


def kept(system: System) -> Mapping[str, Facts]:
    return dict(system.ledger.streams._kept)


def test_what_was_weighed_is_kept_as_the_log_tells_it(still: System) -> None:
    for fact in A_ROW_IN_EVERY_TABLE:
        still.record(fact)
    Chance(still, 3).happen(80)
    log = still.log()
    folds = {tag: facts for tag, facts in kept(still).items() if tag.startswith("enterprise:")}
    assert len(folds) > 1
    for tag, facts in folds.items():
        assert seen(facts) == seen(fold(each for each in log[: facts.position] if tag in each.tags)), tag


def test_what_was_weighed_is_not_read_back(still: System, monkeypatch: pytest.MonkeyPatch) -> None:
    still.record(registered(), interviewed("2020-01-02"))
    found: list[DCBSequencedEvent] = []
    read = still.recorder.read_streams

    def watched(wanted: Mapping[str, int], upto: int | None = None) -> tuple[int, list[DCBSequencedEvent]]:
        head, events = read(wanted, upto)
        found.extend(events)
        return head, events

    monkeypatch.setattr(still.recorder, "read_streams", watched)
    still.record(interviewed("2020-01-03"))
    assert found == []


def test_what_holds_personal_data_is_not_kept_as_it_was_weighed(still: System) -> None:
    still.record(registered(legalRepresentative="张三"))
    still.record(registered(uscc=code(7)))
    assert "张三" not in repr([seen(facts) for facts in kept(still).values()])


def test_a_fold_that_grew_by_much_is_left_to_be_read_and_gets_its_snapshot(still: System) -> None:
    still.ledger.streams._snapshots = Snapshots(still.pool)
    still.record(registered(), *(interviewed("2020-01-02", caseId=f"Y{number}") for number in range(EVERY)))
    assert f"enterprise:{A}" not in kept(still)
    still.record(interviewed("2020-01-03"))
    with still.pool.connection() as database:
        assert database.execute("SELECT tag FROM snapshots").fetchall() == [(f"enterprise:{A}",)]


def beside(
    still: System, monkeypatch: pytest.MonkeyPatch, *rivals: Callable[[], object]
) -> list[tuple[int, Appended | None]]:
    """Lets something come before each append, and tells of each how many look-ups its condition has and what came of it."""
    appended: list[tuple[int, Appended | None]] = []
    coming = list(rivals)
    real = still.recorder.append_with_receipts

    def append(asked: Append) -> Appended:
        if coming:
            coming.pop(0)()
        assert asked.condition is not None
        appended.append((len(asked.condition.fail_if_events_match.items), None))
        made = real(asked)
        appended[-1] = appended[-1][0], made
        return made

    monkeypatch.setattr(still.recorder, "append_with_receipts", append)
    return appended


def other(still: System, *facts: Stated) -> Callable[[], object]:
    """Another process that records facts once."""
    recorder = PostgresRecorder(still.pool, seal=seal, tree=LedgerTree(still.signer))
    ledger = Ledger(recorder, still.sealer)
    return lambda: ledger.record(still.callers["miit"], "other", facts)


def test_a_large_request_asks_only_whether_anything_came_and_goes_in_beside_what_it_did_not_read(
    still: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    still.record(registered())
    before = still.head
    appended = beside(still, monkeypatch, other(still, registered(uscc=code(5))))
    recorded = still.record(*MANY_NAMES)
    assert [each.position for each in recorded] == list(range(before + 2, before + 2 + MANY))
    # The first hoped that nothing came; the second names what it read, and what comes after the lost hope does so at once.
    (first, refused), (second, made) = appended
    assert (first, refused) == (0, None)
    assert second > 0
    assert made is not None
    still.record(*MANY_NAMES)
    assert appended[2][0] > 0
    still.record(*MANY_NAMES)
    assert appended[3][0] == 0


def test_a_large_request_weighs_again_what_came_to_its_own_enterprise(
    still: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [registered(uscc=code(number)) for number in range(MANY)]
    appended = beside(still, monkeypatch, other(still, registered(uscc=code(7))))
    made = still.ledger.record(still.callers["miit"], "large", facts)
    assert [one.path for one in made.refusals] == ["facts.7.enterpriseRegistered.uscc"]
    assert [of for _, of in appended] == [None]
