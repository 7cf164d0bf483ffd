"""The frame of `caseledger export`, the same for every format.

What is written has a name of its own in the same folder until it is whole and on the disk, then it takes the name that
was given, which must be free. Whatever ends it before (a full disk, Ctrl-C, SIGTERM, the database), nothing stays.

A format is a function that fills a file or a folder with the entries of a span and says in a few figures what it wrote;
it becomes one by a line in FORMATS. What it is written of needs no snapshot: see `ledger.entries`.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from gzip import GzipFile
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias, cast

from caseledger.analysis_formats import ocel_json, ocel_sqlite, parquet
from caseledger.errors import CannotExport
from caseledger.export_formats import absence_of, cloud_events, evidence, evidence_of, facts
from caseledger.reporting import as_json, counted, note
from caseledger.settings import Settings
from caseledger.signals import Stopped, stopped_by_signals
from caseledger.wiring import System, open_system
from ledger.absence_evidence import NoSuchTypes, types_asked
from ledger.entry import UnreadableEntry
from ledger.evidence import NoEvidence
from ledger.files import new_whole
from ledger.verify import Broken, Progress

STDOUT: Final = "-"

Summary: TypeAlias = Mapping[str, Any]
"""What was written: figures by their names in camel case, for people and for `--json`."""
Write: TypeAlias = Callable[[System, Path, int, int, Progress], Summary]
"""Fills the file or folder, which is there and empty, with the entries after a position up to another.

It tells of entries as they are done, and of how many there are in all.
"""
Stream: TypeAlias = Callable[[System, BinaryIO, int, int, Progress], Summary]
"""Writes the entries after a position up to another, from the begin to the end."""


class Format(NamedTuple):
    """A format writes either a file or folder by its path, or a stream."""

    write: Write | None = None
    is_folder: bool = False
    stream: Stream | None = None
    """It can go to standard output as well, and is gzip where the name ends in .gz."""
    then: str = ""
    """What to do with it, for people."""


_TAKE: Final = "Another ledger takes it by `caseledger import`."
_VERIFY: Final = "Verify it with `caseledger verify --evidence`."

_MINING: Final = "How to look into it: docs/ocel.md."
FORMATS: Final[Mapping[str, Format]] = {
    "jsonl": Format(stream=facts, then=_TAKE),
    "cloudevents": Format(stream=cloud_events, then=_TAKE),
    "ocel-sqlite": Format(ocel_sqlite, then=_MINING),
    "ocel-json": Format(ocel_json, then=_MINING),
    "parquet": Format(parquet, is_folder=True, then="What its columns are: docs/formats.md."),
    "evidence": Format(evidence, is_folder=True, then=_VERIFY),
}
"""By the name that --format takes."""


def of_enterprise(uscc: str, absent: Sequence[str] = ()) -> Format:
    """The evidence of one enterprise alone; where areas or types are given, that nothing of these is recorded of it.

    Raises CannotExport for what is neither.
    """
    if not absent:
        return Format(stream=partial(evidence_of, uscc), then=_VERIFY)
    try:
        return Format(stream=partial(absence_of, uscc, types_asked(absent)), then=_VERIFY)
    except NoSuchTypes as wrong:
        raise CannotExport(f"--absence is one of {wrong}.") from None


def export(
    settings: Settings, name: str, format_: Format, out: str, after: int, upto: int | None, machine: bool
) -> None:
    """Writes the entries after a position, up to another or the head, in a format called so; `out` may be `-`.

    Raises CannotExport, and what open_system raises.
    """
    if out == STDOUT and (format_.stream is None or machine):
        why = "--json prints there" if format_.stream else f"{name} is no stream"
        raise CannotExport(f"--out - writes to standard output, and {why}: give the name of a file or folder.")
    began = time.monotonic()
    with open_system(settings) as system, counted(machine) as show:
        last = _last(system, after, upto)
        with going_out(out):
            summary = _written(format_, out, system, after, last, show)
    found = {"out": out, "format": name, "after": after, "upto": last, **summary}
    seconds = time.monotonic() - began
    if machine:
        as_json({**found, "seconds": round(seconds, 3)})
    else:
        note(f"{_said(found)}, in {seconds:,.1f} s. {format_.then}".rstrip())


def _written(format_: Format, out: str, system: System, after: int, last: int, show: Progress) -> Summary:
    if out == STDOUT:
        assert format_.stream
        summary = format_.stream(system, sys.stdout.buffer, after, last, show)
        sys.stdout.buffer.flush()
        return summary
    with new_whole(Path(out), folder=format_.is_folder) as beside:
        if format_.write:
            return format_.write(system, beside, after, last, show)
        assert format_.stream
        with ExitStack() as stack:
            file: BinaryIO = stack.enter_context(beside.open("wb"))
            if out.endswith(".gz"):
                packed = GzipFile("", "wb", fileobj=file, compresslevel=6, mtime=0)
                file = stack.enter_context(cast(BinaryIO, packed))
            return format_.stream(system, file, after, last, show)


@contextmanager
def going_out(out: str) -> Iterator[None]:
    """Says in one sentence why the block did not write `out`, if it did not; signals end it as well."""
    try:
        with stopped_by_signals():
            yield
    except Stopped:
        raise CannotExport(f"Stopped: nothing was left at {_shown(out)}.") from None
    except FileExistsError as error:
        raise CannotExport(f"{error.filename or out} exists already: give a name that is free.") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotExport(
            f"{_shown(out)} cannot be written ({error.strerror or 'the disk failed'}), and nothing was left of it: give a "
            "place that this user may write, with room enough."
        ) from None
    except UnreadableEntry as wrong:
        raise CannotExport(
            f"Nothing was written, since {wrong}: `caseledger verify` says what holds; what a later program wrote needs that."
        ) from None
    except (NoEvidence, Broken) as wrong:
        raise CannotExport(str(wrong)) from None


def _last(system: System, after: int, upto: int | None) -> int:
    head = system.ledger.recorder.head()
    last = head if upto is None else upto
    if not 0 <= after < last <= head:
        raise CannotExport(
            f"The entries are those after 0 or more and up to at most {head}, the head; got after {after} and up to {last}."
        )
    return last


def _shown(out: str) -> str:
    return "Standard output" if out == STDOUT else out


def _said(found: Summary) -> str:
    """What was written, for people."""
    figures = [f"{value:,} {words(name)}" for name, value in found.items() if name not in _PLACE and type(value) is int]
    span = f"the entries {found['after'] + 1:,} to {found['upto']:,}"
    return f"{_shown(found['out'])} has {span} as {found['format']}" + (f": {', '.join(figures)}" if figures else "")


def words(name: str) -> str:
    """A name in camel case as words."""
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name)


_PLACE: Final = ("after", "upto", "size")
