"""`caseledger erase`, `hold` and `rotate-master-key`, as a person at a terminal meets them."""

import io
import json

import pytest

from caseledger.settings import Settings
from caseledger.wiring import open_system
from commanding import Ran
from given import complained
from ledger.imports import IMPORTER

PHONE = "13800001111"


@pytest.fixture
def complaint(settings: Settings) -> None:
    """A ledger that holds one complaint."""
    fact = complained(complainantPhone=PHONE, summary="推销")
    with open_system(settings) as system:
        assert system.ledger.record(IMPORTER, "k", [(fact.name, fact.fields)]).refusals == ()


@pytest.mark.usefixtures("complaint")
def test_a_person_is_erased_by_a_number_that_no_list_of_processes_shows(
    placed: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PHONE}\n"))
    assert placed("erase", "--phone", "-", "--ground", "本人申请", "--json") == 0
    done = json.loads(placed.out)
    assert (done["position"], len(done["subject"])) == (6, 32)
    assert placed("erase", "--phone", PHONE, "--ground", "本人申请") == 2
    said = placed.err
    assert "holds no personal data of this person, or not any more" in said
    assert PHONE not in said


@pytest.mark.usefixtures("complaint")
def test_a_hold_keeps_a_person_until_it_is_released(placed: Ran) -> None:
    assert placed("hold", "--complaint", "C-1", "--reason", "诉讼") == 0
    assert placed("erase", "--complaint", "C-1", "--ground", "本人申请") == 2
    assert "under a legal hold: 诉讼; release it first." in placed.err
    assert placed("hold", "--complaint", "C-1", "--release") == 0
    assert placed("erase", "--complaint", "C-1", "--ground", "本人申请") == 0


@pytest.mark.usefixtures("complaint")
def test_the_master_key_is_rotated_by_one_command(placed: Ran, settings: Settings) -> None:
    before = settings.master_key.path.read_text()
    assert placed("rotate-master-key", "--json") == 0
    done = json.loads(placed.out)
    assert (done["subjects"], done["old"] != done["new"]) == (1, True)
    assert settings.master_key.path.read_text() != before
    assert placed("erase", "--phone", PHONE, "--ground", "本人申请") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["erase", "--ground", "x"], "Name the person by one of"),
        (["erase", "--ground", "x", "--phone", "1", "--complaint", "C"], "got 2 of them"),
        (["erase", "--phone", "1"], "Missing option"),
        (["hold", "--phone", "1"], "hold takes either --reason TEXT or --release"),
        (["hold", "--phone", "1", "--reason", "x", "--release"], "hold takes either --reason TEXT or --release"),
    ],
)
def test_wrong_usage_is_said_in_one_sentence(placed: Ran, arguments: list[str], said: str) -> None:
    assert placed(*arguments) == 2
    assert said in placed.err
