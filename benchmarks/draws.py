"""Draws: one draw over 100,000 enterprises, recorded, and its verification from the exported file alone.

Beside the draw, the database reading the same pool and the tickets' keys hashed, nothing proved and nothing recorded; beside
the verification, SHA-256 of the file's lines and nothing else.
"""

from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.enterprises import append, code, stated
from benchmarks.harness import AtMost, Comparison, Result, a_system, scaled
from caseledger.wiring import System
from domain.callers import Caller, Role
from domain.draws import version_on
from domain.rulebook import Version
from ledger.draw_evidence import draw_evidence, verify_draw
from ledger.drawing import Drawing
from ledger.entry import Draft
from projections.pools import Pools

ENTERPRISES: Final = 100_000
TARGET: Final = 3.0
VERIFY_TARGET: Final = 10.0
DRAWN: Final = 100
INSPECTORS: Final = [f"检查员{number}" for number in range(20)]
MIIT: Final = Caller(Role.REGULATOR, "benchmark", "MIIT")


def run() -> Iterator[Result]:
    enterprises = scaled(ENTERPRISES)
    with a_system() as system:
        append(system.ledger.recorder, _licensees(enterprises))
        system.runner.catch_up()
        ids = (f"D-{number}" for number in count(1))
        yield Comparison(
            name="draw",
            unit="s",
            ours=lambda: _drawn(system, next(ids), enterprises),
            against="the pool read and hashed",
            other=lambda: _hashed(system, enterprises),
            target=AtMost(TARGET),
            size=enterprises,
        ).measured()
        file = system.settings.home / "draw.jsonl"
        file.write_bytes(b"".join(line + b"\n" for line in draw_evidence(system.pool, "D-1")))
        yield Comparison(
            name="draw-verify",
            unit="s",
            ours=lambda: _verified(file, enterprises),
            against="SHA-256 of the same lines",
            other=lambda: _lines_hashed(file, enterprises),
            target=AtMost(VERIFY_TARGET),
            size=enterprises,
        ).measured()


def _licensees(enterprises: int) -> Iterator[Draft]:
    """Enterprises that hold a licence today, one in ten of them listed."""
    begins = date(2019, 1, 1)
    licence = {"authority": "MIIT", "business": "B24-1", "route": "STANDARD", "provinces": [], "historical": True}
    term = {"validFrom": "2019-01-01", "validTo": "2099-12-31"}
    entry = {"authority": "MIIT", "list": "ADVERSE", "ground": "HARASSING_CALLS"}
    for number in range(enterprises):
        uscc = {"uscc": code(number)}
        yield stated("enterpriseRegistered", {**uscc, "name": f"企业{number}", "province": "11"}, begins)
        yield stated("licenceGranted", {**uscc, "licenceNo": f"L-{number}", **licence, **term}, begins)
        if number % 10 == 0:
            yield stated("listEntryMade", {**uscc, "entryId": f"E-{number}", **entry}, begins)


def _drawn(system: System, draw_id: str, enterprises: int) -> float:
    asked = {"drawId": draw_id, "authority": "MIIT", "count": DRAWN, "inspectors": INSPECTORS}
    drawing = Drawing(system.ledger, Pools(system.runner).pool)
    begun = perf_counter()
    made = drawing.draw(MIIT, draw_id, asked)
    taken = perf_counter() - begun
    (event,) = made.events
    assert event.event.pool_size == enterprises  # type: ignore[attr-defined]  # a draw's event is an InspectionDrawn
    return taken


def _hashed(system: System, enterprises: int) -> float:
    version = version_on(system.ledger.today)
    begun = perf_counter()
    with system.pool.connection() as database:
        rows = database.execute(_POOL, {"on": system.ledger.today}).fetchall()
    least = sorted((_least(uscc, status, version), uscc) for uscc, status in rows)[:DRAWN]
    taken = perf_counter() - begun
    assert (len(rows), len(least)) == (enterprises, min(DRAWN, enterprises))
    return taken


def _least(uscc: str, status: str, version: Version) -> bytes:
    tickets = version.parameters.draw_tickets[status]
    return min(sha256(f"{'0' * 64}\nD\n{uscc}\n{ticket}".encode()).digest() for ticket in range(tickets))


def _verified(file: Path, enterprises: int) -> float:
    begun = perf_counter()
    with file.open("rb") as lines:
        proved = verify_draw(lines)
    taken = perf_counter() - begun
    assert proved.event.pool_size == enterprises
    return taken


def _lines_hashed(file: Path, enterprises: int) -> float:
    begun = perf_counter()
    with file.open("rb") as lines:
        found = sum(1 for line in lines if sha256(line).digest())
    taken = perf_counter() - begun
    assert found == enterprises + 1
    return taken


_POOL: Final = """
SELECT r.uscc, c.status FROM register r JOIN credit_spans c USING (uscc) JOIN licence_spans l USING (uscc)
WHERE %(on)s >= r.valid_from AND %(on)s < r.valid_to AND %(on)s >= c.valid_from AND %(on)s < c.valid_to
  AND %(on)s >= l.valid_from AND %(on)s < l.valid_to
"""
