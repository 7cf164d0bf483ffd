"""The files that the private keys of a log and of a witness are kept in."""

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from ledger.files import KeyFileError
from ledger.notes import Cosigner, MalformedKey, Signer

ORIGIN = "ledger.example/cases"

# golang.org/x/mod/sumdb/note, note_test.go.
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_a_key_file_is_made_once_for_its_owner_alone_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    made = Signer.kept_at(path, ORIGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == f"{made.text}\n"
    assert Signer.kept_at(path, ORIGIN).text == made.text
    assert list(tmp_path.iterdir()) == [path]


def test_a_given_key_file_is_used(tmp_path: Path) -> None:
    path = key_file(tmp_path, PETER_PRIVATE.encode())
    assert str(Signer.kept_at(path, "PeterNeumann").verifier) == PETER_KEY


def test_of_many_processes_that_find_no_key_file_one_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    with ProcessPoolExecutor(4) as processes:
        found = {made.result() for made in [processes.submit(public_key_at, path) for _ in range(24)]}
    assert found == {public_key_at(path)}
    assert list(tmp_path.iterdir()) == [path]


def public_key_at(path: Path) -> str:
    return str(Cosigner.kept_at(path, "witness.example/w1").verifier)


def test_a_file_that_came_in_between_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path, PETER_PRIVATE.encode())
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert Signer.kept_at(path, "PeterNeumann").text == PETER_PRIVATE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o620, 0o601])
def test_a_key_file_that_others_can_use_is_refused(mode: int, tmp_path: Path) -> None:
    path = key_file(tmp_path, PETER_PRIVATE.encode())
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}"):
        Signer.kept_at(path, "PeterNeumann")


def test_a_key_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path, PETER_PRIVATE.encode())
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyFileError, match=f"owner {owner}"):
        Signer.kept_at(path, "PeterNeumann")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\xff\n", PETER_KEY.encode(), f"{PETER_PRIVATE}\n\n".encode(), f" {PETER_PRIVATE}".encode()],
)
def test_a_key_file_that_holds_no_key_is_refused_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = key_file(tmp_path, content)
    with pytest.raises(KeyFileError, match=r"log\.key"):
        Signer.kept_at(path, "PeterNeumann")
    assert path.read_bytes() == content


def test_a_key_file_of_another_name_or_type_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, PETER_PRIVATE.encode())
    with pytest.raises(KeyFileError, match="PeterNeumann"):
        Signer.kept_at(path, "EnochRoot")
    with pytest.raises(KeyFileError, match="0x04"):
        Cosigner.kept_at(path, "PeterNeumann")
    with pytest.raises(MalformedKey, match="name"):
        Signer.kept_at(tmp_path / "none.key", "Peter Neumann")
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_in_a_folder_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Signer.kept_at(tmp_path / "none" / "log.key", ORIGIN)


def key_file(folder: Path, content: bytes) -> Path:
    path = folder / "log.key"
    path.write_bytes(content)
    path.chmod(0o600)
    return path
