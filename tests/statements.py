"""What is executed for one system's requests while a test looks."""

import threading
from typing import Any, Final

import psycopg
import pytest

from ledger import prepared, remembered
from projections import parking
from running import System

WORKERS: Final = "AnyIO"
"""The threads that requests are worked on in begin with it."""


def look_up_once(patch: pytest.MonkeyPatch, system: System) -> None:
    """What is looked up every few seconds, keys and what is parked, is so at the next request and then no more."""
    patch.setattr(parking, "LATELY_SECONDS", 3_600.0)
    patch.setattr(remembered, "REMEMBERED_SECONDS", 3_600.0)
    for caller in system.callers.values():
        system.keys._remembered.forget(caller.holder)


class Statements:
    """Counts what requests execute on the connections of one system: in workers, and in the sequencer for them."""

    def __init__(self, patch: pytest.MonkeyPatch, system: System) -> None:
        self.count = 0
        self.texts: list[str] = []
        """Those of the workers."""
        self._schema = system.schema
        run = prepared.run

        def counted(database: Any, *asked: Any) -> int:
            self._note(database, asked[0])
            return run(database, *asked)

        patch.setattr(prepared, "run", counted)
        for name in ("execute", "executemany"):
            self._watch(patch, name, getattr(psycopg.Cursor, name))

    def _watch(self, patch: pytest.MonkeyPatch, name: str, method: Any) -> None:
        def counted(cursor: Any, *arguments: Any, **named: Any) -> Any:
            self._note(cursor.connection, arguments[0])
            return method(cursor, *arguments, **named)

        patch.setattr(psycopg.Cursor, name, counted)

    def _note(self, connection: Any, text: Any) -> None:
        thread = threading.current_thread().name
        if self._schema in connection.info.dsn and thread.startswith((WORKERS, "sequencer")):
            self.count += 1
            if thread.startswith(WORKERS):
                self.texts.append(str(text))
