"""The history: which event bears which enterprise, from when it takes effect, and what voided it (§8)."""

from collections.abc import Sequence

from domain.events import EventVoided
from domain.recorded import Recorded
from projections.projection import Database


class History:
    name = "history"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        database.execute(
            "INSERT INTO history (position, uscc, area, type, effective_on)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::date[])",
            [
                [event.position for event in batch],
                [event.uscc for event in batch],
                [type(event.event).area.value for event in batch],
                [event.type for event in batch],
                [event.effective_on for event in batch],
            ],
        )
        voids = [(event.event.position, event.position) for event in batch if isinstance(event.event, EventVoided)]
        if voids:
            database.execute(
                "UPDATE history SET voided_by = void.by"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS void (position, by) WHERE history.position = void.position",
                [[position for position, _ in voids], [by for _, by in voids]],
            )
