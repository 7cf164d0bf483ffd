"""Complaint counts a day (§8): received, and substantiated by the last visible resolution."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from domain.events import ComplaintReceived, ComplaintResolved, EventVoided
from domain.recorded import Recorded
from domain.vocabulary import ComplaintOutcome
from ledger.rows import columns
from projections.projection import Database


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


class Complaints:
    name = "complaints"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        """Takes the touched complaints' share out of the counts, writes what came, and puts their new share in."""
        touched = {
            tag.removeprefix("complaint:")
            for event in batch
            if event.uscc is not None
            for tag in event.tags
            if tag.startswith("complaint:")
        }
        if not touched:
            return
        before = _shares(database, touched)
        _insert_received(database, [event for event in batch if event.uscc])
        _insert_resolved(database, [event for event in batch if event.uscc])
        _void(database, [e.event.position for e in batch if isinstance(e.event, EventVoided)])
        _add(database, _difference(before, _shares(database, touched)))


def shares(day: Day, settled: Iterable[Settled]) -> dict[Day, Change]:
    """What one complaint adds to the counts: one received, and each turn of its resolution from the date it is visible."""
    changes = {day: (1, 0)}
    substantiated = False
    for resolution in sorted(settled):
        if resolution.substantiated is not substantiated:
            substantiated = resolution.substantiated
            at = day._replace(visible_from=max(resolution.effective_on, day.received_on))
            received, known = changes.get(at, (0, 0))
            changes[at] = received, known + (1 if substantiated else -1)
    return changes


def _shares(database: Database, complaint_ids: Iterable[str]) -> Counter[tuple[Day, str]]:
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
    total: Counter[tuple[Day, str]] = Counter()
    for (_, day), resolutions in settled.items():
        for at, (received, substantiated) in shares(day, resolutions).items():
            total[at, "received"] += received
            total[at, "substantiated"] += substantiated
    return total


def _difference(before: Counter[tuple[Day, str]], after: Counter[tuple[Day, str]]) -> dict[Day, Change]:
    after.subtract(before)
    days = {day for day, _ in after}
    changes = {day: (after[day, "received"], after[day, "substantiated"]) for day in days}
    return {day: change for day, change in changes.items() if change != (0, 0)}


def _insert_received(database: Database, batch: Sequence[Recorded]) -> None:
    rows = [
        (e.event.complaint_id, e.position, e.uscc, e.effective_on)
        for e in batch
        if isinstance(e.event, ComplaintReceived)
    ]
    if rows:
        database.execute(
            "INSERT INTO complaints (complaint_id, position, uscc, received_on)"
            " SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::date[])",
            columns(rows),
        )


def _insert_resolved(database: Database, batch: Sequence[Recorded]) -> None:
    rows = [
        (e.position, e.event.complaint_id, e.effective_on, e.event.outcome is ComplaintOutcome.SUBSTANTIATED)
        for e in batch
        if isinstance(e.event, ComplaintResolved)
    ]
    if rows:
        database.execute(
            "INSERT INTO resolutions (position, complaint_id, effective_on, substantiated)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::boolean[])",
            columns(rows),
        )


def _void(database: Database, positions: Sequence[int]) -> None:
    if positions:
        database.execute("UPDATE complaints SET voided = true WHERE position = ANY(%s)", [list(positions)])
        database.execute("UPDATE resolutions SET voided = true WHERE position = ANY(%s)", [list(positions)])


def _add(database: Database, changes: dict[Day, Change]) -> None:
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
    database.execute(
        "DELETE FROM complaint_days USING unnest(%s::text[], %s::date[], %s::date[]) AS day (uscc, received_on, visible_from)"
        " WHERE complaint_days.uscc = day.uscc AND complaint_days.received_on = day.received_on"
        " AND complaint_days.visible_from = day.visible_from AND received = 0 AND substantiated = 0",
        columns(sorted(changes)),
    )
