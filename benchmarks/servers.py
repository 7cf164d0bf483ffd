"""Servers as processes of their own, for benchmarks that measure what a client sees."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


@contextmanager
def listening_process(
    module: str, *arguments: str, home: Path | None = None, **settings: str
) -> Iterator[tuple[str, int]]:
    """Where a module's server listens, and its process id, from when it says so until the block is left."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'graphql'}", **settings}
    if home:
        environment["CASELEDGER_HOME"] = str(home)
    with started([sys.executable, "-m", module, *arguments], environment) as found:
        yield found


@contextmanager
def listening(module: str, *arguments: str, home: Path | None = None) -> Iterator[str]:
    """Where a module's server listens."""
    with listening_process(module, *arguments, home=home) as (url, _):
        yield url


@contextmanager
def started(command: Sequence[str], environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The same of any command that prints “listening on URL” when it does."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert process.stdout
        said = process.stdout.readline()
        assert said.startswith("listening on "), f"{command[0]} ended with {process.wait()}"
        yield said.split()[-1], process.pid
    finally:
        process.terminate()
        process.wait()
