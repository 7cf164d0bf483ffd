from collections import Counter
from datetime import UTC, date, datetime
from typing import cast

import pytest

from caseledger.demo import HOLDERS, fill, tell
from caseledger.demo_firms import FIRMS
from caseledger.errors import NotEmpty
from caseledger.wiring import System
from domain.callers import Role
from domain.credit import credit
from domain.events import EVENTS, GateDecided
from domain.facts import Moment
from domain.identifiers import uscc
from domain.recorded import Recorded
from domain.vocabulary import Area, CreditStatus, Outcome
from ledger.entry import opened
from ledger.ledger import Ledger
from ledger.recorder import PostgresRecorder
from ledger.sealing import Discarding
from memory import MemoryRecorder

NOT_TOLD = {"InspectionDrawn", "SubjectErased"}
"""Events that nothing can make the ledger record yet."""


def told(today: date) -> Ledger:
    """A ledger in memory in which all stories were told, on a day."""
    noon = datetime(today.year, today.month, today.day, 4, tzinfo=UTC)
    ledger = Ledger(cast(PostgresRecorder, MemoryRecorder(clock=lambda: noon)), Discarding(), clock=lambda: noon)
    ledger.adopt()
    for _ in tell(ledger, today):
        pass
    return ledger


def events(ledger: Ledger) -> list[Recorded]:
    return [opened(found.event.data) for found in ledger.recorder.read()]


@pytest.fixture(scope="module")
def today() -> date:
    return date(2026, 11, 24)


@pytest.fixture(scope="module")
def ledger(today: date) -> Ledger:
    return told(today)


def test_some_three_hundred_events_of_every_type_and_area_are_told(ledger: Ledger) -> None:
    found = events(ledger)
    assert 280 <= len(found) <= 330
    assert {event.type for event in found} == set(EVENTS) - NOT_TOLD
    assert {type(event.event).area for event in found} == set(Area)
    assert min(event.effective_on for event in found if event.uscc).year == 2019


def test_the_same_day_tells_the_same_history(ledger: Ledger, today: date) -> None:
    def without_ids(told: Ledger) -> list[tuple[object, ...]]:
        ids: dict[str, str] = {}
        for event in events(told):
            if isinstance(event.event, GateDecided):
                ids[event.event.decision_id] = f"decision {len(ids)}"
        rows: list[tuple[object, ...]] = []
        for event in events(told):
            stated = repr(event.event)
            for each, name in ids.items():
                stated = stated.replace(each, name)
            rows.append((event.type, event.effective_on, event.recorded_by, stated))
        return rows

    assert without_ids(told(today)) == without_ids(ledger)


@pytest.mark.parametrize("day", ["2026-05-01", "2027-03-01", "2028-02-29", "2030-12-31"])
def test_the_stories_can_be_told_on_other_days_too(day: str) -> None:
    assert len(events(told(date.fromisoformat(day)))) > 280


def test_enterprises_are_in_every_state_today(ledger: Ledger, today: date) -> None:
    _, streams = ledger.streams.read([f"enterprise:{firm.code}" for firm in FIRMS])
    statuses = Counter(credit(facts, Moment(today)).status for facts in streams.values())
    assert set(statuses) == set(CreditStatus) - {CreditStatus.UNKNOWN}
    assert statuses[CreditStatus.GOOD] >= 5


def test_gates_permit_review_and_refuse(ledger: Ledger) -> None:
    decisions = [event.event for event in events(ledger) if isinstance(event.event, GateDecided)]
    assert {decision.outcome for decision in decisions} == set(Outcome)
    live = [event for event in events(ledger) if type(event.event).gated and not event.historical]
    assert {event.type for event in live} == {"LicenceGranted", "NumberFiled", "AccessGranted"}


def test_enterprises_have_valid_codes_of_their_own_in_several_provinces() -> None:
    assert [uscc(firm.code) for firm in FIRMS] == [firm.code for firm in FIRMS]
    assert len({firm.code for firm in FIRMS}) == len({firm.number for firm in FIRMS}) == len(FIRMS) == 16
    assert len({firm.province for firm in FIRMS}) > 10


def test_a_demonstration_gives_a_key_for_each_role(system: System) -> None:
    filled = fill(system)
    assert filled.events == system.ledger.recorder.head() - 4
    assert [role for role, _, _ in filled.keys] == list(Role)
    callers = [system.keys.caller(key) for _, _, key in filled.keys]
    assert [caller.role if caller else None for caller in callers] == [holder["role"] for holder in HOLDERS]
    assert system.runner.position() == system.ledger.recorder.head()


def test_a_ledger_with_a_history_is_left_alone(system: System) -> None:
    code = FIRMS[0].code
    fact = ("enterpriseRegistered", {"uscc": code, "name": "真", "province": "11"})
    assert not system.ledger.record(system.keys.create("regulator")[1].caller, "k", [fact]).refusals
    with pytest.raises(NotEmpty, match="This ledger has 5 events, and a demonstration is for an empty one"):
        fill(system)
    assert system.ledger.recorder.head() == 5
    assert len(system.keys.list()) == 1
