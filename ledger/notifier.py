"""Tells subscribers of all processes that the head has moved, by NOTIFY, after the commit and beside the appends.

A notification takes a lock that all of a cluster's notifying commits share, so it has no place in an append's
transaction, and appends that follow each other closely are told of once.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

from ledger.migrations import Pool

PAUSE_SECONDS: Final = 0.02
"""From one notification to the next: each wakes whoever listens, in all processes."""
IDLE_SECONDS: Final = 10.0
"""After so long without news the thread ends; the next news starts it again."""


class Notifier:
    """Tells of news soon. Safe for many threads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._running = False

    def tell(self) -> None:
        """Says that something was appended; returns at once."""
        if self._news.is_set():
            return
        with self._lock:
            self._news.set()
            # Where no thread can be had, subscribers poll, and the next news tries again.
            with suppress(RuntimeError):
                if not self._running:
                    threading.Thread(target=self._run, name="notifier", daemon=True).start()
                    self._running = True

    def _run(self) -> None:
        while self._is_awaited():
            self._news.clear()
            # What was appended is durable: a failure here is no failure of the append, and subscribers poll as well.
            with suppress(Exception), self._pool.connection() as database:
                database.execute(_NOTIFY)
            time.sleep(PAUSE_SECONDS)

    def _is_awaited(self) -> bool:
        if self._news.wait(IDLE_SECONDS):
            return True
        with self._lock:
            self._running = self._news.is_set()
            return self._running


# A notification needs no durability, and must not wait for the disk as a commit does.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(current_schema() || '_head', '')"
