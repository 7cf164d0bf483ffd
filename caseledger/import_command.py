"""`caseledger import`: a file into the ledger, with a progress bar and a file of what was rejected."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self, TextIO

import msgspec
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from caseledger.errors import Unreadable
from caseledger.formats import format_of
from caseledger.importing import Importer, Rejected, Tally
from caseledger.items import Item
from caseledger.lines import Source, open_source
from caseledger.reporting import as_json, note, progress
from caseledger.settings import Settings
from caseledger.wiring import System, catch_up, open_system
from domain.commands import Code, Refusal, refusal
from ledger.cloudevents import source_of
from ledger.files import new_whole
from ledger.imports import ImportedLines, Rehearsal, RehearsedLines
from ledger.ledger import Ledger
from ledger.sealing import Discarding
from ledger.streams import KEPT_BYTES_FAR
from ledger.tree import log_name
from projections.filling import Follower, following

SUFFIX: Final = ".rejected.jsonl"
MUCH: Final = 2_000
"""Recorded rows from which on the read models are kept near by processes of their own."""


def import_file(
    settings: Settings,
    name: str,
    *,
    format_: str | None = None,
    historical: bool,
    dry_run: bool,
    machine: bool,
    correct: bool = False,
) -> bool:
    """Imports a file, or standard input for `-`, and says what came of it; whether no row was rejected.

    `format_`: one of `caseledger.formats`; None to tell it from the file. `correct`: a row that says otherwise than the
    ledger takes the place of what it corrects. `machine`: the summary as one JSON object. Raises Unreadable, ImportStopped
    and what open_system raises; the summary of what went in before is printed all the same.
    """
    with (
        open_source(name, settings.unpacking) as source,
        open_system(settings, kept=KEPT_BYTES_FAR) as system,
        _Rejections(name) as rejections,
    ):
        found = format_of(format_, source)
        if correct and found.settling is None:
            raise Unreadable(
                f"{source.name} is {found.name}, whose rows correct nothing: leave --correct out, or record eventVoided."
            )
        lines, ledger = _rehearsed(system) if dry_run else (ImportedLines(system.pool), system.ledger)
        settle = found.settling(ledger, lines, correct) if found.settling else None
        importer = Importer(ledger, lines, rejections.add, historical=historical, settle=settle)
        began = time.monotonic()
        try:
            with lines.alone(lambda: note("Another import is under way: waiting for its end.")):
                items = _of_others(found.items(source), source_of(log_name(system.pool)))
                with _progress(source, machine) as show:
                    import_readably(importer, items, None if dry_run else system, show)
        finally:
            _summarise(importer.tally, time.monotonic() - began, dry_run, machine, found.counted)
    return importer.tally.rejected == 0


def _rehearsed(system: System) -> tuple[ImportedLines, Ledger]:
    rehearsal, ledger = Rehearsal(system.pool), system.ledger
    discarding = Discarding(system.sealer.digest)
    return RehearsedLines(rehearsal), Ledger(rehearsal, discarding, ledger.clock, ledger.rulebook)


def import_readably(
    importer: Importer, items: Iterable[Item], system: System | None, show: Callable[[Tally, str], None]
) -> None:
    """Imports, and brings the read models of the system (None: of no one) to what was imported; beside it, where that is much.

    `show` is told the tally after each batch, and what is said after it.
    """
    with ExitStack() as stack:
        follower: Follower | None = None
        for tally in importer.run(items):
            show(tally, "")
            if system and follower is None and tally.recorded >= MUCH:
                follower = stack.enter_context(following(system.pool))
        if system:
            show(importer.tally, ", the read models follow")
            if follower:
                follower.wait(system.runner, system.ledger.recorder.head())
            # Where one of the processes ended early, the other holds the lead that is taken now.
            stack.close()
            catch_up(system)


def _of_others(items: Iterable[Item], own: str) -> Iterator[Item]:
    """The items, less what is this very ledger's: recorded again it would be another event."""
    return (item.refused(_OWN) if item.origin == own else item for item in items)


_OWN: Final = refusal(
    Code.INVALID,
    "source",
    "该事件出自本账本，已在其中；请导入到另一账本",
    "This event is of this very ledger, which has it: import it into another",
)


def _summarise(tally: Tally, seconds: float, dry_run: bool, machine: bool, counted: Sequence[str]) -> None:
    """`counted`: what the format counts besides rows, each with a number, also where that is 0."""
    counts = {what: tally.counts[what] for what in counted}
    if machine:
        as_json(
            {
                "recorded": tally.recorded,
                "replayed": tally.replayed,
                "rejected": tally.rejected,
                "passed": tally.passed,
                **({"counts": counts} if counts else {}),
                "seconds": round(seconds, 3),
                "dryRun": dry_run,
            }
        )
        return
    verb = "would be recorded" if dry_run else "recorded"
    rate = f" ({tally.recorded / seconds:,.0f} a second)" if tally.recorded and not dry_run else ""
    of = f" ({', '.join(f'{number:,} {what}' for what, number in counts.items())})" if counts else ""
    passed = f"{tally.passed:,} another ledger's own and passed over, " if tally.passed else ""
    print(
        f"{tally.recorded:,} {'rows' if counts else 'facts'} {verb}{of}, {tally.replayed:,} were in before, "
        f"{tally.rejected:,} rejected, {passed}in {seconds:,.1f} s{rate}",
        flush=True,
    )


@contextmanager
def _progress(source: Source, machine: bool) -> Iterator[Callable[[Tally, str], None]]:
    """Gives a function that shows a tally and what is said after it: as a bar on a terminal, and not at all in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with progress(*columns, machine=machine) as bar:
        task = bar.add_task("reading", total=source.size)
        source.watch = lambda: bar.update(task, completed=source.read)

        def show(tally: Tally, said: str) -> None:
            done = tally.recorded + tally.replayed + tally.rejected + tally.passed
            # A reader that knows how many rows there are has read the file to its end.
            completed, total = (source.read, source.size) if source.rows is None else (done, source.rows)
            bar.update(
                task, completed=completed, total=total, description=f"{done:,} rows, {tally.rejected:,} rejected{said}"
            )

        yield show


class _Rejections:
    """The file of rejected rows: FILE.rejected.jsonl, of the last import alone, and none where it rejected nothing.

    It gets its name when the import ends, so that whoever finds it finds all of it. It is for its owner alone: rows may
    hold personal data.
    """

    def __init__(self, name: str) -> None:
        self.path = Path(f"stdin{SUFFIX}" if name == "-" else f"{name}{SUFFIX}")
        self._stack = ExitStack()
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        with self._writing():
            self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing():
            self._stack.close()
        if self._file:
            note(f"The rejected rows are in {self.path}, each with its line, field and reason.")

    def add(self, rejected: Rejected) -> None:
        with self._writing():
            if self._file is None:
                draft = self._stack.enter_context(new_whole(self.path))
                self._file = self._stack.enter_context(draft.open("w", encoding="utf-8"))
            self._file.write(msgspec.json.encode(_described(rejected)).decode() + "\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._file = None
            with suppress(OSError):
                # What is left in its buffer cannot be written either.
                self._stack.__exit__(type(error), error, error.__traceback__)
            raise Unreadable(
                f"Rejected rows cannot be written to {self.path} ({error.strerror}). Make room there, or import a copy of the "
                "file in a folder that this user may write: what is in already is not added again."
            ) from None


def _described(rejected: Rejected) -> Mapping[str, Any]:
    first, *others = (_reason(each) for each in rejected.refusals)
    sent = {} if rejected.sent is msgspec.UNSET else {"sent": rejected.sent}
    return {"line": rejected.number, **first, **({"others": others} if others else {}), **sent}


def _reason(refusal: Refusal) -> dict[str, Any]:
    rules = {"rules": [fired.rule for fired in refusal.reasons]} if refusal.reasons else {}
    said = {"code": refusal.code.value, "reason": refusal.text.en, "reasonZh": refusal.text.zh}
    return {"field": refusal.path, **said, **rules}
