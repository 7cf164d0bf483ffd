"""Events of one ledger as facts for another: each is one that a client may state."""

import json
from typing import Any

import pytest

from domain.commands import command
from domain.recorded import Recorded, tags_of
from given import EVERY_EVENT, NOW
from ledger.cloudevents import stated
from ledger.restating import is_the_ledgers_own, placed, placeless, positions_stated, restated


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", EVERY_EVENT)
def test_every_fact_comes_out_as_one_that_a_client_may_state(name: str) -> None:
    sent = EVERY_EVENT[name].fields
    made, _ = command(name, sent, NOW)
    assert made
    event = made.event
    recorded = Recorded(7, "id", type(event).__name__, made.effective_on, NOW, "x", False, tags_of(event), event)
    again, fact = restated(recorded.type, as_json(stated(recorded)))
    taken, flaws = command(again, fact, NOW)
    assert (again, flaws) == (name, [])
    assert taken
    assert (taken.effective_on, taken.historical) == (made.effective_on, type(event).gated)
    hidden = {"decisionId", "justification", "drawId", "legalRepresentative", "complainantPhone", "summary"}
    given = {key for key, value in sent.items() if value is not None and key != "historical"}
    assert fact.keys() - {"effectiveOn", "historical"} == given - hidden - {"effectiveOn"}


@pytest.mark.parametrize(
    ("type_", "recorded_by", "is_own"),
    [
        ("GateDecided", "regulator:MIIT:x", True),
        ("InspectionDrawn", "regulator:MIIT:x", True),
        ("SubjectErased", "regulator:MIIT:x", True),
        ("RulebookAdopted", "ledger", True),
        ("RulebookAdopted", "regulator:MIIT:x", False),
        ("LicenceGranted", "regulator:MIIT:x", False),
    ],
)
def test_what_a_ledger_makes_by_itself_is_told_by_type_and_by_whom(type_: str, recorded_by: str, is_own: bool) -> None:
    assert is_the_ledgers_own(type_, recorded_by) is is_own


def test_positions_are_those_of_the_ledger_that_takes_the_fact() -> None:
    entry, void = {"entryId": "E-1", "basis": [3, 5]}, {"position": 9, "reason": "误录"}
    assert positions_stated("listEntryMade", entry) == [3, 5]
    assert positions_stated("eventVoided", void) == [9]
    assert placed("listEntryMade", entry, {3: 30, 5: 50}) == {"entryId": "E-1", "basis": [30, 50]}
    assert placed("eventVoided", void, {9: 90}) == {"position": 90, "reason": "误录"}
    assert placeless("listEntryMade", entry) == {"entryId": "E-1"}
    assert placeless("penaltyImposed", {"basis": "法"}) == {"basis": "法"}


@pytest.mark.parametrize("basis", [None, "x", {"a": 1}, [True, "x", None]])
def test_what_is_no_position_names_none(basis: Any) -> None:
    assert positions_stated("listEntryMade", {"basis": basis}) == []
    assert positions_stated("penaltyImposed", {"basis": 5, "position": 5}) == []
