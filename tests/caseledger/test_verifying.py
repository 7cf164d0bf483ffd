"""`caseledger verify`, and the folders of `export --format evidence`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from caseledger.settings import Settings
from caseledger.verifying import _projections
from caseledger.wiring import open_system
from commanding import Ran
from given import A, B, C, interviewed, registered
from ledger.imports import IMPORTER
from ledger.notes import Cosigner, Signer
from ledger.verify_database import verify_database
from tampering import unguarded

COSIGNER = str(Cosigner.generate("witness.example").verifier)


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


def test_a_part_is_exported_and_says_from_where_to_where_it_holds(placed: Ran, evidence: Path) -> None:
    assert placed("export", "--out", "part", "--after", "1", "--upto", "3") == 0
    assert placed.err.startswith("part has the entries 2 to 3 as evidence, in ")
    assert placed("verify", "--evidence", "part", "--checkpoint", "part/checkpoint") == 0
    assert placed.out.startswith("The entries 2 to 3 hold under the root ")
    found = placed.json("verify", "--evidence", "part")
    assert (found["after"], found["size"]) == (1, 3)


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
        (["verify", "--evidence", "out", "--key", "nokey"], "--key is a ledger's verifier key"),
        (["verify", "--key", "out/verifier"], "--key is for --evidence"),
        (["verify", "--checkpoint", "nowhere"], "nowhere cannot be read"),
        (["export", "--out", "out"], "out exists already"),
        (
            ["export", "--out", "x", "--format", "yaml"],
            "--format is one of jsonl, cloudevents, ocel-sqlite, ocel-json, parquet, evidence, draw; got yaml",
        ),
        (["export", "--out", "no/such/place"], "cannot be written"),
        (["export", "--out", "x", "--after", "-1"], "should be greater than or equal to 0"),
        (["export", "--out", "x", "--after", "3", "--upto", "3"], "got after 3 and up to 3"),
        (["export", "--out", "x", "--upto", "5"], "up to at most 4, the head; got after 0 and up to 5"),
        (["verify", "--evidence", "out", "--key", COSIGNER], "--key is a ledger's verifier key"),
    ],
)
@pytest.mark.usefixtures("evidence")
def test_what_cannot_be_looked_at_is_said_in_one_sentence(placed: Ran, arguments: list[str], said: str) -> None:
    assert placed(*arguments) == 2
    assert said in placed.err
    assert placed.err.count("\n") == 1


# One enterprise


@pytest.fixture
def mailed(placed: Ran, settings: Settings, tmp_path: Path) -> Path:
    with open_system(settings) as system:
        assert system.ledger.record(IMPORTER, "1", [registered(), registered(uscc=B)]).refusals == ()
        assert system.ledger.record(IMPORTER, "2", [interviewed(uscc=A), interviewed(uscc=B)]).refusals == ()
    for name in ("one.jsonl", "one.jsonl.gz"):
        assert placed("export", "--uscc", A, "--out", name) == 0, placed.err
    return tmp_path / "one.jsonl"


@pytest.mark.usefixtures("mailed")
def test_one_enterprise_is_verified_by_its_file_alone_and_that_it_has_no_more(
    placed: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert placed.err.startswith("one.jsonl.gz has the entries 1 to 8 as evidence: 2 entries, in ")
    assert placed("export", "--out", "all", "--upto", "6") == placed("export", "--out", "later") == 0
    assert placed("verify") == 0
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    for name in ("one.jsonl", "one.jsonl.gz"):
        assert placed("verify", "--evidence", name, "--checkpoint", "later/checkpoint") == 0
        assert placed.out.startswith(
            f"2 entries of {A}, at positions 5 to 7, are all that there are of it in the ledger of 8 entries under the root "
        )
        assert "compare it with the one that the ledger publishes" in placed.err
    found = placed.json("verify", "--evidence", "one.jsonl", "--key", "all/verifier")
    assert (found["holds"], found["entries"], found["first"], found["last"], found["complete"]) == (True, 2, 5, 7, True)
    assert placed("verify", "--evidence", "one.jsonl", "--checkpoint", "all/checkpoint") == 2
    assert "is of 6 entries, and the file's of 8" in placed.err


def test_a_file_of_before_there_was_a_map_holds_and_what_it_does_not_prove_is_said(placed: Ran, mailed: Path) -> None:
    head, *lines = mailed.read_bytes().splitlines()
    old = {name: value for name, value in json.loads(head).items() if name in {"checkpoint", "uscc", "verifier"}}
    rest = [line for line in lines if b'"proofs"' not in line]
    mailed.write_bytes(b"\n".join([json.dumps(old).encode(), *rest, b""]))
    assert placed("verify", "--evidence", "one.jsonl") == 0
    assert "That it has no others of this enterprise is not proved" in placed.out
    assert placed.json("verify", "--evidence", "one.jsonl")["complete"] is False


@pytest.mark.usefixtures("mailed")
def test_that_nothing_of_an_area_is_recorded_is_verified_by_its_file_alone(
    placed: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = placed.json("export", "--uscc", A, "--absence", "penalty", "--absence", "GateDecided", "--out", "none.jsonl")
    assert (made["upto"], made["absent"][0], made["uscc"]) == (8, "GateDecided", A)
    assert placed("export", "--uscc", C, "--absence", "ALL", "--upto", "7", "--out", "never.jsonl.gz") == 0
    assert placed("verify") == 0
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert placed("verify", "--evidence", "none.jsonl") == 0
    assert placed.out.startswith(
        "No GateDecided, PenaltyAnnulled, PenaltyImposed, PenaltyPerformed, PenaltyPublicised (all of PENALTY) of "
        f"{A} is recorded in the ledger of 8 entries under the root "
    )
    assert placed("verify", "--evidence", "never.jsonl.gz") == 0
    assert placed.out.startswith(f"No event of {C} is recorded in the ledger of ")
    found = placed.json("verify", "--evidence", "none.jsonl")
    assert (found["holds"], found["size"], found["areas"]) == (True, 8, ["PENALTY"])
    assert found["absent"] == made["absent"]


def test_what_was_changed_in_the_file_of_an_enterprise_is_named_by_its_line(placed: Ran, mailed: Path) -> None:
    mailed.write_text(mailed.read_text().replace('\\"historical\\":false', '\\"historical\\":true', 1))
    assert placed("verify", "--evidence", "one.jsonl") == 1
    assert (
        placed.err
        == "Line 3 does not hold: its entry, of position 5, is not in the tree of the checkpoint by its proof.\n"
    )
    assert placed("verify", "--evidence", "one.jsonl", "--json") == 1
    assert json.loads(placed.out)["line"] == 3


def test_a_line_that_never_ends_is_read_no_further_than_the_longest(
    placed: Ran, mailed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = mailed.read_bytes().splitlines(keepends=True)
    monkeypatch.setattr("caseledger.verifying.LONGEST_LINE", max(map(len, lines)))
    assert placed("verify", "--evidence", "one.jsonl") == 0
    mailed.write_bytes(lines[0] + b'{"after":0,"proofs":[' + b" " * 99_999)
    assert placed("verify", "--evidence", "one.jsonl") == 1
    assert placed.err.endswith(
        "Line 2 does not hold: it is not what the map has of the entries 1 to 8: after, upto and proofs.\n"
    )


UNFIT: Final[list[tuple[list[str], str]]] = [
    (["export", "--uscc", C, "--out", "x"], f"There is nothing of {C} in this ledger after 0 and up to 8"),
    (["export", "--uscc", A, "--out", "x", "--after", "7"], f"There is nothing of {A} in this ledger after 7"),
    (["export", "--uscc", A, "--out", "x", "--after", "8"], "got after 8 and up to 8"),
    (["export", "--uscc", A, "--out", "x", "--upto", "9"], "got after 0 and up to 9"),
    (["export", "--uscc", A[:-1] + "X", "--out", "x"], "The check character (18th)"),
    (["export", "--uscc", A, "--out", "x", "--format", "jsonl"], "--uscc is for --format evidence; got jsonl"),
    (["export", "--uscc", A, "--out", "one.jsonl"], "one.jsonl exists already"),
    (
        ["export", "--uscc", A, "--absence", "INTERVIEW", "--out", "x"],
        f"Up to 8 the ledger has of {A} what was asked to be absent, at 7 (InterviewHeld): ",
    ),
    (
        ["export", "--uscc", A, "--absence", "FINES", "--out", "x"],
        "or a type of event such as PenaltyImposed; got “FINES”",
    ),
    (["export", "--absence", "PENALTY", "--out", "x"], "--absence is for one enterprise, --uscc USCC"),
    (["export", "--uscc", A, "--absence", "PENALTY", "--after", "1", "--out", "x"], "and from the first entry on"),
    (["verify", "--evidence", "cut.gz"], "cut.gz is a damaged gzip file, or one that was cut off"),
    (["verify", "--evidence", "text"], "The file is no evidence of an enterprise"),
]


def test_what_cannot_be_mailed_or_read_is_said_in_one_sentence(placed: Ran, mailed: Path) -> None:
    packed = mailed.with_name("one.jsonl.gz").read_bytes()
    mailed.with_name("cut.gz").write_bytes(packed[: len(packed) // 2])
    mailed.with_name("text").write_text("text\n")
    for arguments, said in UNFIT:
        assert placed(*arguments) == 2
        assert said in placed.err
        assert placed.err.count("\n") == 1
    assert not mailed.with_name("x").exists()


def test_a_ledger_that_is_gone_is_found_by_a_checkpoint_that_was_kept(placed: Ran, owner: psycopg.Connection) -> None:
    owner.execute(
        "DELETE FROM log_key; DELETE FROM events; DELETE FROM node_runs; DELETE FROM checkpoints; DELETE FROM tags"
    )
    owner.execute("UPDATE head SET position = 0")
    assert placed("verify") == 0
    assert placed("verify", "--checkpoint", "out/checkpoint") == 1
    assert "Position 1 does not hold: a checkpoint was kept, and there is no ledger's key" in placed.err


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (5, "DELETE FROM head"),
        (1, "UPDATE log_key SET verifier = 'garbage'"),
        (1, f"UPDATE log_key SET verifier = '{COSIGNER}'"),
        (2, "UPDATE events SET recorded_at = 'infinity' WHERE position = 2"),
        (
            2,
            "UPDATE events SET data = convert_to('{\"data\":{\"a\":' || repeat('[', 99999), 'UTF8') WHERE position = 2",
        ),
        (2, "UPDATE checkpoints SET signed_at = '20000-01-01' WHERE size = 2"),
    ],
    ids=["no head", "garbage key", "a witness's key", "infinity", "nested", "signed late"],
)
def test_whatever_is_in_the_database_a_sentence_says_what_is_wrong(
    placed: Ran, owner: psycopg.Connection, position: int, change: str
) -> None:
    owner.execute(change.encode())
    for arguments in (["verify"], ["verify", "--checkpoint", "out/checkpoint"]):
        assert placed(*arguments) == 1
        assert re.fullmatch(rf"Position {position} does not hold: .*\n", placed.err)
        assert "rror" not in placed.err
    assert placed("export", "--out", "x") in {0, 1, 2}
    assert placed.err.count("\n") == 1


# The command only looks


CLEARED = "DELETE FROM node_runs WHERE level > 0 OR first = 3; DELETE FROM checkpoints WHERE size = 4"


@pytest.fixture
def owner(settings: Settings, evidence: Path) -> Iterator[psycopg.Connection]:
    """The owner of a ledger of four events, who has taken away what keeps them from being changed."""
    with unguarded(settings.database_url or "", settings.schema) as conn:
        yield conn


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (1, "UPDATE events SET data = 'x' WHERE position = 1"),
        (4, "UPDATE events SET data = 'x' WHERE position = 4"),
        (1, "DELETE FROM events WHERE position = 1"),
        (1, "DELETE FROM node_runs; DELETE FROM checkpoints"),
        (2, CLEARED),
    ],
    ids=["first", "last", "dropped", "tree", "top"],
)
def test_what_was_taken_away_is_named_and_not_made_and_signed_again(
    placed: Ran, owner: psycopg.Connection, position: int, change: str
) -> None:
    owner.execute(change.encode())
    before = owner.execute(ALL).fetchall()
    for _ in range(2):
        assert placed("verify") == 1
        assert f"Position {position} does not hold: " in placed.err
    assert owner.execute(ALL).fetchall() == before


ALL = (
    "SELECT size, root, note FROM checkpoints UNION ALL SELECT first, hashes, level::text FROM node_runs ORDER BY 1, 3"
)


def test_neither_the_signing_key_nor_the_master_key_is_needed(placed: Ran, settings: Settings, evidence: Path) -> None:
    settings.signing_key.unlink()
    settings.master_key.path.unlink()
    assert placed("verify") == 0
    assert not settings.signing_key.exists()


def test_a_database_without_a_ledger_is_named_and_stays_without(
    ran: Ran, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("CASELEDGER_SCHEMA", "none_here")
    assert ran("verify") == 2
    assert "holds no ledger of this program in the schema none_here" in ran.err
    with psycopg.connect(settings.database_url or "") as conn:
        assert conn.execute("SELECT to_regnamespace('none_here')").fetchone() == (None,)


def test_a_ledger_that_moves_on_meanwhile_holds(settings: Settings, evidence: Path) -> None:
    """What comes after the moment that is looked at is no reader of what there is not."""
    with open_system(settings) as system:

        def moves_on(done: int, of: int) -> None:
            fact = registered()
            assert system.ledger.record(IMPORTER, "meanwhile", [(fact.name, fact.fields)]).refusals == ()
            system.runner.catch_up()

        system.runner.catch_up()
        with system.pool.connection() as database:
            assert _projections(database) != []
        signed, _ = verify_database(system.pool, None, moves_on, readers=_projections)
    assert signed is not None
    assert signed.size == 4
