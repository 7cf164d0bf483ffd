"""The random draws and when each is public; and the days on which licences are in force, which a pool is made from.

The licences' days are kept here and not beside the register's: a projection that is new to a ledger reads it from position
1, one that is not would know nothing of what was recorded before the table was there.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from domain import register
from domain.draws import LICENCE_EVENTS, draw_of, public_from
from domain.events import InspectionDrawn, InspectionHeld
from domain.facts import Facts, Moment
from domain.recorded import Recorded
from ledger.rows import columns
from ledger.streams import Streams
from projections.projection import Database, Moves
from projections.register import TAG, Row, Table, bring

DRAW: Final = "draw:"


class Draws:
    name = "draws"
    version = 1

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        """Brings the rows of every draw and every licence holder that the batch touches to what is known at its end."""
        at, moves = batch[-1].position, Moves.of_batch(batch)
        if touched := moves.touching(DRAW, (InspectionDrawn, InspectionHeld)):
            folds = self._streams.upto(batch, touched)
            _keep(database, [row for facts in folds.values() if (row := _row(facts, at))])
        if holders := moves.touching(TAG, LICENCE_EVENTS):
            folds = self._streams.upto(batch, holders)
            enterprises = {tag.removeprefix(TAG): facts for tag, facts in folds.items()}
            bring(database, LICENCE_SPANS, {uscc: list(_spans(uscc, facts, at)) for uscc, facts in enterprises.items()})


def _row(draw: Facts, known_at: int) -> tuple[int, str, str, date] | None:
    made, public = draw_of(draw), public_from(draw, known_at)
    if made is None or public is None or made.position > known_at:
        return None
    return made.position, made.event.draw_id, made.event.authority, public


def _keep(database: Database, rows: Sequence[tuple[int, str, str, date]]) -> None:
    if rows:
        database.execute(_KEEP.encode(), columns(rows))


def _spans(uscc: str, facts: Facts, known_at: int) -> Iterator[Row]:
    """A row a span of days on which a licence is in force (§3); what follows a day is looked at on that day."""
    licences = register.licences(facts, Moment(date.max, known_at))
    turns: list[tuple[date, bool]] = []
    for day in sorted(set(_days(licences))):
        held = any(licence.was_in_force(day) for licence in licences)
        if held is not (turns[-1][1] if turns else False):
            turns.append((day, held))
    ends = [*(day for day, _ in turns[1:]), date.max]
    for (begins, held), ends_on in zip(turns, ends, strict=False):
        if held:
            yield uscc, begins, ends_on


def _days(licences: Iterable[register.Licence]) -> Iterable[date]:
    """The days on which a licence may come into force or cease to be."""
    for licence in licences:
        granted, renewals = licence.granted, licence.renewals
        yield granted.event.valid_from
        yield from (fact.effective_on for fact in (granted, *renewals, *licence.endings))
        yield from (_after(day) for day in (granted.event.valid_to, *(renewal.event.valid_to for renewal in renewals)))


def _after(day: date) -> date:
    return day + timedelta(days=1) if day < date.max else day


_KEEP: Final = """
INSERT INTO draws (position, draw_id, authority, public_from)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::date[])
ON CONFLICT (position) DO UPDATE SET public_from = EXCLUDED.public_from
WHERE draws.public_from <> EXCLUDED.public_from
"""
LICENCE_SPANS: Final = Table(
    "SELECT uscc, valid_from, valid_to FROM licence_spans WHERE uscc = ANY(%s) ORDER BY uscc, valid_from",
    "DELETE FROM licence_spans WHERE uscc = ANY(%s)",
    "INSERT INTO licence_spans (uscc, valid_from, valid_to) SELECT * FROM unnest(%s::text[], %s::date[], %s::date[])",
)
