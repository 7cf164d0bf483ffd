"""Growth: what each question costs in a ledger of 1,000,000 and of 10,000,000 events, beside one of 100,000.

All are of the made-up country of `corpus`, each with a server process of its own. Two are asked by turns the
same, about enterprises that are in both, drawn alike: what one answer costs is to grow with nothing that it does not speak of.
The records among them are real ones. Beside the times, the server's memory after all of it.

What is compared is what a question costs a server that has run for long: both ledgers' files are read once before they are
asked, so that as much is in the machine's memory as fits, and receipts are of any entry of either. Right after a start the
first thousand answers would measure the disk, and of the large one alone, since the small one is in memory at once.

To fill the large one takes an hour. `BENCH_HOMES=FOLDER` keeps the ledgers there, and uses those that are there.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any, Final

import httpx

from benchmarks.corpus import corpus
from benchmarks.enterprises import append, code
from benchmarks.harness import AtMost, Comparison, Result, a_home, progress, scaled
from benchmarks.memory import MOST, held
from benchmarks.servers import listening_process
from caseledger.settings import Settings
from caseledger.wiring import System, open_system

SMALL: Final = 100_000
LARGE: Final = (1_000_000, 10_000_000)
TIMES: Final = 1.25
ASKED: Final = 200
"""Questions of a round."""
AT_A_TIME: Final = 100_000
READ_BYTES: Final = 1 << 20
ASKED_ABOUT: Final = 2_000
"""Enterprises that are asked about: the first ones, whose lives are whole in both, so that nothing grows but the rest."""

STATUS: Final = "query ($uscc: USCC!) { creditStatus(uscc: $uscc) { status reasons { rule positions } } }"
HISTORY: Final = """query ($uscc: USCC!) { enterprise(uscc: $uscc) { name history(first: 20) {
  totalCount edges { node { type effectiveOn position } } } } }"""
BULK: Final = "query ($usccs: [USCC!]!) { creditStatuses(usccs: $usccs) { status } }"
SEARCH: Final = "query ($search: String!) { enterprises(search: $search, first: 10) { edges { node { uscc name } } } }"
RECEIPT: Final = "query ($position: Position!) { ledger { receipt(position: $position) { proof } } }"
RECORD: Final = "mutation ($input: RecordInput!) { record(input: $input) { head errors { code } } }"

_numbers = count()


@dataclass
class Country:
    """A ledger of a size, and how its server is asked."""

    events: int
    client: httpx.Client
    pid: int
    chance: Random
    home: Path

    def median(self, query: str, variables: Callable[["Country"], Mapping[str, Any]]) -> float:
        """The median time of a question, in milliseconds."""
        taken = []
        for _ in range(scaled(ASKED)):
            asked = {"query": query, "variables": variables(self)}
            begun = perf_counter()
            body = self.client.post("/graphql", json=asked).json()
            taken.append((perf_counter() - begun) * 1_000)
            assert "errors" not in body, body["errors"]
        return median(taken)

    def read_through(self) -> None:
        """Reads the ledger's files, so that what fits of them is in memory; those that were made first last."""
        files = sorted((self.home / "postgres" / "base").glob("*/*"), reverse=True)
        for path in progress(f"{self.events:,} events read", files):
            with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
                while file.read(READ_BYTES):
                    pass

    def code(self) -> str:
        return code(self.chance.randrange(1, ASKED_ABOUT + 1))

    @property
    def memory(self) -> float:
        """What the server holds, in MiB."""
        return held(self.pid)


QUESTIONS: Final[Mapping[str, tuple[str, Callable[[Country], Mapping[str, Any]]]]] = {
    "status": (STATUS, lambda country: {"uscc": country.code()}),
    "history": (HISTORY, lambda country: {"uscc": country.code()}),
    "bulk": (BULK, lambda country: {"usccs": [country.code() for _ in range(100)]}),
    "search": (SEARCH, lambda country: {"search": country.code()[:17]}),
    "receipt": (RECEIPT, lambda country: {"position": country.chance.randrange(1, country.events)}),
    "record": (RECORD, lambda country: {"input": _interview(country.code())}),
}


def run() -> Iterator[Result]:
    with _country(scaled(SMALL)) as small:
        for events in LARGE:
            with _country(scaled(events)) as large:
                yield from _beside(large, small)


def _beside(large: Country, small: Country) -> Iterator[Result]:
    """Every question to the one and the other."""
    against = f"{small.events:,} events"
    for country in (large, small):
        country.read_through()
    for name, (query, variables) in QUESTIONS.items():
        yield Comparison(
            name=f"growth-{name}",
            unit="ms",
            ours=partial(large.median, query, variables),
            against=against,
            other=partial(small.median, query, variables),
            target=AtMost(times=TIMES),
            size=large.events,
        ).measured()
    yield Comparison(
        name="growth-memory",
        unit="MiB",
        ours=lambda: large.memory,
        against=against,
        other=lambda: small.memory,
        target=AtMost(MOST),
        size=large.events,
    ).measured()


@contextmanager
def _country(events: int) -> Iterator[Country]:
    with _home(events) as home:
        with open_system(Settings(home=home)) as system:
            _fill(system, events)
            key, _ = system.keys.create(role="regulator", authority="MIIT", name="benchmark")
        with (
            listening_process("caseledger.main", "serve", "--port", "0", home=home) as (url, pid),
            httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=60) as client,
        ):
            yield Country(events, client, pid, Random(0), home)  # noqa: S311  # repeatable


@contextmanager
def _home(events: int) -> Iterator[Path]:
    kept = os.environ.get("BENCH_HOMES")
    if kept is None:
        with a_home() as home:
            yield home
        return
    home = Path(kept) / f"h{events}"
    home.mkdir(parents=True, exist_ok=True)
    yield home


def _fill(system: System, events: int) -> None:
    """What is missing of the country, and read models that know all of it."""
    recorder = system.ledger.recorder
    missing = events - recorder.head()
    if missing > 0:
        drafts = corpus(events)
        for _ in range(recorder.head()):
            next(drafts)
        for _ in progress(f"{events:,} events", range(0, missing, AT_A_TIME)):
            append(recorder, islice(drafts, AT_A_TIME))
    behind: Sequence[int] = range(system.runner.position(), recorder.head(), AT_A_TIME)
    for position in progress("read models", behind):
        system.runner.catch_up(position + AT_A_TIME)
    system.runner.catch_up()


def _interview(uscc: str) -> dict[str, Any]:
    number = f"G-{os.getpid()}-{next(_numbers)}"
    fact = {"uscc": uscc, "caseId": number, "authority": "MIIT", "topics": "calls", "becauseOf": "HARASSING_CALLS"}
    return {"idempotencyKey": number, "facts": [{"interviewHeld": fact}]}
