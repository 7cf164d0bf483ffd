"""Million: what must not grow with the ledger. One receipt, and the memory of a verification, of 1,000,000 events.

Beside the receipt, the database reading the entry alone; beside the memory, that for a tenth of the entries.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.append import measured
from benchmarks.asof import peak
from benchmarks.enterprises import append
from benchmarks.harness import AtMost, Comparison, Result, a_system, progress, scaled
from ledger.evidence import evidence_key, verify_evidence, write_evidence
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.recorder import PostgresRecorder
from ledger.tree import Proofs

EVENTS: Final = 1_000_000
TARGET: Final = 2.0
RECEIPTS: Final = 500
"""Random positions of a round."""


def run() -> Iterator[Result]:
    events = scaled(EVENTS)
    with a_system() as system:
        recorder, proofs = system.ledger.recorder, Proofs(system.pool)
        for begin in progress("events", range(0, events, 10_000)):
            append(recorder, (measured(f"{number}") for number in range(begin, min(begin + 10_000, events))))
        chance, head = Random(0), recorder.head()  # noqa: S311  # repeatable
        yield Comparison(
            name="million-receipt",
            unit="ms",
            ours=lambda: _receipts(proofs, chance, head),
            against="the entry read alone",
            other=lambda: _entries(recorder, chance, head),
            target=AtMost(TARGET),
            size=events,
        ).measured()
        whole, part = system.settings.home / "whole", system.settings.home / "part"
        write_evidence(system.pool, whole)
        write_evidence(system.pool, part, upto=max(1, head // 10))
        yield Comparison(
            name="million-verify-memory",
            unit="KiB",
            ours=lambda: _peak(whole),
            against="a tenth of the entries",
            other=lambda: _peak(part),
            target=AtMost(times=1.1),
            size=events,
        ).measured()


def _receipts(proofs: Proofs, chance: Random, head: int) -> float:
    """The median time of one receipt, in milliseconds."""
    taken = []
    for _ in range(scaled(RECEIPTS)):
        position = chance.randrange(1, head + 1)
        begun = perf_counter()
        (receipt,) = proofs.receipts([position])
        taken.append((perf_counter() - begun) * 1_000)
        signed = receipt.checkpoint
        assert verify_inclusion(leaf_hash(receipt.entry), position - 1, signed.size, receipt.proof, signed.root)
    return median(taken)


def _entries(recorder: PostgresRecorder, chance: Random, head: int) -> float:
    taken = []
    for _ in range(scaled(RECEIPTS)):
        position = chance.randrange(1, head + 1)
        begun = perf_counter()
        recorder.read_positions([position])
        taken.append((perf_counter() - begun) * 1_000)
    return median(taken)


def _peak(folder: Path) -> float:
    key = evidence_key(folder)

    def verify() -> None:
        verify_evidence(folder, key)

    return peak(verify)
