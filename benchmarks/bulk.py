"""Bulk: how long one creditStatuses query of 1,000 codes takes over HTTP.

Warm, when the enterprises were asked about before, beside the same codes asked one by one; cold, when the process knows
none of them, beside the database reading the same events and nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from benchmarks.enterprises import append, code, lives
from benchmarks.harness import Ask, AtMost, Comparison, Result, a_system, scaled, served
from caseledger.wiring import System
from ledger.ledger import Ledger

CODES: Final = 1_000
TARGET: Final = 60.0
STATUSES: Final = "query ($usccs: [USCC!]!) { creditStatuses(usccs: $usccs) { uscc status asOf knownAt } }"
STATUS: Final = "query ($uscc: USCC!) { creditStatus(uscc: $uscc) { uscc status asOf knownAt } }"


def run() -> Iterator[Result]:
    size = scaled(CODES)
    codes = [code(number) for number in range(size)]
    with a_system() as system:
        append(system.ledger.recorder, lives(range(size)))
        with served(system, read_models=True) as ask:
            _bulk(ask, codes)
            yield Comparison(
                name="bulk-warm",
                unit="ms",
                ours=lambda: _bulk(ask, codes),
                against="one by one",
                other=lambda: _one_by_one(ask, codes),
                target=AtMost(TARGET),
                size=size,
            ).measured()
        yield Comparison(
            name="bulk-cold",
            unit="ms",
            ours=lambda: _anew(system, codes),
            against="the database alone",
            other=lambda: _database_alone(system, codes),
            target=AtMost(TARGET),
            size=size,
        ).measured()


def _bulk(ask: Ask, codes: Sequence[str]) -> float:
    begun = perf_counter()
    answer = ask(STATUSES, {"usccs": codes})
    taken = perf_counter() - begun
    assert [one["uscc"] for one in answer["creditStatuses"]] == codes
    return taken * 1_000


def _one_by_one(ask: Ask, codes: Sequence[str]) -> float:
    begun = perf_counter()
    for one in codes:
        ask(STATUS, {"uscc": one})
    return (perf_counter() - begun) * 1_000


def _anew(system: System, codes: Sequence[str]) -> float:
    """The query in a process that has answered others, but none about these codes."""
    fresh = replace(system, ledger=Ledger(system.ledger.recorder, system.sealer))
    with served(fresh, read_models=True) as ask:
        for _ in range(3):
            ask(STATUSES, {"usccs": [code(len(codes) + 1)]})
        return _bulk(ask, codes)


def _database_alone(system: System, codes: Sequence[str]) -> float:
    begun = perf_counter()
    system.ledger.recorder.read_streams({f"enterprise:{one}": 0 for one in codes})
    return (perf_counter() - begun) * 1_000
