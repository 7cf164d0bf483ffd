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
        types = [each.type for each in batch]
        database.execute(
            "INSERT INTO history (position, uscc, area, type, effective_on)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::date[])",
            [
                Integers.packed([each.position for each in batch]),
                Texts.nullable([each.uscc for each in batch]),
                Texts.packed([_AREAS[type(each.event)] for each in batch]),
                Texts.packed(types),
                Dates.packed([each.effective_on for each in batch]),
            ],
        )
        if EventVoided.__name__ in types:
            voids = [(each.event.position, each.position) for each in batch if isinstance(each.event, EventVoided)]
            database.execute(
                "UPDATE history SET voided_by = void.by"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS void (position, by) WHERE history.position = void.position",
                columns(voids),
            )
