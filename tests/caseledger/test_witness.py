"""A witness that looks at real servers over HTTP, by the command line."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from caseledger.main import run
from given import complained
from ledger.notes import Cosigner, Signer, Verifier, open_checkpoint
from processes import Begin
from running import ADOPTED, Server, System, started

Ran = tuple[int, str, str]
Look = Callable[..., Ran]


@pytest.fixture
def signer() -> Signer:
    return Signer.generate("caseledger/test")


@pytest.fixture
def system(database: str, signer: Signer) -> Iterator[System]:
    with started(database, signer) as running:
        yield running


@pytest.fixture
def fork(database: str, signer: Signer) -> Iterator[System]:
    """Another history under the same key."""
    with started(database, signer) as running:
        yield running


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """One look of the same witness at a server: exit code, output and errors."""

    def looked(url: str, *options: str) -> Ran:
        code = run(["witness", url, "--key", str(tmp_path / "w.key"), *options])
        return code, *capsys.readouterr()

    return looked


def cosigned_size(system: System, folder: Path, note: str) -> int:
    """The size of a note that the ledger signed and the witness cosigned."""
    key = Cosigner.read(folder / "w.key").verifier
    opened = open_checkpoint(note.encode(), system.verifier.name, system.verifier, [key])
    assert opened.cosigned_at[key] > 1_700_000_000
    return opened.checkpoint.size


def test_the_first_look_makes_a_key_takes_the_log_on_trust_and_says_so(
    system: System, tmp_path: Path, look: Look
) -> None:
    code, out, err = look(system.url)
    assert (code, cosigned_size(system, tmp_path, out)) == (0, ADOPTED)
    assert f"The log key {system.verifier} is taken on the ledger's own word" in err
    assert stat.S_IMODE((tmp_path / "w.key").stat().st_mode) == 0o600


def test_a_ledger_that_grew_is_cosigned_again_by_its_tiles(system: System, tmp_path: Path, look: Look) -> None:
    look(system.url)
    system.record(*(complained(complaintId=f"C-{number}") for number in range(300)))
    code, out, err = look(system.url)
    assert (code, cosigned_size(system, tmp_path, out), err) == (0, ADOPTED + 300, "")
    code, out, err = look(system.url)
    assert (code, cosigned_size(system, tmp_path, out), err) == (0, ADOPTED + 300, "")


def test_a_log_key_is_given_as_text_or_by_a_file(system: System, tmp_path: Path, look: Look) -> None:
    (tmp_path / "log.key").write_text(f"{system.verifier}\n")
    for given in (str(system.verifier), str(tmp_path / "log.key")):
        code, out, err = look(system.url, "--log-key", given)
        assert (code, cosigned_size(system, tmp_path, out), err) == (0, ADOPTED, "")


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [(1, 1, "The log is split"), (1, 3, "The log is rewritten"), (3, 1, "The log has shrunk")],
)
def test_another_history_under_the_same_key_is_not_cosigned_and_both_notes_are_kept(
    system: System, fork: System, tmp_path: Path, look: Look, ours: int, theirs: int, said: str
) -> None:
    for each, count in ((system, ours), (fork, theirs)):
        each.record(*(complained(complaintId=f"C-{number}") for number in range(count)))
    look(system.url)
    state = (tmp_path / "w.key.state").read_bytes()
    code, out, err = look(fork.url)
    assert (code, out) == (1, "")
    assert err.startswith(f"NOT COSIGNED. {said}")
    assert (tmp_path / "w.key.state").read_bytes() == state
    (seen,) = tmp_path.glob("*.seen")
    assert seen.read_bytes() == system.http.get("/tlog/checkpoint").content
    assert seen.with_suffix("").read_bytes() == fork.http.get("/tlog/checkpoint").content
    assert look(system.url)[0] == 0


def test_a_witness_that_looks_on_says_what_it_sees_and_refuses_another_history_each_time(
    system: System, fork: System, tmp_path: Path, look: Look, begin: Begin
) -> None:
    system.record(complained(complaintId="C-1"))
    fork.record(complained(complaintId="C-2"), complained(complaintId="C-3"))
    given = ["--key", str(tmp_path / "w.key"), "--every", "0.2"]
    honest = begin("witness", system.url, *given)
    honest.says(f"cosigned: {ADOPTED + 1} entries under the root [0-9a-f]{{64}}\n")
    system.record(complained(complaintId="C-2"))
    honest.says(f"cosigned: {ADOPTED + 2} entries")
    assert honest.end() == 0
    forked = begin("witness", fork.url, *given)
    forked.says("(?s)NOT COSIGNED. The log is split.*NOT COSIGNED. The log is split")
    assert forked.end() == 0
    assert forked.out == []
    assert look(system.url)[0] == 0


def test_a_ledger_under_another_key_is_not_cosigned(system: System, database: str, tmp_path: Path, look: Look) -> None:
    look(system.url)
    state = (tmp_path / "w.key.state").read_bytes()
    with started(database) as other:
        code, out, err = look(other.url)
    assert (code, out) == (1, "")
    assert err.startswith("NOT COSIGNED.")
    assert (tmp_path / "w.key.state").read_bytes() == state


def test_the_pinned_key_is_not_changed_by_an_option(system: System, look: Look) -> None:
    look(system.url)
    other: Verifier = Signer.generate("another").verifier
    code, out, err = look(system.url, "--log-key", str(other))
    assert (code, out) == (2, "")
    assert "give that --log-key or another --state" in err


def test_nothing_is_cosigned_where_the_state_is_damaged(system: System, tmp_path: Path, look: Look) -> None:
    look(system.url)
    (tmp_path / "w.key.state").write_bytes(b"{")
    code, out, err = look(system.url)
    assert (code, out) == (2, "")
    assert "restore it, or begin anew" in err


def test_a_server_that_is_none_is_named(system: System, look: Look) -> None:
    code, out, err = look(f"{system.url}/elsewhere")
    assert (code, out) == (2, "")
    assert "/elsewhere/tlog/key answers 404" in err
    assert look("http://127.0.0.1:1")[0] == 2


def test_a_log_key_that_is_none_is_refused(system: System, look: Look) -> None:
    code, _, err = look(system.url, "--log-key", "nonsense")
    assert code == 2
    assert err.startswith("--log-key is a verifier key or a file of one")


def test_a_ledger_that_never_ends_its_answer_is_given_up(
    system: System, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async def drip(_: Request) -> Response:
        return StreamingResponse(drops())

    monkeypatch.setattr("caseledger.witness.TIMEOUT_SECONDS", 0.5)
    with Server(Starlette(routes=[Route("/tlog/checkpoint", drip)])) as server:
        code, out, err = look(server.url, "--log-key", str(system.verifier))
    assert (code, out) == (2, "")
    assert err == f"There is no answer from {server.url} (ReadTimeout); nothing is cosigned.\n"
