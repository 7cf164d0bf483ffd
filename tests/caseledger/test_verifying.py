"""`caseledger verify` and `export --format evidence`."""

import json
from pathlib import Path

import psycopg
import pytest

from caseledger.settings import Settings
from commanding import Ran
from ledger.notes import Signer


@pytest.fixture
def evidence(placed: Ran, tmp_path: Path) -> Path:
    assert placed("export", "--format", "evidence", "--out", "out") == 0, placed.err
    return tmp_path / "out"


def test_a_fresh_ledger_verifies_and_so_does_what_it_exports(placed: Ran, evidence: Path) -> None:
    assert placed("verify") == 0
    assert placed.out.startswith("4 entries hold under the root ")
    assert placed("verify", "--evidence", "out", "--checkpoint", "out/checkpoint") == 0
    assert "compare it with the one that the ledger publishes" in placed.err
    found = placed.json("verify", "--evidence", "out", "--key", "out/verifier")
    assert (found["holds"], found["size"], found["verifier"]) == (True, 4, (evidence / "verifier").read_text().strip())


def test_evidence_is_verified_where_no_ledger_is(
    ran: Ran, placed: Ran, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert ran("verify", "--evidence", str(evidence)) == 0


def test_what_does_not_hold_is_named_with_code_1(placed: Ran, evidence: Path) -> None:
    entries = (evidence / "entries.jsonl").read_bytes()
    (evidence / "entries.jsonl").write_bytes(entries.replace(b'"position":3', b'"position":9'))
    assert placed("verify", "--evidence", "out") == 1
    assert placed.err.endswith("Position 3 does not hold: the entry there says that it is at position 9.\n")
    assert placed("verify", "--evidence", "out", "--json") == 1
    assert json.loads(placed.out)["position"] == 3


def test_a_projection_that_is_ahead_of_the_ledger_is_found(placed: Ran, settings: Settings) -> None:
    assert placed("verify") == 0
    with psycopg.connect(settings.database_url or "", options=f"-c search_path={settings.schema}") as conn:
        conn.execute("INSERT INTO projections (name, position) VALUES ('later', 99)")
    assert placed("verify") == 1
    assert "the projection later says that it has read up to 99" in placed.err


def test_a_checkpoint_of_another_ledger_is_refused(placed: Ran, evidence: Path, tmp_path: Path) -> None:
    signed = (evidence / "checkpoint").read_text()
    (tmp_path / "other").write_text(signed.replace("caseledger/", "otherledger/"))
    assert placed("verify", "--checkpoint", "other") == 2
    assert "is no checkpoint that caseledger/" in placed.err
    key = str(Signer.generate("other.example").verifier)
    assert placed("verify", "--evidence", "out", "--key", key) == 1
    assert "is not signed by other.example" in placed.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "--evidence", "nowhere"], "cannot be read (No such file or directory): an evidence folder has"),
        (["verify", "--evidence", "out", "--key", "nokey"], "--key is a verifier key"),
        (["verify", "--checkpoint", "nowhere"], "nowhere cannot be read"),
        (["export", "--out", "out"], "out exists already"),
        (["export", "--out", "x", "--format", "yaml"], "--format is evidence; got yaml"),
        (["export", "--out", "no/such/place"], "cannot be written"),
    ],
)
@pytest.mark.usefixtures("evidence")
def test_what_cannot_be_looked_at_is_said_in_one_sentence(placed: Ran, arguments: list[str], said: str) -> None:
    assert placed(*arguments) == 2
    assert said in placed.err
    assert placed.err.count("\n") == 1
