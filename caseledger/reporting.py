"""What commands print: tables for people, one JSON object for programs."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TimeRemainingColumn
from rich.table import Table

from domain.identifiers import instant_text


def note(text: str) -> None:
    """A line for the person at the terminal, beside what the command gives."""
    print(text, file=sys.stderr, flush=True)


def progress(*columns: ProgressColumn, machine: bool) -> Progress:
    """A bar of these columns on a terminal; nothing in a pipe, or where a program reads."""
    hidden = machine or not sys.stderr.isatty()
    return Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True)


@contextmanager
def counted(machine: bool) -> Iterator[Callable[[int, int], None]]:
    """Gives what shows entries as they are done, told how many now and of how many in all: a bar on a terminal."""
    with progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), machine=machine) as bar:
        task = bar.add_task("entries", total=None)
        yield lambda done, of: bar.update(task, advance=done, total=of)


def as_json(value: Mapping[str, Any]) -> None:
    """One JSON object in one line on standard output; instants as the ledger writes them."""
    print(msgspec.json.encode(_plain(value)).decode(), flush=True)


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, of: str) -> None:
    """A table on standard output, or a sentence where it has no rows."""
    if not rows:
        print(f"There are no {of}.", flush=True)
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_shown(value) for value in row))
    # In a pipe nothing is cut to the width of a screen that is not there.
    console = Console()
    (console if console.is_terminal else Console(width=1_000)).print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return instant_text(value)[:19].replace("T", " ") + "Z"
    return " ".join(value) if isinstance(value, (list, tuple)) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
