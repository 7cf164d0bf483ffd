"""`caseledger import`: a file into the ledger, with a progress bar and a file of what was rejected."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self, TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from caseledger.errors import Unreadable
from caseledger.formats import format_of
from caseledger.importing import Importer, Rejected, Tally
from caseledger.items import Item
from caseledger.lines import Source, open_source
from caseledger.reporting import as_json, note
from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from domain.commands import Code, Refusal, refusal
from ledger.cloudevents import source_of
from ledger.imports import ImportedLines, Rehearsal, RehearsedLines
from ledger.ledger import Ledger
from ledger.sealing import Discarding
from ledger.tree import log_name

SUFFIX: Final = ".rejected.jsonl"


def import_file(
    settings: Settings,
    name: str,
    *,
    format_: str | None = None,
    historical: bool,
    dry_run: bool,
    machine: bool,
) -> bool:
    """Imports a file, or standard input for `-`, and says what came of it; whether no row was rejected.

    `format_`: one of `caseledger.formats`; None to tell it from the file. `machine`: the summary as one JSON object. Raises Unreadable, ImportStopped and what open_system raises; the
    summary of what went in before is printed all the same.
    """
    with open_source(name) as source, open_system(settings) as system, _Rejections(name) as rejections:
        found = format_of(format_, source)
        lines, ledger = _rehearsed(system) if dry_run else (ImportedLines(system.pool), system.ledger)
        importer = Importer(ledger, lines, rejections.add, historical=historical)
        began = time.monotonic()
        try:
            with lines.alone(lambda: note("Another import is under way: waiting for its end.")):
                _run(importer, _of_others(found.items(source), source_of(log_name(system.pool))), source)
        finally:
            _summarise(importer.tally, time.monotonic() - began, dry_run, machine)
            rejections.tell()
    return importer.tally.rejected == 0


def _rehearsed(system: System) -> tuple[ImportedLines, Ledger]:
    rehearsal, ledger = Rehearsal(system.pool), system.ledger
    discarding = Discarding(system.sealer.digest)
    return RehearsedLines(rehearsal), Ledger(rehearsal, discarding, ledger.clock, ledger.rulebook)


def _run(importer: Importer, items: Iterable[Item], source: Source) -> None:
    with _progress(source) as show:
        for tally in importer.run(items):
            show(tally)


def _of_others(items: Iterable[Item], own: str) -> Iterator[Item]:
    """The items, less what is this very ledger's: recorded again it would be another event."""
    return (item.refused(_OWN) if item.origin == own else item for item in items)


_OWN: Final = refusal(
    Code.INVALID,
    "source",
    "该事件出自本账本，已在其中；请导入到另一账本",
    "This event is of this very ledger, which has it: import it into another",
)


def _summarise(tally: Tally, seconds: float, dry_run: bool, machine: bool) -> None:
    if machine:
        as_json(
            {
                "recorded": tally.recorded,
                "replayed": tally.replayed,
                "rejected": tally.rejected,
                "passed": tally.passed,
                "seconds": round(seconds, 3),
                "dryRun": dry_run,
            }
        )
        return
    verb = "would be recorded" if dry_run else "recorded"
    rate = f" ({tally.recorded / seconds:,.0f} a second)" if tally.recorded and not dry_run else ""
    passed = f"{tally.passed:,} another ledger's own and passed over, " if tally.passed else ""
    print(
        f"{tally.recorded:,} facts {verb}, {tally.replayed:,} were in before, {tally.rejected:,} rejected, {passed}"
        f"in {seconds:,.1f} s{rate}",
        flush=True,
    )


@contextmanager
def _progress(source: Source) -> Iterator[Any]:
    """Gives a function that shows a tally: as a bar on a terminal, and not at all in a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("0 facts", total=source.size)

        def show(tally: Tally) -> None:
            done = tally.recorded + tally.replayed + tally.rejected + tally.passed
            progress.update(task, completed=source.read, description=f"{done:,} facts, {tally.rejected:,} rejected")

        yield show


class _Rejections:
    """The file of rejected rows: FILE.rejected.jsonl, made with the first of them, of the last import alone."""

    def __init__(self, name: str) -> None:
        self.path = Path(f"stdin{SUFFIX}" if name == "-" else f"{name}{SUFFIX}")
        self._stack = ExitStack()
        self._file: TextIO | None = None
        self._count = 0

    def __enter__(self) -> Self:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, rejected: Rejected) -> None:
        self._count += 1
        if self._file is None:
            self._file = self._stack.enter_context(self._open())
        self._file.write(msgspec.json.encode(_described(rejected)).decode() + "\n")

    def tell(self) -> None:
        if self._count:
            note(f"The rejected rows are in {self.path}, each with its line, field and reason.")

    def _open(self) -> TextIO:
        try:
            # For its owner alone: rows may hold personal data.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        return os.fdopen(descriptor, "w", encoding="utf-8")

    def _unwritable(self, error: OSError) -> Unreadable:
        return Unreadable(
            f"Rejected rows cannot be written to {self.path} ({error.strerror}). Copy the file to a folder that this "
            "user may write, and import it there: what is in already is not added again."
        )


def _described(rejected: Rejected) -> Mapping[str, Any]:
    first, *others = (_reason(each) for each in rejected.refusals)
    return {"line": rejected.number, **first, **({"others": others} if others else {}), "sent": rejected.sent}


def _reason(refusal: Refusal) -> dict[str, Any]:
    rules = {"rules": [fired.rule for fired in refusal.reasons]} if refusal.reasons else {}
    said = {"code": refusal.code.value, "reason": refusal.text.en, "reasonZh": refusal.text.zh}
    return {"field": refusal.path, **said, **rules}
