"""Pages: how long the console takes to make the page of an enterprise with 100,000 events, over HTTP.

Beside it the same enterprise with ten complaints: what is shown of many events is counted in the database, by month.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Final

import httpx

from benchmarks.asof import BEGINS, DAYS, FEW, MANY, SAME, lived
from benchmarks.enterprises import append, code, complained
from benchmarks.harness import AtMost, Comparison, Result, a_system, progress, scaled, serving
from ledger.entry import Draft

EVENTS: Final = 100_000
TARGET: Final = 150.0
VISITS: Final = 20
"""Visits of a round."""


def run() -> Iterator[Result]:
    events = scaled(EVENTS)
    with a_system() as system:
        recorder = system.ledger.recorder
        append(recorder, lived(MANY))
        append(recorder, lived(SAME))
        append(recorder, _complaints(SAME, range(FEW)))
        for begin in progress("complaints", range(0, events, 10_000)):
            append(recorder, _complaints(MANY, range(begin, min(begin + 10_000, events))))
        key, _ = system.keys.create("regulator", authority="MIIT")
        with serving(system, read_models=True) as url, httpx.Client(base_url=url, timeout=60) as browser:
            browser.post("/sign-in", data={"key": key})
            yield Comparison(
                name="pages",
                unit="ms",
                ours=lambda: _visits(browser, MANY),
                against=f"the same with {FEW} complaints",
                other=lambda: _visits(browser, SAME),
                target=AtMost(TARGET),
                size=events,
            ).measured()


def _complaints(number: int, names: Sequence[int]) -> Iterator[Draft]:
    for name in names:
        yield complained(number, f"P-{number}-{name}", BEGINS + timedelta(days=name % DAYS))[0]


def _visits(browser: httpx.Client, number: int) -> float:
    """The median time of a whole page, in milliseconds."""
    taken = []
    for _ in range(VISITS):
        begun = perf_counter()
        answer = browser.get(f"/enterprises/{code(number)}")
        taken.append((perf_counter() - begun) * 1_000)
        assert answer.status_code == 200, f"the page is answered {answer.status_code}"
    return median(taken)
