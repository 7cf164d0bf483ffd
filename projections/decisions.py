"""The decisions that were recorded, by enterprise, gate, outcome and the carrier that asked."""

from collections.abc import Sequence

from domain.callers import Role
from domain.events import GateDecided
from domain.recorded import Recorded
from ledger.rows import columns
from projections.projection import Database, Moves


class Decisions:
    name = "decisions"
    version = 1

    def apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        rows = [
            (e.position, e.event.uscc, e.event.gate.value, e.event.outcome.value, asking_carrier(e.event.requested_by))
            for e in Moves.of_batch(batch).of((GateDecided,))
            if isinstance(e.event, GateDecided)
        ]
        if rows:
            database.execute(
                "INSERT INTO decisions (position, uscc, gate, outcome, carrier)"
                " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])",
                columns(rows),
            )


def asking_carrier(requested_by: str) -> str | None:
    """The carrier in a decision's requestedBy, which is “carrier:CODE:key”; None where no carrier asked."""
    role, _, rest = requested_by.partition(":")
    return rest.partition(":")[0] if role == Role.CARRIER else None
