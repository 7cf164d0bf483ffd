"""`caseledger rebuild`: read models made anew beside those that serve, with a progress bar and a report of what differs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from caseledger.errors import NoSuchProjection, NotRebuilt
from caseledger.reporting import as_json, as_table, note, progress
from caseledger.settings import Settings
from caseledger.wiring import catch_up, open_system
from domain.text import shown
from projections.all import all_projections
from projections.rebuilding import CannotRebuild, Progress, Rebuilt, rebuild
from projections.tables import TABLES

SHOWN: Final = 20
"""How many of the enterprises that differ are printed for people."""


def rebuild_projections(settings: Settings, names: Sequence[str], dry_run: bool, machine: bool) -> None:
    """Rebuilds and reports. Raises NoSuchProjection, NotRebuilt where what serves was left as it is, and what
    open_system raises.
    """
    if unknown := [name for name in names if name not in TABLES]:
        raise NoSuchProjection(f"There is no projection {shown(unknown[0])}; there are {', '.join(TABLES)}.")
    with open_system(settings) as system:
        catch_up(system)
        build = partial(all_projections, rulebook=system.ledger.rulebook)
        with _progress(machine) as show:
            try:
                made = rebuild(system.pool, build, names, dry_run=dry_run, progress=show)
            except CannotRebuild as why:
                raise NotRebuilt(str(why)) from None
    if machine:
        as_json(_described(made))
    else:
        _report(made)


def _described(made: Rebuilt) -> dict[str, object]:
    return {
        "projections": made.projections,
        "position": made.position,
        "swapped": made.swapped,
        "differing": [{"uscc": each.uscc, "tables": each.tables} for each in made.differing],
        "parked": [
            {"projection": each.projection, "uscc": each.uscc, "position": each.position, "why": each.why.en}
            for each in made.parked
        ],
    }


def _report(made: Rebuilt) -> None:
    rows = [(each.uscc or "(no enterprise)", each.tables) for each in made.differing[:SHOWN]]
    if rows:
        as_table(("enterprise", "differs in"), rows, of="differences")
    if (left := len(made.differing) - len(rows)) > 0:
        note(f"… and {left} more; --json has all.")
    note(f"At position {made.position}, {len(made.differing)} enterprises differ, {len(made.parked)} are parked.")
    names = ", ".join(made.projections)
    note(f"{names}: {'swapped in.' if made.swapped else 'not swapped in: this was a dry run.'}")


@contextmanager
def _progress(machine: bool) -> Iterator[Progress]:
    with progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), machine=machine) as bar:
        task = bar.add_task("events", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
