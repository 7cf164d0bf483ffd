"""The whole chain in processes of their own: a ledger of two workers, and two witnesses that it is told of."""

import socket
from pathlib import Path

import httpx
import pytest

from caseledger.settings import Settings
from commanding import Ran
from ledger.evidence import LONGEST_NOTE
from ledger.notes import (
    MOST_SIGNATURES,
    Checkpoint,
    Cosigner,
    Note,
    OpenedCheckpoint,
    Signer,
    Verifier,
    open_checkpoint,
)
from processes import Begin, Process
from running import wait_until

FACTS = '{"enterpriseRegistered": {"uscc": "91110000600037341L", "name": "甲", "province": "11"}}\n'


@pytest.fixture
def log(settings: Settings) -> Signer:
    """The ledger's signing key, there before its first start, so that witnesses can be given it."""
    settings.home.mkdir()
    return Signer.kept_at(settings.signing_key, "caseledger/test")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


def witness_of(process: Process) -> tuple[Verifier, str]:
    """The key of a witness, and the line that it says for the ledger's settings."""
    line = process.says("(?<=CASELEDGER_WITNESSES: ).*\n").strip()
    process.says("listening on http://")
    return Verifier.parse(line.split(" ")[0]), line


def test_events_are_cosigned_by_both_witnesses_through_restarts_and_the_checkpoint_verifies(
    begin: Begin, log: Signer, port: int, placed: Ran, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{port}"
    given = [["--key", str(tmp_path / name), "--log-key", str(log.verifier)] for name in ("one", "two")]
    processes = [begin("witness", url, *each, "--listen", "127.0.0.1:0") for each in given]
    witnesses = [witness_of(process) for process in processes]
    (tmp_path / "witnesses").write_text("".join(f"{line}\n" for _, line in witnesses))
    told = {"CASELEDGER_WITNESSES": str(tmp_path / "witnesses"), "CASELEDGER_WITNESS_SECONDS": "0.2"}
    server = begin("serve", "--port", str(port), "--workers", "2", **told)
    server.says("listening on")

    def witnessed() -> OpenedCheckpoint | None:
        answer = httpx.get(f"{url}/tlog/checkpoint/witnessed")
        if answer.status_code != 200:
            return None
        return open_checkpoint(answer.content, log.name, log.verifier, [key for key, _ in witnesses])

    def size() -> int:
        opened = witnessed()
        if opened:
            assert set(opened.cosigned_at) == {key for key, _ in witnesses}
        return opened.checkpoint.size if opened else 0

    wait_until(lambda: size() == 4)
    processes[0].end()
    (tmp_path / "facts.jsonl").write_text(FACTS, encoding="utf-8")
    assert placed("import", "facts.jsonl") == 0, placed.err
    again = begin("witness", url, *given[0], "--listen", witnesses[0][1].rpartition("//")[2])
    assert witness_of(again) == witnesses[0]
    wait_until(lambda: size() == 5)
    assert [each.end() for each in (server, again, processes[1])] == [0, 0, 0]

    assert placed("export", "--format", "evidence", "--out", "out") == 0, placed.err
    exported = open_checkpoint(
        (tmp_path / "out" / "checkpoint").read_bytes(), log.name, log.verifier, [key for key, _ in witnesses]
    )
    assert (exported.checkpoint.size, len(exported.cosigned_at)) == (5, 2)
    assert placed("verify", "--evidence", "out", "--checkpoint", "out/checkpoint") == 0, placed.err
    assert placed("verify", "--checkpoint", "out/checkpoint") == 0, placed.err


def test_witnesses_that_are_malformed_keep_the_server_from_starting(
    placed: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASELEDGER_WITNESSES", "nonsense http://127.0.0.1:8100")
    assert placed("serve") == 2
    assert placed.err.startswith(
        "CASELEDGER_WITNESSES is lines of VERIFIER_KEY URL, or a file of such lines. A verifier key"
    )


def test_a_checkpoint_with_as_many_cosignatures_as_a_note_may_have_verifies(placed: Ran, tmp_path: Path) -> None:
    assert placed("export", "--format", "evidence", "--out", "out") == 0, placed.err
    note = Note.parse((tmp_path / "out" / "checkpoint").read_bytes())
    checkpoint = Checkpoint.parse(note.text)
    cosigned = note.signed_with(
        *(Cosigner.generate(f"witness.example/{number}").cosign(checkpoint, 1) for number in range(MOST_SIGNATURES - 1))
    )
    assert len(cosigned.encoded) < LONGEST_NOTE
    (tmp_path / "kept").write_bytes(cosigned.encoded)
    assert placed("verify", "--checkpoint", "kept") == 0, placed.err
    assert placed("verify", "--evidence", "out", "--checkpoint", "kept") == 0, placed.err
