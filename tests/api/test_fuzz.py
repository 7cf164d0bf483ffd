"""Strangers who send anything: every role against the running server, in short here and at length by `make fuzz`.

What must hold of every answer is in `fuzzing`. FUZZ_CASES says how many requests are drawn, FUZZ_SEED from what.
"""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import fuzzed_requests
from caseledger.settings import Settings
from fuzzed_documents import Sender, Values, arguments_of, case_of, documents, load, register_scalars, watched
from fuzzing import EVERYONE, Ground, Tally, check_end, ground
from schemas import unused

CASES: Final = int(os.environ.get("FUZZ_CASES", "2100"))
SEED: Final = int(os.environ.get("FUZZ_SEED", "1"))
SHARES: Final = (("GraphQL", 0.75), ("HTTP", 0.22), ("WebSocket", 0.03))
CHUNK: Final = 700
"""Cases that are drawn in succession: whoever draws more of them draws more and more alike."""

T = TypeVar("T")


def drawn(strategy: st.SearchStrategy[T], seed_: int, most: int, use: Callable[[T], None]) -> None:
    """Uses values of a strategy, always the same ones for a seed."""

    @seed(seed_)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(value: T) -> None:
        use(value)

    each()


def fuzz(ground: Ground, cases: int, say: Callable[[str], None] = lambda line: None) -> Tally:
    """Sends so many requests, of each kind its share. Every document is asked by everyone, each with values of their own."""
    values = Values(ground.log)
    register_scalars(values)
    schema = load(ground)
    arguments, share, numbers = arguments_of(schema), dict(SHARES), count()
    asked, raw, talks = (
        documents(schema),
        fuzzed_requests.requests(ground.secrets),
        fuzzed_requests.talks(ground.secrets),
    )
    with httpx.Client(base_url=ground.url, timeout=60) as http:
        senders = [Sender(ground, holder, http) for holder in EVERYONE]

        def ask(query: str) -> None:
            number, operation = next(numbers), watched(query)
            for place, sender in enumerate(senders):
                sender.send(case_of(operation, (SEED, number, place), values, arguments))

        while ground.tally.count < cases:
            ground.check_alive()
            turn = (SEED << 32) + ground.tally.count * 3
            drawn(asked, turn, round(CHUNK * share["GraphQL"] / len(EVERYONE)), ask)
            drawn(raw, turn + 1, round(CHUNK * share["HTTP"]), lambda each: fuzzed_requests.send(ground, *each))
            drawn(talks, turn + 2, round(CHUNK * share["WebSocket"]), lambda each: fuzzed_requests.talk(ground, *each))
            say(f"{ground.tally.count} cases, findings: {'; '.join(ground.tally.findings) or 'none'}")
    return ground.tally


@pytest.fixture
def place(database: str, tmp_path: Path) -> Iterator[Settings]:
    with unused(database) as schema:
        yield Settings(home=tmp_path / "home", database_url=database, schema=schema)


def _run(place: Settings, cases_: int, say: Callable[[str], None]) -> tuple[Tally, list[str]]:
    with ground(place) as running:
        tally = fuzz(running, cases_, say)
        say("\n" + tally.table())
        for what, case in tally.findings.items():
            say(f"\n{tally.found[what]} × {what}\n  {case}")
        wrong = list(check_end(running))
    for each in wrong:
        say(each)
    return tally, wrong


@pytest.mark.slow
def test_whatever_is_sent_nothing_breaks_leaks_or_is_recorded_that_was_refused(place: Settings) -> None:
    tally, wrong = _run(place, CASES, lambda line: None)
    assert (tally.findings, wrong) == ({}, [])
    assert tally.count >= CASES
    assert all(tally.cases[holder, "GraphQL"] for holder in EVERYONE)
    # It is a test of more than refusals: facts of many kinds went in.
    assert tally.recorded.total() > 10


@pytest.mark.fuzz
def test_strangers_at_length(place: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    def say(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    say(f"\nFUZZ_SEED={SEED} FUZZ_CASES={CASES}")
    tally, wrong = _run(place, CASES, say)
    assert (tally.findings, wrong) == ({}, [])
