"""Verify: entries of an evidence folder verified in a second by one process, with the public key alone.

Beside it, SHA-256 of the same lines and nothing else: what no verifier can be quicker than.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.enterprises import append, lives
from benchmarks.harness import AtLeast, Comparison, Result, a_system, scaled
from ledger.evidence import ENTRIES, evidence_key, verify_evidence, write_evidence

ENTERPRISES: Final = 5_000
"""Of about twenty events each."""
TARGET: Final = 100_000.0


def run() -> Iterator[Result]:
    with a_system() as system:
        append(system.ledger.recorder, lives(range(scaled(ENTERPRISES))))
        folder = system.settings.home / "evidence"
        size = write_evidence(system.pool, folder).size
        yield Comparison(
            name="verify",
            unit="entries/s",
            ours=lambda: _verified(folder, size),
            against="SHA-256 of the same lines",
            other=lambda: _hashed(folder, size),
            target=AtLeast(TARGET),
            size=size,
        ).measured()


def _verified(folder: Path, size: int) -> float:
    begun = perf_counter()
    signed = verify_evidence(folder, evidence_key(folder))
    taken = perf_counter() - begun
    assert signed.size == size, "not every entry was verified"
    return size / taken


def _hashed(folder: Path, size: int) -> float:
    begun = perf_counter()
    with (folder / ENTRIES).open("rb") as file:
        count = sum(1 for line in file if sha256(line).digest())
    taken = perf_counter() - begun
    assert count == size
    return size / taken
