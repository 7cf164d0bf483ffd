"""Rebuild: how many events a second all read models are made anew from, compared and swapped; beside the log read and opened.

BENCH_SCALE makes the log longer, too: 5 is a million events.
"""

from collections.abc import Iterator
from time import perf_counter
from typing import Final

from benchmarks.corpus import corpus
from benchmarks.enterprises import append
from benchmarks.harness import AtLeast, Comparison, Result, a_system, scaled
from caseledger.wiring import System
from ledger.entry import read_entry
from projections.all import all_projections
from projections.rebuilding import rebuild

EVENTS: Final = 200_000
"""Many enough that the start of the processes, which is the same for any number, tells little."""
TARGET: Final = 30_000.0


def run() -> Iterator[Result]:
    with a_system() as system:
        head = append(system.ledger.recorder, corpus(scaled(EVENTS)))
        system.runner.catch_up()
        yield Comparison(
            name="rebuild",
            unit="events/s",
            ours=lambda: _rebuilt(system, head),
            against="the log read and opened",
            other=lambda: _read(system, head),
            target=AtLeast(TARGET),
            size=head,
        ).measured()


def _rebuilt(system: System, head: int) -> float:
    begun = perf_counter()
    made = rebuild(system.pool, all_projections)
    taken = perf_counter() - begun
    assert (made.position, made.differing, made.swapped) == (head, (), True)
    return head / taken


def _read(system: System, head: int) -> float:
    begun = perf_counter()
    read = sum(1 for _ in map(read_entry, system.ledger.recorder.read()))
    taken = perf_counter() - begun
    assert read == head
    return head / taken
