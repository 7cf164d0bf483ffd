"""Whole: the real corpus by `caseledger import` into an empty home, until its last fact can be read; one run, for it takes minutes.

The rate of all of it stands beside that of its first tenth, and what the processes hold in each tenth beside that at its half.
"""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

from benchmarks.harness import AtLeast, AtMost, Result, a_home, found, scaled
from benchmarks.importing import CORPUS, TARGET
from benchmarks.memory import held
from benchmarks.servers import ROOT
from caseledger.settings import Settings
from caseledger.wiring import System, open_system

FACTS: Final = 859_715
TENTHS: Final = 10
HALF: Final = 5
TIMES: Final = 1.1
POLL_SECONDS: Final = 0.5


def run() -> Iterator[Result]:
    if not CORPUS.exists():
        print(f"whole: skipped, since the corpus {CORPUS.name} is not beside this checkout", file=sys.stderr)
        return
    facts = max(TENTHS, scaled(FACTS))
    with a_home() as home, open_system(Settings(home=home)) as system:
        file = _first(facts, home / "corpus.jsonl")
        seconds, memory = _imported(system, file, facts)
    rate, first = facts / seconds[-1], facts / TENTHS / seconds[0]
    yield found("whole-import", "facts/s", rate, "its first tenth", first, AtLeast(TARGET), facts)
    for tenth, value in enumerate(memory, 1):
        at = facts * tenth // TENTHS
        yield found("whole-memory", "MiB", value, "at its half", memory[HALF - 1], AtMost(times=TIMES), at)


def _first(facts: int, path: Path) -> Path:
    """A file of so many facts of the corpus."""
    with gzip.open(CORPUS) as corpus, path.open("wb") as file:
        file.writelines(islice(corpus, facts))
    return path


def _imported(system: System, file: Path, facts: int) -> tuple[list[float], list[float]]:
    """The seconds until each tenth of the facts could be read, and the most MiB that the processes held in each."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'graphql'}"}
    environment["CASELEDGER_HOME"] = str(system.settings.home)
    command = [sys.executable, "-m", "caseledger.main", "import", str(file), "--historical", "--json"]
    before, begun = system.ledger.recorder.head(), perf_counter()
    seconds: list[float] = []
    memory: list[float] = [0.0]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        while process.poll() is None:
            memory[-1] = max(memory[-1], held(process.pid))
            while len(seconds) < _tenths(system, before, facts):
                seconds.append(perf_counter() - begun)
                memory.append(held(process.pid) or memory[-1])
            sleep(POLL_SECONDS)
    assert process.returncode == 0, f"the import ended with {process.returncode}"
    assert _tenths(system, before, facts) == TENTHS, "the read models do not know all of it"
    seconds += [perf_counter() - begun] * (TENTHS - len(seconds))
    return seconds, (memory + memory[-1:] * TENTHS)[:TENTHS]


def _tenths(system: System, before: int, facts: int) -> int:
    """How many tenths can be read."""
    return min(TENTHS, max(0, system.runner.position() - before) * TENTHS // facts)
