"""`caseledger status`: where the ledger is and how far each projection has read it."""

from typing import Any

from caseledger.wiring import System
from ledger.tree import Proofs
from projections.all import all_projections
from projections.parking import Parked, Parking, Reached


def status_of(system: System) -> dict[str, Any]:
    """Database, head, the size under a signed checkpoint, each projection's position and lag, in events; who stands still."""
    with system.pool.connection() as conn:
        version = conn.info.server_version
        row = conn.execute("SELECT position FROM head").fetchone()
    parking = Parking(system.pool)
    reached = {each.name: each for each in parking.reached()}
    head = row[0] if row else 0
    sealed = Proofs(system.pool).checkpoint()
    names = [each.name for each in all_projections(system.ledger.streams, system.ledger.rulebook)]
    return {
        "database": system.settings.place,
        "postgresql": f"{version // 10_000}.{version % 10_000}",
        "schema": system.settings.schema,
        "head": head,
        "sealed": sealed.size if sealed else 0,
        "projections": [_lag(name, reached.get(name), head) for name in names],
        "stopped": [_standing(each.stopped) for each in reached.values() if each.stopped],
        "parked": [{"uscc": each.uscc, **_standing(each)} for each in parking.parked()],
    }


def _lag(name: str, reached: Reached | None, head: int) -> dict[str, Any]:
    position = reached.position if reached else 0
    return {"name": name, "position": position, "lag": head - position}


def _standing(parked: Parked) -> dict[str, Any]:
    return {
        "projection": parked.projection,
        "position": parked.position,
        "since": parked.since,
        "why": parked.why.en,
    }
