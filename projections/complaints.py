"""Complaint counts a day (§8): received, and substantiated by the last visible resolution."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from itertools import chain
from typing import Final, NamedTuple

from psycopg import sql

from domain.events import ComplaintReceived, ComplaintResolved, EventVoided
from domain.recorded import Recorded
from domain.vocabulary import ComplaintOutcome
from ledger.rows import columns
from projections.projection import Database, Moves, tagged

TAG: Final = "complaint:"


class Settled(NamedTuple):
    """A resolution that is not voided."""

    effective_on: date
    position: int
    substantiated: bool


class Day(NamedTuple):
    """A change of the count of one day of receipt that becomes visible on a date."""

    uscc: str
    received_on: date
    visible_from: date


Change = tuple[int, int]
"""Complaints received and complaints substantiated, as a difference."""

Shares = dict[Day, Change]
"""What complaints add to the counts."""


class Complaints:
    name = "complaints"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        """Takes the touched complaints' share out of the counts, writes what came, and puts their new share in.

        Complaints that came with the batch had no share before; their new one is made from the batch alone.
        """
        moved = Moves.of_batch(batch).of((ComplaintReceived, ComplaintResolved))
        own = [(each, uscc) for each in moved if (uscc := each.uscc) is not None]
        if not own:
            return
        voids = [each for each, _ in own if isinstance(each.event, EventVoided)]
        voided = {each.event.position for each in voids if isinstance(each.event, EventVoided)}
        received = [_received(e, e.event, uscc, voided) for e, uscc in own if isinstance(e.event, ComplaintReceived)]
        resolved = [_resolved(e, e.event, voided) for e, _ in own if isinstance(e.event, ComplaintResolved)]
        named = {tag.removeprefix(TAG) for tag, _ in tagged(voids, TAG)}.union(row.complaint_id for row in resolved)
        older = named - {row.complaint_id for row in received}
        before = _sum(_kept(database, older))
        _insert_received(database, received)
        _insert_resolved(database, resolved)
        _void(database, voided, older)
        after = _sum(chain(_kept(database, older), _come(received, resolved)))
        _add(database, _difference(before, after))


class Received(NamedTuple):
    complaint_id: str
    position: int
    uscc: str
    received_on: date
    voided: bool


class Resolved(NamedTuple):
    position: int
    complaint_id: str
    effective_on: date
    substantiated: bool
    voided: bool


def _received(each: Recorded, event: ComplaintReceived, uscc: str, voided: Collection[int]) -> Received:
    return Received(event.complaint_id, each.position, uscc, each.effective_on, each.position in voided)


def _resolved(each: Recorded, event: ComplaintResolved, voided: Collection[int]) -> Resolved:
    substantiated = event.outcome is ComplaintOutcome.SUBSTANTIATED
    return Resolved(each.position, event.complaint_id, each.effective_on, substantiated, each.position in voided)


def shares(day: Day, resolutions: Sequence[Settled]) -> dict[Day, Change]:
    """What one complaint adds to the counts: one received, and each turn of its resolution from the date it is visible."""
    changes = {day: (1, 0)}
    if not resolutions:
        return changes
    substantiated = False
    for resolution in sorted(resolutions):
        if resolution.substantiated is not substantiated:
            substantiated = resolution.substantiated
            at = day._replace(visible_from=max(resolution.effective_on, day.received_on))
            received, known = changes.get(at, (0, 0))
            changes[at] = received, known + (1 if substantiated else -1)
    return changes


def _kept(database: Database, complaint_ids: Collection[str]) -> Iterable[tuple[Day, Sequence[Settled]]]:
    """The days of complaints and what has settled them, as they are kept."""
    if not complaint_ids:
        return ()
    rows = database.execute(
        "SELECT c.complaint_id, c.uscc, c.received_on, r.effective_on, r.position, r.substantiated FROM complaints c"
        " LEFT JOIN resolutions r ON r.complaint_id = c.complaint_id AND NOT r.voided"
        " WHERE c.complaint_id = ANY(%s) AND NOT c.voided",
        [list(complaint_ids)],
    ).fetchall()
    settled: dict[tuple[str, Day], list[Settled]] = {}
    for complaint_id, uscc, received_on, effective_on, position, substantiated in rows:
        own = settled.setdefault((complaint_id, Day(uscc, received_on, received_on)), [])
        if position is not None:
            own.append(Settled(effective_on, position, substantiated))
    return ((day, resolutions) for (_, day), resolutions in settled.items())


def _come(received: Iterable[Received], resolved: Iterable[Resolved]) -> Iterable[tuple[Day, Sequence[Settled]]]:
    """The same of complaints that came with a batch."""
    settled = defaultdict[str, list[Settled]](list)
    for each in resolved:
        if not each.voided:
            settled[each.complaint_id].append(Settled(each.effective_on, each.position, each.substantiated))
    return (
        (Day(each.uscc, each.received_on, each.received_on), settled.get(each.complaint_id, ()))
        for each in received
        if not each.voided
    )


def _sum(complaints: Iterable[tuple[Day, Sequence[Settled]]]) -> Shares:
    total: Shares = {}
    for day, resolutions in complaints:
        for at, change in shares(day, resolutions).items():
            known = total.get(at)
            total[at] = (known[0] + change[0], known[1] + change[1]) if known else change
    return total


def _difference(before: Shares, after: Shares) -> Shares:
    changes = dict(after)
    for day, (received, substantiated) in before.items():
        known = after.get(day, (0, 0))
        changes[day] = known[0] - received, known[1] - substantiated
    return {day: change for day, change in changes.items() if change != (0, 0)}


def _insert_received(database: Database, rows: Sequence[Received]) -> None:
    if rows:
        database.execute(
            "INSERT INTO complaints (complaint_id, position, uscc, received_on, voided)"
            " SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::date[], %s::boolean[])",
            columns(rows),
        )


def _insert_resolved(database: Database, rows: Sequence[Resolved]) -> None:
    if rows:
        database.execute(
            "INSERT INTO resolutions (position, complaint_id, effective_on, substantiated, voided)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::boolean[], %s::boolean[])",
            columns(rows),
        )


def _void(database: Database, positions: Collection[int], complaint_ids: Collection[str]) -> None:
    """Voids what earlier batches wrote."""
    if positions and complaint_ids:
        asked = [list(complaint_ids), list(positions)]
        for table in ("complaints", "resolutions"):
            statement = sql.SQL("UPDATE {} SET voided = true WHERE complaint_id = ANY(%s) AND position = ANY(%s)")
            database.execute(statement.format(sql.Identifier(table)), asked)


def _add(database: Database, changes: Shares) -> None:
    if not changes:
        return
    rows = [(*day, *change) for day, change in sorted(changes.items())]
    database.execute(
        "INSERT INTO complaint_days AS known (uscc, received_on, visible_from, received, substantiated)"
        " SELECT * FROM unnest(%s::text[], %s::date[], %s::date[], %s::bigint[], %s::bigint[])"
        " ON CONFLICT (uscc, received_on, visible_from) DO UPDATE"
        " SET received = known.received + excluded.received,"
        "     substantiated = known.substantiated + excluded.substantiated",
        columns(rows),
    )
    # Where a complaint more is counted, the count is not 0.
    if emptied := sorted(day for day, (received, _) in changes.items() if received <= 0):
        database.execute(
            "DELETE FROM complaint_days"
            " USING unnest(%s::text[], %s::date[], %s::date[]) AS day (uscc, received_on, visible_from)"
            " WHERE complaint_days.uscc = day.uscc AND complaint_days.received_on = day.received_on"
            " AND complaint_days.visible_from = day.visible_from AND received = 0 AND substantiated = 0",
            columns(emptied),
        )
