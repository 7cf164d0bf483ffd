"""`caseledger export --format draw` and `verify-draw`: a stranger checks a draw, and whatever was changed is named."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from commanding import Ran
from domain.callers import Caller, Role
from drawing import INSPECTORS, licensees
from given import listed, registered, voided
from ledger.drawing import Drawing
from ledger.notes import Cosigner, Signer
from naive.tree import path_of
from projections.pools import Pools
from running import code

MIIT = Caller(Role.REGULATOR, "drawing", "MIIT")
ASKED = {"drawId": "D-1", "authority": "MIIT", "count": 3, "inspectors": list(INSPECTORS)}
POOL = 9
Lines = list[dict[str, Any]]


def record(system: System, key: str, *facts: Any) -> None:
    made = system.ledger.record(MIIT, key, facts)
    assert made.refusals == ()
    system.runner.catch_up()


@pytest.fixture
def evidence(placed: Ran, settings: Settings, tmp_path: Path) -> Path:
    """A draw of three from a pool of nine, whose statuses have changed since, exported to draw.jsonl."""
    with open_system(settings) as system:
        record(system, "1", *licensees(range(1, 1 + POOL)), registered(uscc=code(50)))
        record(system, "2", listed("2026-05-01", uscc=code(1), entryId="E-1"))
        made = Drawing(system.ledger, Pools(system.runner).pool).draw(MIIT, "draw", ASKED)
        assert made.refusals == ()
        record(system, "3", listed("2026-05-01", uscc=code(2), entryId="E-2"), *licensees([30]), voided(5))
    assert placed("export", "--format", "draw", "--draw", "D-1", "--out", "draw.jsonl") == 0, placed.err
    return tmp_path / "draw.jsonl"


def test_a_draw_holds_by_its_file_alone(ran: Ran, placed: Ran, evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert ran("verify-draw", "draw.jsonl") == 0, ran.err
    assert ran.out.startswith("The draw D-1 of 3 out of 9 enterprises holds: position ")
    assert "compare it with the one that the ledger publishes" in ran.err
    key = json.loads(evidence.read_text().split("\n")[0])["verifier"]
    found = ran.json("verify-draw", "draw.jsonl", "--key", key)
    assert (found["holds"], found["poolSize"], len(found["drawn"])) == (True, POOL, 3)


def test_a_line_proves_a_member_by_the_first_hashes_of_its_inclusion_proof(evidence: Path) -> None:
    _, *members = map(json.loads, evidence.read_text().splitlines())
    leaves = []
    for member in members:
        line = {name: member[name] for name in ("status", "tickets", "uscc")}
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        leaves.append(sha256(b"\x00" + text.encode()).digest())
    assert [bytes.fromhex(member["leaf"]) for member in members] == leaves
    for place, member in enumerate(members):
        proof = [hash_.hex() for hash_ in path_of(place, leaves)]
        assert member["proof"] == proof[: len(member["proof"])]
    assert sum(len(member["proof"]) for member in members) == POOL - 1
    assert [member["status"] for member in members] == ["ADVERSE", *["GOOD"] * 8]


def entry(change: Callable[[dict[str, Any]], Any]) -> Callable[[Lines], Any]:
    def changed(lines: Lines) -> None:
        stated = json.loads(lines[0]["entry"])
        change(stated["data"])
        lines[0]["entry"] = json.dumps(stated, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    return changed


def relined(number: int, **given: Any) -> Callable[[Lines], Any]:
    """Changes a member together with its leaf, as whoever forges would."""

    def changed(lines: Lines) -> None:
        member = lines[number - 1]
        member.update(given)
        line = {name: member[name] for name in ("status", "tickets", "uscc")}
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        member["leaf"] = sha256(b"\x00" + text.encode()).hexdigest()

    return changed


def swapped(one: int, other: int) -> Callable[[Lines], Any]:
    def changed(lines: Lines) -> None:
        lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]

    return changed


def flipped(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


OTHER = str(Signer.generate("other.example").verifier)
CHANGES: dict[str, tuple[Callable[[Lines], Any], int, str]] = {
    "a status": (lambda lines: lines[4].update(status="WATCH"), 5, "WATCH has 2 tickets, not 1"),
    "a status and its tickets": (lambda lines: lines[4].update(status="WATCH", tickets=2), 5, "its leaf is not the hash"),
    "a status, tickets and leaf": (relined(5, status="WATCH", tickets=2), 5, "it is not the next member of the pool"),
    "a ticket count": (lambda lines: lines[1].update(tickets=5), 2, "ADVERSE has 4 tickets, not 5"),
    "a leaf": (lambda lines: lines[3].update(leaf=flipped(lines[3]["leaf"])), 4, "its leaf is not the hash"),
    "an unknown status": (relined(3, status="UNKNOWN", tickets=0), 3, "the status UNKNOWN was not asked for"),
    "a proof": (lambda lines: lines[1].update(proof=[flipped(h) for h in lines[1]["proof"]]), 2, "it is not the next"),
    "a proof's length": (lambda lines: lines[1]["proof"].pop(), 2, "its proof has 3 hashes, not 4"),
    "a member dropped": (lambda lines: lines.pop(4), 5, "it"),
    "the last dropped": (lambda lines: lines.pop(), 10, "the file ends, and the pool has 9 members"),
    "a member added": (lambda lines: lines.insert(4, {**lines[3], "uscc": "91110000000000003Z"}), 5, "its leaf"),
    "one added at the end": (lambda lines: lines.append({**lines[-1], "uscc": "Z" * 18}), 11, "this is one more"),
    "two swapped": (swapped(4, 5), 4, "it"),
    "a member twice": (lambda lines: lines.insert(4, lines[3]), 5, "does not come after"),
    "a line that is none": (lambda lines: lines.insert(4, {}), 5, "it is no member of a pool"),
    "a drawn one's key": (
        entry(lambda data: data["drawn"][0].update(key="0" * 64)), 1, "its entry is not in the tree of its checkpoint"),
    "an inspector": (entry(lambda data: data["drawn"][1]["inspectors"].reverse()), 1, "its entry is not in the tree"),
    "the root": (entry(lambda data: data.update(root="0" * 64)), 1, "its entry is not in the tree"),
    "the pool's root": (entry(lambda data: data.update(poolRoot="0" * 64)), 1, "its entry is not in the tree"),
    "the request": (entry(lambda data: data["request"].update(drawId="D-2")), 1, "its entry is no draw"),
    "the consistency proof": (
        lambda lines: lines[0].update(consistency=[flipped(h) for h in lines[0]["consistency"]]), 1, "the seed is not the root"),
    "the inclusion proof": (lambda lines: lines[0]["proof"].pop(), 1, "its entry is not in the tree"),
    "the checkpoint's size": (
        lambda lines: lines[0].update(checkpoint=lines[0]["checkpoint"].replace("\n", "\n1", 1)), 1, "is not signed by"),
    "the key": (lambda lines: lines[0].update(verifier=OTHER), 1, "its checkpoint is not signed by other.example"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_named_by_its_line(placed: Ran, evidence: Path, change: str) -> None:
    lines = [json.loads(line) for line in evidence.read_text().splitlines()]
    forge, line, why = CHANGES[change]
    forge(lines)
    evidence.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines))
    assert placed("verify-draw", "draw.jsonl") == 1, placed.out
    assert placed.err.startswith(f"Line {line} does not hold: "), placed.err
    assert why in placed.err
    assert placed("verify-draw", "draw.jsonl", "--json") == 1
    assert json.loads(placed.out)["line"] == line


@pytest.mark.parametrize("line", [b"", b"[]\n", b'{"entry": 1}\n', b"\xff\xfe\n", b'{"holds": true}\n'])
def test_a_file_that_is_none_is_told_from_one_that_does_not_hold(placed: Ran, evidence: Path, line: bytes) -> None:
    evidence.write_bytes(line)
    assert placed("verify-draw", "draw.jsonl") == 2
    assert placed.err.startswith("The file is no evidence of a draw")


def test_a_witness_is_not_taken_for_the_ledger(placed: Ran, evidence: Path) -> None:
    lines = [json.loads(line) for line in evidence.read_text().splitlines()]
    lines[0]["verifier"] = str(Cosigner.generate("witness.example").verifier)
    evidence.write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert placed("verify-draw", "draw.jsonl") == 2
    assert placed.err.startswith("The file is no evidence of a draw")


def test_another_key_does_not_hold(placed: Ran, evidence: Path) -> None:
    assert placed("verify-draw", "draw.jsonl", "--key", OTHER) == 1
    assert placed.err.startswith("Line 1 does not hold: its checkpoint is not signed by other.example")


def test_a_draw_that_was_recorded_wrong_is_found_though_every_proof_holds(
    placed: Ran, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_system(settings) as system, monkeypatch.context() as patch:
        record(system, "1", *licensees(range(1, 4)))
        patch.setattr("domain.draws.inspectors", lambda request, root, uscc: request.inspectors[:2])
        patch.setattr("domain.draws.least_key", lambda root, draw_id, uscc, count: "0" * 64)
        assert Drawing(system.ledger, Pools(system.runner).pool).draw(MIIT, "draw", ASKED).events
    assert placed("export", "--format", "draw", "--draw", "D-1", "--out", "draw.jsonl") == 0, placed.err
    assert placed("verify-draw", "draw.jsonl") == 1
    assert "Line 1 does not hold: number 1 of the drawn is {" in placed.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify-draw", "nowhere"], "nowhere cannot be read"),
        (["verify-draw", "empty"], "The file is no evidence of a draw"),
        (["verify-draw", "draw.jsonl", "--key", "x"], "--key is a ledger's verifier key"),
        (["export", "--format", "draw", "--out", "x"], "--format draw and --draw ID are given together"),
        (["export", "--draw", "D-1", "--out", "x"], "--format draw and --draw ID are given together"),
        (["export", "--format", "draw", "--draw", "D-9", "--out", "x"], "There is no draw D-9 in this ledger"),
        (["export", "--format", "draw", "--draw", "D-1", "--out", "draw.jsonl"], "draw.jsonl exists already"),
        (["export", "--format", "draw", "--draw", "D-1", "--out", "no/such"], "cannot be written"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_one_sentence(
    placed: Ran, evidence: Path, arguments: list[str], said: str
) -> None:
    (evidence.parent / "empty").touch()
    assert placed(*arguments) == 2
    assert said in placed.err
    assert placed.err.count("\n") == 1
    assert sorted(path.name for path in evidence.parent.iterdir() if path.is_file()) == ["draw.jsonl", "empty"]
