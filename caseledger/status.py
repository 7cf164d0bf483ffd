"""`caseledger status`: where the ledger is and how far each projection has read it."""

from typing import Any

from caseledger.wiring import System
from ledger.tree import Proofs
from projections.all import all_projections


def status_of(system: System) -> dict[str, Any]:
    """Database, head, the size under a signed checkpoint, and each projection's position and lag, in events."""
    with system.pool.connection() as conn:
        version = conn.info.server_version
        row = conn.execute("SELECT position FROM head").fetchone()
        reached: dict[str, int] = dict(conn.execute("SELECT name, position FROM projections").fetchall())
    head = row[0] if row else 0
    sealed = Proofs(system.pool).checkpoint()
    names = [each.name for each in all_projections(system.ledger.streams, system.ledger.rulebook)]
    return {
        "database": system.settings.place,
        "postgresql": f"{version // 10_000}.{version % 10_000}",
        "schema": system.settings.schema,
        "head": head,
        "sealed": sealed.size if sealed else 0,
        "projections": [
            {"name": name, "position": reached.get(name, 0), "lag": head - reached.get(name, 0)} for name in names
        ],
    }
