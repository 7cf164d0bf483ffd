"""The formats for whoever analyses: object-centric event logs (OCEL 2.0) and Parquet.

Credit statuses in them are rows of a read model, which is brought to the end of the span first. Those of an enterprise
that is parked there are left out and counted: its rows are not what they would be.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from caseledger.errors import CannotExport
from caseledger.ocel_json import write_ocel_json
from caseledger.ocel_sqlite import Counts, write_ocel
from caseledger.wiring import System
from ledger.verify import Progress
from projections.credit import CreditChanges

_TIMELINES: Final = CreditChanges.name
_FAULTS: Final = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}


def ocel_sqlite(system: System, out: Path, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """The events and the objects that they name, as an SQLite database."""
    parked = _parked(system, upto)
    with _as_a_file():
        found = write_ocel(system.pool, system.ledger.streams, out, after, upto, show, without=parked)
    return _summary(found, parked)


def ocel_json(system: System, out: Path, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """The same as JSON: made as a database beside it first, since objects are whole only when all events are read."""
    parked = _parked(system, upto)
    both = 2 * (upto - after)
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.", dir=out.parent) as folder, _as_a_file():
        log = Path(folder) / "log.sqlite"
        found = write_ocel(
            system.pool, system.ledger.streams, log, after, upto, lambda done, of: show(done, both), without=parked
        )
        with out.open("wb") as file:
            write_ocel_json(log, file, lambda done: show(done, both))
        show(found.voided, both)
    return _summary(found, parked)


def parquet(system: System, out: Path, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """The events, and the credit timelines that became known with them, a folder each."""
    from caseledger import parquet  # pyarrow takes half a second to load

    parked = _parked(system, upto)
    events = parquet.write_events(system.pool, out / "events", after, upto, show)
    spans = parquet.write_timelines(system.pool, out / "credit_timelines", after, upto, parked)
    files = events.files + spans.files
    return {"events": events.rows, "creditSpans": spans.rows, "files": files, **_left_out(parked)}


def _parked(system: System, upto: int) -> list[str]:
    """The enterprises whose credit timelines stand still, when all others are known up to a position."""
    system.runner.catch_up(upto)
    reached = system.runner.position([_TIMELINES])
    if reached < upto:
        raise CannotExport(
            f"The read model {_TIMELINES} stands at {reached}, and the entries go up to {upto}: see with `caseledger "
            f"status` why, or give --upto {reached}."
        )
    return sorted(each.uscc for each in system.runner.parking.parked() if each.projection == _TIMELINES and each.uscc)


def _summary(found: Counts, parked: list[str]) -> dict[str, Any]:
    return {
        "events": found.events,
        "objects": found.objects,
        "eventObjectRelations": found.event_object,
        "objectObjectRelations": found.object_object,
        "voided": found.voided,
        **_left_out(parked),
    }


def _left_out(parked: list[str]) -> dict[str, Any]:
    return {"withoutCreditStatus": len(parked), "parked": parked} if parked else {}


@contextmanager
def _as_a_file() -> Iterator[None]:
    """A database that is written is a file to whoever asked for it: its faults are those of the disk."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        code = _FAULTS.get(fault.sqlite_errorcode & 0xFF, errno.EIO)
        raise OSError(code, os.strerror(code)) from None
