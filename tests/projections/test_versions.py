"""Versions of projections: other rows of the same log need another version, or tables that are there would stay as they are."""

import hashlib
import json
from typing import Final

from drawing import draw, licensees
from gating import access, decided
from given import B, exposed, interviewed, listed, registered, renamed, retracted, unlisted, voided
from projecting import A_ROW_IN_EVERY_TABLE
from projections.all import all_projections
from projections.tables import TABLES
from running import ADOPTED, System

LOG: Final = (
    *A_ROW_IN_EVERY_TABLE,
    registered(uscc=B),
    interviewed("2026-01-05", uscc=B),
    exposed("2026-01-20", uscc=B),
    renamed(uscc=B, name="丙呼叫中心"),
    listed("2026-02-01", uscc=B, entryId="E-2"),
    unlisted("2026-05-01", uscc=B, entryId="E-2"),
    retracted("2026-05-20", uscc=B),
    voided(ADOPTED + 11),
)
ROWS: Final = {
    "history": (1, "69561b2b3764cf22"),
    "register": (1, "afd5081416dfb4e6"),
    "credit_changes": (1, "809b2195271baa71"),
    "complaints": (1, "456039bcce19d0f3"),
    "decisions": (1, "b2de9796051d6fc4"),
    "draws": (1, "8b78fdcfa9dd26ce"),
    "supervision": (1, "e4a69ac8ca84d9a0"),
}
"""Each projection's version, and the SHA-256 (its beginning) of the rows that it makes of a decision, LOG and a draw."""


def digest(system: System, name: str) -> str:
    rows = system.tables()
    held = {table: [row for (row,) in rows[table]] for table in TABLES[name]}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:16]


def test_other_rows_of_the_same_log_have_another_version(system: System) -> None:
    decided(system, access())
    system.known(*LOG, *licensees([500]))
    draw(system, count=1)
    system.settle()
    assert all(system.tables().values())
    found = {each.name: (each.version, digest(system, each.name)) for each in all_projections(system.ledger.streams)}
    assert found == ROWS, "raise the version of each that differs, and note its new digest here"
