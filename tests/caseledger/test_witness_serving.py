"""A witness that listens and looks on, over HTTP and in processes of its own."""

import time
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import pytest

from caseledger.errors import CannotServe
from caseledger.main import run
from caseledger.witness import MOST_KEPT, Witness
from caseledger.witness_serving import keep_watch, witness_app
from ledger.merkle import Frontier, consistency_proof, frontier_nodes
from ledger.notes import Checkpoint, Note, Signature, Signer
from ledger.submissions import LARGEST_SUBMISSION, SIZE_MEDIA
from processes import Begin
from running import Server, at_once
from trees import kept

SIZE: Final = 300
NOWHERE: Final = "http://127.0.0.1:1"
LOG: Final = Signer.generate("log.example")


def at(size: int, root: bytes | None = None) -> Checkpoint:
    root = root or Frontier.of(size, kept(SIZE).look_up(frontier_nodes(size))).root
    return Checkpoint("log.example", size, root)


def signed(checkpoint: Checkpoint, signer: Signer = LOG) -> bytes:
    return Note(checkpoint.text, (signer.sign(checkpoint.text),)).encoded


def body(old: int, new: Checkpoint, signer: Signer = LOG) -> bytes:
    """A submission as the specification writes it, by no code of the ledger."""
    hashes = consistency_proof(old, new.size, kept(SIZE).look_up) if 0 < old < new.size else []
    lines = [f"old {old}", *(b64encode(each).decode() for each in hashes), ""]
    return "".join(f"{line}\n" for line in lines).encode() + signed(new, signer)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return opened(tmp_path)


def opened(folder: Path) -> Witness:
    return Witness.opened(NOWHERE, folder / "w.key", str(LOG.verifier), None)


@pytest.fixture
def url(witness: Witness) -> Iterator[str]:
    with Server(witness_app(witness)) as server:
        yield server.url


def add(url: str, sent: bytes) -> httpx.Response:
    return httpx.post(f"{url}/add-checkpoint", content=sent, timeout=20)


def test_what_continues_is_answered_by_the_cosignature_line_alone(url: str, witness: Witness) -> None:
    for old, new in ((0, 5), (5, 300), (300, 300)):
        answer = add(url, body(old, at(new)))
        assert answer.status_code == 200, answer.text
        assert answer.text.count("\n") == 1 and answer.text.endswith("\n")
        signature = Signature.parse(answer.text.removesuffix("\n"))
        assert witness.verifier.verifies(at(new).text, signature)
        assert abs(int.from_bytes(signature.value[:8]) - time.time()) < 60


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (body(0, at(7), Signer.generate("log.example")), 403),
        (body(0, Checkpoint("another.example", 7, at(7).root)), 404),
        (body(8, at(7)), 400),
        (b"nonsense", 400),
        (body(5, at(7, bytes(32))), 422),
        (b"old 5\n" + b"\n" * (LARGEST_SUBMISSION + 1), 413),
    ],
)
def test_what_is_refused_changes_nothing(url: str, tmp_path: Path, sent: bytes, status: int) -> None:
    assert add(url, body(0, at(5))).status_code == 200
    state = (tmp_path / "w.key.state").read_bytes()
    answer = add(url, sent)
    assert answer.status_code == status
    assert "—" not in answer.text
    assert (tmp_path / "w.key.state").read_bytes() == state
    assert add(url, body(5, at(6))).status_code == 200


def test_another_old_size_is_answered_by_the_size_that_was_cosigned_last(url: str) -> None:
    for latest in (0, 5):
        answer = add(url, body(3, at(7)))
        assert (answer.status_code, answer.text) == (409, f"{latest}\n")
        assert answer.headers["content-type"].split(";")[0] == SIZE_MEDIA
        add(url, body(latest, at(5)))


def test_a_split_view_is_refused_aloud_and_both_notes_are_kept(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(url, body(0, at(5)))
    assert capsys.readouterr().err == ""
    answer = add(url, body(5, at(5, bytes(32))))
    assert (answer.status_code, answer.text) == (409, "5\n")
    assert capsys.readouterr().err.startswith("NOT COSIGNED. The log is split: for 5 entries it signed the root ")
    (seen,) = tmp_path.glob("*.seen")
    assert seen.read_bytes() == signed(at(5))
    assert seen.with_suffix("").read_bytes() == signed(at(5, bytes(32)))


def test_a_rewritten_log_is_refused_aloud(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    add(url, body(0, at(5)))
    assert add(url, body(5, at(9, bytes(32)))).status_code == 422
    assert "NOT COSIGNED. The proof does not lead from the 5 entries seen before to the 9" in capsys.readouterr().err


def test_no_one_fills_the_disk_with_proofs(url: str, tmp_path: Path) -> None:
    add(url, body(0, at(5)))
    for number in range(MOST_KEPT):
        assert add(url, body(5, at(5, sha256(bytes([number])).digest()))).status_code == 409
    assert len(list(tmp_path.glob("*.refused-*"))) == MOST_KEPT


def test_a_witness_that_is_started_again_remembers(tmp_path: Path) -> None:
    with Server(witness_app(opened(tmp_path))) as server:
        assert add(server.url, body(0, at(5))).status_code == 200
    with Server(witness_app(opened(tmp_path))) as server:
        assert add(server.url, body(0, at(5, bytes(32)))).text == "5\n"
        assert add(server.url, body(5, at(9))).status_code == 200


def test_of_submissions_at_once_no_smaller_tree_is_cosigned_after_a_larger_one(url: str, tmp_path: Path) -> None:
    def send(size: int) -> int:
        return add(url, body(5, at(size))).status_code

    add(url, body(0, at(5)))
    statuses = at_once([partial(send, size) for size in range(6, 22)])
    assert sorted(statuses) == [200] + [409] * 15
    assert f"\\n{6 + statuses.index(200)}\\n" in (tmp_path / "w.key.state").read_text()


def test_nothing_is_cosigned_where_the_state_is_damaged(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(url, body(0, at(5)))
    (tmp_path / "w.key.state").write_bytes(b"{")
    answer = add(url, body(5, at(6)))
    assert (answer.status_code, answer.text) == (500, "The witness cannot keep its state; nothing is cosigned.\n")
    assert "restore it, or begin anew" in capsys.readouterr().err


def test_other_paths_and_methods_are_refused(url: str) -> None:
    assert httpx.get(f"{url}/add-checkpoint").status_code == 405
    assert httpx.post(f"{url}/", content=b"").status_code == 404


@pytest.mark.parametrize("listen", ["8100", "127.0.0.1", "127.0.0.1:", ":8100", "127.0.0.1:99999", "a b:1"])
def test_a_place_to_listen_that_is_none_is_refused(witness: Witness, listen: str) -> None:
    with pytest.raises(CannotServe, match="--listen is HOST:PORT"):
        keep_watch(witness, listen, None)


@pytest.fixture
def start(begin: Begin, tmp_path: Path) -> Begin:
    """Starts `caseledger witness` with the key w.key."""
    return lambda url, *options: begin("witness", url, "--key", str(tmp_path / "w.key"), *options)


def test_it_listens_in_one_command_and_ends_by_sigterm_with_code_0(start: Begin, tmp_path: Path) -> None:
    process = start(NOWHERE, "--log-key", str(LOG.verifier), "--listen", "127.0.0.1:0")
    url = process.says(r"(?<=listening on )http://127\.0\.0\.1:\d+\n").strip()
    assert add(url, body(0, at(5))).status_code == 200
    assert process.end() == 0
    assert "".join(process.err) == f"For the ledger's CASELEDGER_WITNESSES: {opened(tmp_path).verifier} {url}\n"


def test_it_looks_on_through_refusals_and_outages_and_ends_by_sigterm_with_code_0(start: Begin, tmp_path: Path) -> None:
    process = start(NOWHERE, "--log-key", str(LOG.verifier), "--every", "0.2")
    process.says(r"(?s)There is no answer from .*There is no answer from ")
    assert process.end() == 0
    assert not (tmp_path / "w.key.state").exists()


def test_a_port_that_is_taken_is_named(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listen = url.removeprefix("http://")
    given = ["--key", str(tmp_path / "x.key"), "--log-key", str(LOG.verifier), "--listen", listen]
    assert run(["witness", NOWHERE, *given]) == 2
    assert "is in use: stop what listens there, or give another --listen" in capsys.readouterr().err
