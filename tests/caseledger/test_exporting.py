"""The frame of `caseledger export`: whole or not at all, in one sentence, whatever comes."""

import errno
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final

import psycopg
import pytest

from caseledger import exporting
from caseledger.exporting import FORMATS, Format, words
from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from commanding import Ran
from given import registered
from ledger.imports import IMPORTER
from tampering import spoil_entry

ADOPTED = 4
"""Entries of a fresh ledger: the versions of the rulebook that it adopted."""


def failing(error: BaseException) -> Format:
    def fill(system: System, out: Path, after: int, upto: int, show: Any) -> dict[str, Any]:
        (out / "part").write_bytes(b"part")
        raise error

    return Format(fill, is_folder=True)


@pytest.fixture
def _with(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **formats: monkeypatch.setattr(exporting, "FORMATS", {**FORMATS, **formats})


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_written_whole_and_summed_up_for_programs(placed: Ran, tmp_path: Path, name: str) -> None:
    found = placed.json("export", "--format", name, "--out", "out", "--after", "1", "--upto", "3")
    assert (found["out"], found["format"], found["after"], found["upto"]) == ("out", name, 1, 3)
    assert found["seconds"] > 0
    assert placed.err == ""
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == ["out"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_name_that_is_taken_is_left_as_it_is(placed: Ran, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").write_text("another's")
    assert placed("export", "--format", name, "--out", "out") == 2
    assert placed.err == "out exists already: give a name that is free.\n"
    assert (tmp_path / "out").read_text() == "another's"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            "out cannot be written (No space left on device), and nothing",
        ),
        (OSError(), "out cannot be written (the disk failed), and nothing"),
    ],
)
def test_nothing_is_left_of_what_could_not_be_written(
    placed: Ran, tmp_path: Path, _with: Any, error: BaseException, said: str
) -> None:
    _with(broken=failing(error))
    before = set(tmp_path.iterdir())
    assert placed("export", "--format", "broken", "--out", "out") == 2
    assert placed.err.startswith(said)
    assert placed.err.count("\n") == 1
    assert {each for each in tmp_path.iterdir() if each.name != "home"} == before


def test_a_database_that_goes_away_leaves_nothing_either(placed: Ran, tmp_path: Path, _with: Any) -> None:
    _with(broken=failing(psycopg.OperationalError("secret")))
    assert placed("export", "--format", "broken", "--out", "out") == 1
    assert placed.err.startswith("The database went away.")
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_is_left(placed: Ran, tmp_path: Path, _with: Any, sent: signal.Signals) -> None:
    def waits(system: System, out: BinaryIO, after: int, upto: int, show: Any) -> dict[str, Any]:
        out.write(b"part")
        os.kill(os.getpid(), sent)
        threading.Event().wait(10)
        pytest.fail("it went on")

    _with(waiting=Format(stream=waits))
    assert placed("export", "--format", "waiting", "--out", "out") == 2
    assert placed.err == "Stopped: nothing was left at out.\n"
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_file_that_may_not_grow_any_more_is_taken_away(environment: dict[str, str], tmp_path: Path) -> None:
    """The system itself refuses to write on, in the midst of the file."""
    ran = subprocess.run(
        [sys.executable, "-m", "caseledger.main", "export", "--format", "cloudevents", "--out", "out"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000)),  # before exec, alone
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("out cannot be written (File too large), and nothing was left of it")
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


def test_a_terminal_shows_a_bar(environment: dict[str, str], tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    command = [sys.executable, "-m", "caseledger.main", "export", "--format", "jsonl", "--out", "out"]
    subprocess.run(command, env={**environment, "TERM": "xterm"}, cwd=tmp_path, stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "━" in shown
    assert "out has the entries 1 to 4 as jsonl: 0 facts, 4 of the ledger" in shown


def test_a_stream_goes_to_standard_output_and_says_what_it_wrote_beside(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "caseledger.main", "export", "--format", "cloudevents", "--out", "-"]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True)
    assert len([json.loads(line) for line in ran.stdout.splitlines()]) == ADOPTED
    assert ran.stderr.decode().startswith("Standard output has the entries 1 to 4 as cloudevents: 4 events, in ")
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(command, env=environment, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"Standard output cannot be written (No space left on device)")


UNFIT: Final[list[tuple[list[str], str]]] = [
    (["--format", "evidence", "--out", "-"], "evidence is no stream"),
    (["--format", "cloudevents", "--out", "-", "--json"], "--json prints there"),
    (["--format", "cloudevents", "--out", "x", "--upto", "5"], "at most 4, the head; got after 0 and up to 5"),
    (["--format", "cloudevents", "--out", "x", "--after", "4"], "got after 4 and up to 4"),
    (["--format", "cloudevents", "--out", "x", "--after", "3", "--upto", "2"], "got after 3 and up to 2"),
    (["--format", "cloudevents", "--out", "no/such"], "no/such cannot be written (No such file or directory)"),
    (["--format", "cloudevents", "--out", "x" * 300], "cannot be written (File name too long)"),
    (["--format", "cloudevents", "--out", ""], ". exists already"),
    (["--format", "cloudevents", "--out", "/"], "/ exists already"),
    (["--format", "yaml", "--out", "x"], "got yaml"),
]


def test_what_cannot_be_exported_is_said_in_one_sentence(placed: Ran) -> None:
    for arguments, said in UNFIT:
        assert placed("export", *arguments) == 2
        assert said in placed.err
        assert placed.err.count("\n") == 1


def test_an_entry_that_cannot_be_read_is_named_and_nothing_is_left(
    placed: Ran, settings: Settings, tmp_path: Path
) -> None:
    with open_system(settings) as system:
        assert system.ledger.record(IMPORTER, "1", [registered()]).refusals == ()
    spoil_entry(settings.database_url or "", settings.schema, 5)
    assert placed("export", "--format", "cloudevents", "--out", "out") == 2
    assert placed.err.startswith("Nothing was written, since the entry at position 5 cannot be read")
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


def test_what_is_recorded_meanwhile_is_not_in_it(placed: Ran, settings: Settings, _with: Any, tmp_path: Path) -> None:
    def during(system: System, out: BinaryIO, after: int, upto: int, show: Any) -> Any:
        made = system.ledger.record(IMPORTER, "1", [registered()])
        assert made.refusals == ()
        assert FORMATS["cloudevents"].stream
        return FORMATS["cloudevents"].stream(system, out, after, upto, show)

    _with(meanwhile=Format(stream=during))
    assert placed.json("export", "--format", "meanwhile", "--out", "out")["events"] == ADOPTED
    assert len((tmp_path / "out").read_text().splitlines()) == ADOPTED


def test_names_of_figures_read_as_words() -> None:
    assert words("decisionsLeftOut") == "decisions left out"
