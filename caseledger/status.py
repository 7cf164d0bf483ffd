"""`caseledger status`: where the ledger is and how far each projection has read it."""

from collections.abc import Iterator
from typing import Any

from caseledger.wiring import System
from ledger.tree import Proofs
from projections.parking import Parked, Parking, Reached


def status_of(system: System) -> dict[str, Any]:
    """Database, head, the size under a signed checkpoint, each projection's position, lag in events and version; who stands
    still.
    """
    with system.pool.connection() as conn:
        version = conn.info.server_version
        row = conn.execute("SELECT position FROM head").fetchone()
    parking = Parking(system.pool)
    reached = {each.name: each for each in parking.reached()}
    head = row[0] if row else 0
    sealed = Proofs(system.pool).checkpoint()
    return {
        "database": system.settings.place,
        "postgresql": f"{version // 10_000}.{version % 10_000}",
        "schema": system.settings.schema,
        "head": head,
        "sealed": sealed.size if sealed else 0,
        "projections": [
            _lag(name, version, reached.get(name), head) for name, version in system.runner.versions.items()
        ],
        "stopped": [_standing(each.stopped) for each in reached.values() if each.stopped],
        "parked": [{"uscc": each.uscc, **_standing(each)} for each in parking.parked()],
    }


def of_other_versions(found: dict[str, Any]) -> Iterator[str]:
    """What to do about each projection whose tables another version filled than this program has; `found` by status_of."""
    for each in found["projections"]:
        has = f"{each['name']} is of version {each['version']} and this program has {each['program_version']}: "
        if each["version"] < each["program_version"]:
            yield f"{has}`caseledger serve` makes it anew beside, and so does `caseledger rebuild`."
        elif each["version"] > each["program_version"]:
            yield f"{has}the newer program brings it on; `caseledger rebuild` goes back to this one's."


def _lag(name: str, program: int, reached: Reached | None, head: int) -> dict[str, Any]:
    """`version` filled the tables, `program_version` is the one that this program has."""
    position, version = (reached.position, reached.version) if reached else (0, program)
    return {
        "name": name,
        "position": position,
        "lag": head - position,
        "version": version,
        "program_version": program,
    }


def _standing(parked: Parked) -> dict[str, Any]:
    return {
        "projection": parked.projection,
        "position": parked.position,
        "since": parked.since,
        "why": parked.why.en,
    }
