"""The history: which event bears which enterprise, from when it takes effect, and what voided it (§8)."""

from collections.abc import Sequence
from typing import Final

from domain.events import EVENTS, EventVoided
from domain.recorded import Recorded
from ledger.rows import Dates, Integers, Texts, columns
from projections.projection import Database

_AREAS: Final = {cls: cls.area.value for cls in EVENTS.values()}


class History:
    name = "history"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        database.execute(
            "INSERT INTO history (position, uscc, area, type, effective_on)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::date[])",
            [
                Integers.packed([each.position for each in batch]),
                Texts.nullable([each.uscc for each in batch]),
                Texts.packed([_AREAS[type(each.event)] for each in batch]),
                Texts.packed([each.type for each in batch]),
                Dates.packed([each.effective_on for each in batch]),
            ],
        )
        voids = [(event.event.position, event.position) for event in batch if isinstance(event.event, EventVoided)]
        if voids:
            database.execute(
                "UPDATE history SET voided_by = void.by"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS void (position, by) WHERE history.position = void.position",
                columns(voids),
            )
