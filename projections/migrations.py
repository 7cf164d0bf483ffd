"""The read models' tables."""

from pathlib import Path
from typing import Final

from ledger.migrations import Migration

_SQL: Final = Path(__file__).parent / "sql"
_OBJECTS: Final = (
    "projections",
    "history",
    "register",
    "credit_spans",
    "filed_numbers",
    "complaints",
    "resolutions",
    "complaint_days",
)

PROJECTION_MIGRATIONS: Final = (Migration("projections_0001", tuple(_SQL / f"{name}.sql" for name in _OBJECTS)),)
