"""The README's commands, run as they stand on a fresh home; what they print is what it shows."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
BLOCKS: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FACTS: Final = '{"enterpriseRegistered": {"uscc": "91110000600037341L", "name": "甲", "province": "11"}}\n'


def _blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS.findall((ROOT / "README.md").read_text(encoding="utf-8")) if kind == language]


@pytest.fixture
def place(tmp_path: Path, home: Path) -> Iterator[tuple[Path, dict[str, str], int]]:
    """A folder and an environment in which `caseledger` is a command and its home is empty, and a free port."""
    command = tmp_path / "bin" / "caseledger"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m caseledger.main "$@"\n')
    command.chmod(0o755)
    (tmp_path / "facts.jsonl").write_text(FACTS, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CASELEDGER_")},
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'graphql'}",
        "CASELEDGER_HOME": str(home),
    }
    yield tmp_path, environment, port


@pytest.mark.slow
def test_the_commands_of_the_readme_print_what_it_shows(place: tuple[Path, dict[str, str], int]) -> None:
    folder, environment, port = place
    subprocess.run(["caseledger", "demo"], cwd=folder, env=environment, check=True, capture_output=True, timeout=120)
    server = subprocess.Popen(
        ["caseledger", "serve", "--port", str(port)], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout and "listening on" in server.stdout.readline()
        script = "set -e\n" + "\n".join(_blocks("sh")).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        printed = ran.stdout.splitlines()
        shown = [line for block in _blocks("json") for line in block.splitlines()]
        assert len(shown) >= 4
        assert [line for line in shown if line not in printed] == []
    finally:
        server.terminate()
        assert server.wait(30) == 0


def test_the_first_example_is_at_most_ten_lines() -> None:
    assert len(_blocks("sh")[0].splitlines()) <= 10
