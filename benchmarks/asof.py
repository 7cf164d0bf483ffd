"""As of: how long one credit report at a random (D, P) takes for an enterprise with 1,000,000 complaints, over HTTP.

Beside it the same enterprise with ten complaints: neither time nor memory may depend on how many there are. Memory is
the peak of the report's making in a process that does not know the enterprise.
"""

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import chain
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.enterprises import append, code, complained, life
from benchmarks.harness import Ask, AtMost, Comparison, Result, a_system, progress, scaled, served
from domain.credit import credit, timeline
from domain.facts import Moment
from ledger.entry import Draft
from ledger.recorder import PostgresRecorder
from ledger.streams import Streams

COMPLAINTS: Final = 1_000_000
FEW: Final = 10
TARGET: Final = 20.0
QUESTIONS: Final = 100
"""Random (D, P) of a round."""
BEGINS: Final = date(2018, 6, 1)
DAYS: Final = 2_500
MANY, SAME = 1, 2
"""The numbers of the enterprise with many complaints and of the same one with few."""
REPORT: Final = """
query ($uscc: USCC!, $asOf: Date, $knownAt: Position) {
  creditStatus(uscc: $uscc, asOf: $asOf, knownAt: $knownAt) { status reasons { rule positions } timeline { from status } }
}
"""


def run() -> Iterator[Result]:
    complaints = scaled(COMPLAINTS)
    with a_system() as system:
        recorder = system.ledger.recorder
        filled = range(0, complaints, 10_000)
        append(recorder, chain(lived(MANY), lived(SAME), _complaints(SAME, range(FEW))))
        for begin in progress("complaints", filled):
            append(recorder, _complaints(MANY, range(begin, min(begin + 10_000, complaints))))
        chance, head = Random(0), recorder.head()  # noqa: S311  # repeatable
        with served(system) as ask:
            yield Comparison(
                name="asof",
                unit="ms",
                ours=lambda: _reports(ask, MANY, chance, head),
                against=f"the same with {FEW} complaints",
                other=lambda: _reports(ask, SAME, chance, head),
                target=AtMost(TARGET),
                size=complaints,
            ).measured()
        yield Comparison(
            name="asof-memory",
            unit="KiB",
            ours=lambda: _peak(recorder, MANY),
            against=f"the same with {FEW} complaints",
            other=lambda: _peak(recorder, SAME),
            target=AtMost(times=1.1),
            size=complaints,
        ).measured()


def lived(number: int) -> Iterator[Draft]:
    """The life that the two enterprises share."""
    return life(number, Random(MANY))  # noqa: S311  # the same life for both


def _complaints(number: int, names: Sequence[int]) -> Iterator[Draft]:
    """Complaints all over the days, one in ten of them substantiated."""
    for name in names:
        received, resolved = complained(number, f"C-{number}-{name}", BEGINS + timedelta(days=name % DAYS))
        yield received
        if name % 10 == 0:
            yield resolved


def _reports(ask: Ask, number: int, chance: Random, head: int) -> float:
    """The median time of reports at random moments, in milliseconds."""
    taken = []
    for _ in range(QUESTIONS):
        on, known_at = BEGINS + timedelta(days=chance.randrange(DAYS)), chance.randrange(1, head + 1)
        begun = perf_counter()
        ask(REPORT, {"uscc": code(number), "asOf": str(on), "knownAt": known_at})
        taken.append((perf_counter() - begun) * 1_000)
    return median(taken)


def _peak(recorder: PostgresRecorder, number: int) -> float:
    """The peak of memory, in KiB, of a report from nothing but the log."""
    tag = f"enterprise:{code(number)}"

    def report() -> None:
        head, folds = Streams(recorder).read([tag])
        credit(folds[tag], Moment(BEGINS + timedelta(days=DAYS), head))
        timeline(folds[tag], head)

    return peak(report)


def peak(work: Callable[[], None]) -> float:
    """The peak of memory, in KiB, that Python takes for the work beyond what it had."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1_024
    finally:
        tracemalloc.stop()
