"""The read models' tables."""

from pathlib import Path
from typing import Final

from ledger.migrations import BEFORE_MAP, Migration

_SQL: Final = Path(__file__).parent / "sql"
_OBJECTS: Final = (
    "projections",
    "history",
    "register",
    "credit_spans",
    "credit_changes",
    "decisions",
    "filed_numbers",
    "complaints",
    "resolutions",
    "complaint_days",
    "duties",
    "listings",
    "exhibits",
    "findings",
    "live_accesses",
)

_PARKING: Final = ("parked", "projections_stopped")
_VERSIONS: Final = ("projections_version",)
_DRAWS: Final = ("draws", "licence_spans")
_SEARCH: Final = ("register_code_parts", "register_letters")

PROJECTION_MIGRATIONS: Final = (
    Migration("projections_0001", tuple(_SQL / f"{name}.sql" for name in _OBJECTS)),
    Migration("projections_0002", tuple(_SQL / f"{name}.sql" for name in _PARKING)),
    Migration("projections_0003", tuple(_SQL / f"{name}.sql" for name in _VERSIONS)),
    Migration("projections_draws", tuple(_SQL / f"{name}.sql" for name in _DRAWS)),
    Migration("projections_search", tuple(_SQL / f"{name}.sql" for name in _SEARCH), compatible_from=BEFORE_MAP),
)
