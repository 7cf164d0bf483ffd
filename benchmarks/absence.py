"""Absence: what the enterprise map costs, and what it proves.

Appends with the map being made beside them, which never comes to its end meanwhile, and without; an event's share of the
making of a segment, beside reading the same entries; and the file that proves of one enterprise that it has no penalty.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, Final

from benchmarks.append import BATCH, measured_events, unless_tagged, with_receipts
from benchmarks.enterprises import append, code, lives
from benchmarks.harness import AtLeast, AtMost, Comparison, Result, a_system, scaled
from caseledger.mapping import mapping
from caseledger.wiring import System
from ledger.absence_evidence import absence_evidence, types_asked
from ledger.enterprise_evidence import enterprise_evidence, verify_enterprise
from ledger.enterprise_map import SIZES, Segment
from ledger.map_keeping import Built, built
from ledger.rows import moment
from ledger.tree import signer_at

ENTERPRISES: Final = 10_000
"""Of about twenty events each; with what is appended there are always segments to be made."""
BATCHES: Final = 60
"""A round is longer than the work on a segment with its rests, so that both are in it."""
STRANGER: Final = code(999_999_999)


def run() -> Iterator[Result]:
    with a_system() as system:
        append(system.ledger.recorder, lives(range(scaled(ENTERPRISES))))
        yield from _appends(system)
        yield from _making(system)
        yield from _proving(system)


def _appends(system: System) -> Iterator[Result]:
    batch = scaled(BATCH)
    yield Comparison(
        name="absence-append",
        unit="events/s",
        ours=lambda: _appended(system, batch, beside=True),
        against="no map being made",
        other=lambda: _appended(system, batch, beside=False),
        target=AtLeast(times=0.8),
        size=BATCHES * batch,
    ).measured()


def _appended(system: System, batch: int, *, beside: bool) -> float:
    """Batches in a row, as the benchmark `append` has them; the map is made from their first to their last."""
    ours = with_receipts(system)
    batches = [measured_events(batch) for _ in range(BATCHES)]
    with mapping(system.pool, 0.05) if beside else nullcontext():
        begun = time.perf_counter()
        for events in batches:
            ours(events, unless_tagged(events))
        taken = time.perf_counter() - begun
    return BATCHES * batch / taken


def _making(system: System) -> Iterator[Result]:
    size = min(SIZES[1], system.ledger.recorder.head())
    yield Comparison(
        name="absence-map",
        unit="µs/event",
        ours=lambda: _milliseconds(lambda: _made(system, size)) * 1e3 / size,
        against="the same entries read",
        other=lambda: _milliseconds(lambda: _read(system, size)) * 1e3 / size,
        target=AtMost(25.0),
        size=size,
    ).measured()


def _made(system: System, size: int) -> list[Built | Segment]:
    with moment(system.pool) as database:
        return list(built(database, (0, size)))


def _read(system: System, size: int) -> list[tuple[Any, ...]]:
    with moment(system.pool) as database:
        return database.execute("SELECT position, type, tags FROM events WHERE position <= %s", [size]).fetchall()


def _proving(system: System) -> Iterator[Result]:
    head = system.ledger.recorder.head()
    absent, whole = _absence(system, head), _entries(system, head)
    yield _compared(
        "absence-file", "ms", lambda: _milliseconds(lambda: _absence(system, head)),
        lambda: _milliseconds(lambda: _entries(system, head)), 1_000.0, head,
    )  # fmt: skip
    yield _compared(
        "absence-size", "kB", lambda: sum(map(len, absent)) / 1e3, lambda: sum(map(len, whole)) / 1e3, 1_000.0, head
    )
    yield _compared(
        "absence-verify", "ms", lambda: _milliseconds(lambda: verify_enterprise(absent)),
        lambda: _milliseconds(lambda: verify_enterprise(whole)), 100.0, head,
    )  # fmt: skip


def _compared(
    name: str, unit: str, ours: Callable[[], float], other: Callable[[], float], most: float, size: int
) -> Result:
    return Comparison(
        name=name,
        unit=unit,
        ours=ours,
        against="all entries of one enterprise",
        other=other,
        target=AtMost(most),
        size=size,
    ).measured()


def _absence(system: System, head: int) -> list[bytes]:
    """The map is brought up by the first."""
    signer = signer_at(system.pool, system.settings.signing_key)
    types = types_asked(["PENALTY"])
    return list(absence_evidence(system.pool, signer, STRANGER, types, head, lambda done, of: None))


def _entries(system: System, head: int) -> list[bytes]:
    signer = signer_at(system.pool, system.settings.signing_key)
    return list(enterprise_evidence(system.pool, signer, code(1), 0, head, lambda done, of: None))


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    assert work(), "nothing was made or proved"
    return (time.perf_counter() - begun) * 1e3
