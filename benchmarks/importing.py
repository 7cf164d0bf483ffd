"""Import: how many facts of the real corpus go into an empty ledger in a second, until its read models know all of them.

Beside it the bare recorder, which appends the same entries in the same batches, weighs nothing and projects nothing. The
facts are the first of the corpus; for all of it, `time caseledger import` its file into a fresh home.
"""

import gzip
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Final

from eventsourcing.dcb.api import DCBEvent

from benchmarks.harness import AtLeast, Comparison, Result, a_home, scaled
from caseledger.import_command import import_readably
from caseledger.importing import BATCH, Importer, Rejected
from caseledger.json_lines import items_of
from caseledger.lines import Line
from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from ledger.imports import ImportedLines
from ledger.recorder import PostgresRecorder
from ledger.streams import KEPT_BYTES_FAR

CORPUS: Final = Path(__file__).parents[2] / "shared" / "data" / "real_enforcement_all.jsonl.gz"
FACTS: Final = 100_000
"""Of 859,715: an eighth is measured five times within minutes."""
TARGET: Final = 10_000.0

_numbers = count(1)


def run() -> Iterator[Result]:
    if not CORPUS.exists():
        print(f"import: skipped, since the corpus {CORPUS.name} is not beside this checkout", file=sys.stderr)
        return
    with gzip.open(CORPUS) as file:
        lines = [Line(number, text.strip()) for number, text in enumerate(islice(file, scaled(FACTS)), 1)]
    with a_home() as home:
        entries = _entries(home, lines)
        yield Comparison(
            name="import",
            unit="facts/s",
            ours=lambda: _imported(home, lines),
            against="the bare recorder",
            other=lambda: _appended(home, entries),
            target=AtLeast(TARGET),
            size=len(lines),
        ).measured()


@contextmanager
def _an_empty_ledger(home: Path) -> Iterator[System]:
    """A system on a schema of its own, as an import opens it."""
    settings = Settings(home=home, schema=f"ledger_{next(_numbers)}")
    with open_system(settings, kept=KEPT_BYTES_FAR) as system:
        yield system


def _entries(home: Path, lines: Sequence[Line]) -> list[DCBEvent]:
    """What an import of the lines appends."""
    with _an_empty_ledger(home) as system:
        before = system.ledger.recorder.head()
        _import(system, lines)
        return [found.event for found in system.ledger.recorder.read(after=before)]


def _imported(home: Path, lines: Sequence[Line]) -> float:
    with _an_empty_ledger(home) as system:
        begun = perf_counter()
        _import(system, lines)
        return len(lines) / (perf_counter() - begun)


def _import(system: System, lines: Sequence[Line]) -> None:
    rejected: list[Rejected] = []
    importer = Importer(system.ledger, ImportedLines(system.pool), rejected.append, historical=True)
    import_readably(importer, items_of(lines), system, lambda *_: None)
    assert (importer.tally.recorded, rejected) == (len(lines), []), "a fact of the corpus did not go in"
    assert system.runner.position() == system.ledger.recorder.head(), "the read models do not know all of it"


def _appended(home: Path, entries: Sequence[DCBEvent]) -> float:
    with _an_empty_ledger(home) as system:
        recorder = PostgresRecorder(system.pool)
        begun = perf_counter()
        for begin in range(0, len(entries), BATCH):
            recorder.append(entries[begin : begin + BATCH])
        return len(entries) / (perf_counter() - begun)
