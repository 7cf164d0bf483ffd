"""What every benchmark shares: two things measured alternately, their medians, a table, a line of the results file.

A benchmark is a function `run` that yields a `Result` for each of its comparisons; `main` runs those that are named.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeVar

import httpx
import msgspec
import uvicorn
from rich.console import Console
from rich.progress import track

from caseledger.postgres import CarriedPostgres
from caseledger.reporting import as_table
from caseledger.serving import graphql_app
from caseledger.settings import Settings
from caseledger.wiring import System, open_system

T = TypeVar("T")

ROUNDS: Final = 5
"""How often each of the two is measured."""
SCALE: Final = "BENCH_SCALE"
"""The environment variable that makes the data smaller (0.01, say) for a quick look; targets are for 1."""
RESULTS: Final = Path(__file__).parent / "results.jsonl"


class Result(msgspec.Struct, frozen=True):
    """One line of the results file. `value` and the other's are medians; `ratio` is value ÷ the other's."""

    name: str
    value: float
    unit: str
    ratio: float
    against: str
    target: float
    met: bool
    n: int
    """How many decisions, codes, complaints, facts were measured a round."""
    when: str
    commit: str

    @property
    def other(self) -> float:
        return self.value / self.ratio


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A rate that is to be reached: so much, and (`times`) so many times the other's."""

    rate: float = 0.0
    times: float = 0.0

    def limit(self, other: float) -> float:
        return max(self.rate, self.times * other)

    def is_met(self, value: float, other: float) -> bool:
        return value >= self.limit(other)


@dataclass(frozen=True, slots=True)
class AtMost:
    """A cost that is not to be exceeded: so much, and (`times`) so many times the other's."""

    cost: float = float("inf")
    times: float = float("inf")

    def limit(self, other: float) -> float:
        return min(self.cost, self.times * other)

    def is_met(self, value: float, other: float) -> bool:
        return value <= self.limit(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two things that are measured; each call gives one measurement in `unit`, of `size` pieces of the data."""

    name: str
    unit: str
    ours: Callable[[], float]
    against: str
    other: Callable[[], float]
    target: AtLeast | AtMost
    size: int

    def measured(self) -> Result:
        """Measures both by turns, who is first changing from round to round."""
        ours: list[float] = []
        others: list[float] = []
        for number in progress(self.name, range(ROUNDS)):
            turns = [(self.ours, ours), (self.other, others)]
            for measure, taken in turns if number % 2 == 0 else reversed(turns):
                taken.append(measure())
        return found(self.name, self.unit, median(ours), self.against, median(others), self.target, self.size)


def found(
    name: str, unit: str, value: float, against: str, other: float, target: AtLeast | AtMost, size: int
) -> Result:
    """What was measured just now, beside what it is compared with."""
    return Result(
        name=name,
        value=value,
        unit=unit,
        ratio=value / other,
        against=against,
        target=target.limit(other),
        met=target.is_met(value, other),
        n=size,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
    )


def scaled(number: int) -> int:
    """The number for a full run, made smaller by BENCH_SCALE; at least 10."""
    return max(10, round(number * float(os.environ.get(SCALE, "1"))))


def progress(what: str, items: Sequence[T]) -> Iterable[T]:
    """The items, with a bar on standard error while they are gone through."""
    return track(items, what, console=Console(stderr=True), transient=True)


@contextmanager
def a_home() -> Iterator[Path]:
    """A temporary folder with a carried PostgreSQL of its own, which runs until the block is left."""
    home = Path(tempfile.mkdtemp(prefix="caseledger-benchmark-"))
    try:
        with CarriedPostgres(home):
            yield home
    finally:
        shutil.rmtree(home)


@contextmanager
def a_system() -> Iterator[System]:
    """A system on a PostgreSQL of its own; its read models stand still unless `served` brings them up."""
    with a_home() as home, open_system(Settings(home=home)) as system:
        yield system


Ask = Callable[[str, Mapping[str, Any]], Any]
"""Posts a query with its variables, and gives the data of the answer."""


@contextmanager
def served(system: System, *, read_models: bool = False) -> Iterator[Ask]:
    """The system's application, asked with a key; `read_models`: brought up before."""
    key, _ = system.keys.create(role="auditor", name="benchmark")
    headers = {"authorization": f"Bearer {key}"}
    with (
        serving(system, read_models=read_models) as url,
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
    ):
        yield lambda query, variables: _data(client, query, variables)


@contextmanager
def serving(system: System, *, read_models: bool = False) -> Iterator[str]:
    """Where the system's application listens, on a free port of 127.0.0.1; `read_models`: brought up before."""
    if read_models:
        system.runner.catch_up()
    config = uvicorn.Config(graphql_app(system), host="127.0.0.1", port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _data(client: httpx.Client, query: str, variables: Mapping[str, Any]) -> Any:
    body = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in body, body["errors"]
    return body["data"]


def commit() -> str:
    """The commit of the working tree, with “-dirty” after it where files differ from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    said = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout.strip() or "unknown"


def main(names: Sequence[str], benchmarks: Mapping[str, str], results: Path = RESULTS) -> int:
    """Runs benchmarks, given as name and module, or all of them where none is named.

    Gives the exit code: 0, 1 if a target was missed, 2 if there is no benchmark of a name; then nothing is run.
    """
    if unknown := [name for name in names if name not in benchmarks]:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}.", file=sys.stderr)
        return 2
    every_target_met = True
    for name in names or benchmarks:
        measured = []
        for result in import_module(benchmarks[name]).run():
            keep(result, results)
            measured.append(result)
        show(measured)
        every_target_met &= all(result.met for result in measured)
    return 0 if every_target_met else 1


def keep(result: Result, results: Path) -> None:
    """Appends a result to the file, as one line."""
    with results.open("ab") as file:
        file.write(msgspec.json.encode(result) + b"\n")


def show(measured: Sequence[Result]) -> None:
    """Prints results as a table."""
    columns = ("benchmark", "n", "value", "unit", "target", "met", "against", "its value", "ratio")
    as_table(columns, [_row(each) for each in measured], of="results")


def _row(result: Result) -> tuple[str, ...]:
    value, target, other = (f"{number:,.1f}" for number in (result.value, result.target, result.other))
    met = "yes" if result.met else "NO"
    return (
        result.name, f"{result.n:,}", value, result.unit, target, met, result.against, other, f"{result.ratio:.2f}",
    )  # fmt: skip
