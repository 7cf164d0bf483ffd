"""Changes of credit timelines: one an enterprise and position whose event changes it (§4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from domain import credit
from domain.credit import Span
from domain.facts import Facts
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK, Rulebook
from domain.vocabulary import CreditStatus
from ledger.rows import Texts, columns
from ledger.streams import Streams
from projections.projection import Database, Moves
from projections.register import TAG, Timelines

Timeline = tuple[Span, ...]
UNKNOWN: Final[Timeline] = (Span(None, CreditStatus.UNKNOWN),)
"""The timeline of a code that nothing is known of."""
_DECODER: Final = msgspec.json.Decoder(Timeline)


class CreditChanges:
    name = "credit_changes"
    version = 1

    def __init__(self, streams: Streams, rulebook: Rulebook = RULEBOOK, timelines: Timelines | None = None) -> None:
        self._streams = streams
        self._timelines = timelines or Timelines(rulebook)

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        touched = Moves.of_batch(batch).touching(TAG, credit.READ)
        if not touched:
            return
        self._timelines.begin(batch)
        folds = self._streams.upto(batch, touched)
        before = _latest(database, [tag.removeprefix(TAG) for tag in touched])
        rows = [row for tag, at in touched.items() for row in self._changes(tag, folds, at, before)]
        if rows:
            database.execute(
                "INSERT INTO credit_changes (position, uscc, timeline)"
                " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::jsonb[])",
                columns(sorted(rows)),
            )

    def _changes(
        self, tag: str, folds: Mapping[str, Facts], positions: Sequence[int], before: Mapping[str, Timeline]
    ) -> Iterator[tuple[int, str, str]]:
        uscc = tag.removeprefix(TAG)
        present = before.get(uscc, UNKNOWN)
        for position in positions:
            timeline = self._timelines.of(tag, folds[tag], position)
            if timeline != present:
                present = timeline
                yield position, uscc, dumped(timeline)


def _latest(database: Database, usccs: Sequence[str]) -> dict[str, Timeline]:
    rows = database.execute(
        "SELECT asked.uscc, latest.timeline::text FROM unnest(%s::text[]) AS asked (uscc) CROSS JOIN LATERAL ("
        "  SELECT timeline FROM credit_changes c WHERE c.uscc = asked.uscc ORDER BY c.position DESC LIMIT 1"
        ") AS latest",
        [Texts.packed(usccs)],
        binary=True,
    )
    return {uscc: loaded(timeline) for uscc, timeline in rows}


def dumped(timeline: Timeline) -> str:
    return msgspec.json.encode(timeline).decode()


def loaded(text: str) -> Timeline:
    return _DECODER.decode(text)
