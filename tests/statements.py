"""What psycopg executes for one system while a test looks."""

import threading
from typing import Any

import psycopg
import pytest

from running import System


class Statements:
    """Counts what psycopg executes on the connections of one system."""

    def __init__(self, patch: pytest.MonkeyPatch, system: System) -> None:
        self.count = 0
        self.texts: list[str] = []
        """Those of the threads that requests are worked on in."""
        self._schema = system.schema
        for name in ("execute", "executemany"):
            self._watch(patch, name, getattr(psycopg.Cursor, name))

    def _watch(self, patch: pytest.MonkeyPatch, name: str, method: Any) -> None:
        def counted(cursor: Any, *arguments: Any, **named: Any) -> Any:
            if self._schema in cursor.connection.info.dsn:
                self.count += 1
                if threading.current_thread().name.startswith("AnyIO"):
                    self.texts.append(str(arguments[0]))
            return method(cursor, *arguments, **named)

        patch.setattr(psycopg.Cursor, name, counted)
