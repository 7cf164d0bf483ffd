"""Upgrades: read models that an older program filled are made anew beside, while they serve, when a newer program starts.

Of several processes one rebuilds and the others wait until it is done. What serves goes on where the rebuild fails: it is
told, shown by `caseledger status`, and tried again ever more seldom.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from projections.projection import Build
from projections.rebuilding import CannotRebuild, UnderWay, rebuild
from projections.runner import Runner

LOOK_SECONDS: Final = 1.0
"""How often it is looked again while another process rebuilds or the database is away."""
RETRY_SECONDS: Final = 60.0
MOST_SECONDS: Final = 3_600.0
"""First and longest wait after a rebuild that failed."""
STOP_SECONDS: Final = 10.0
"""Longest wait for a rebuild that is broken off; what it leaves is dropped by the next."""

log = structlog.get_logger(__name__)


class Stopped(Exception):
    """The process is to end, in the middle of a rebuild."""


@contextmanager
def upgrading(runner: Runner, build: Build) -> Iterator[None]:
    """Makes what is of an older version anew while the block runs."""
    upgrade = Upgrade(runner, build)
    upgrade.start()
    try:
        yield
    finally:
        upgrade.stop()


class Upgrade:
    """Works in a thread of its own from `start` until there is nothing to do or `stop`."""

    def __init__(self, runner: Runner, build: Build) -> None:
        self._runner = runner
        self._build = build
        self._stopped = threading.Event()
        self._pause = RETRY_SECONDS
        self._thread = threading.Thread(target=self._run, name="upgrade", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def outdated(self) -> list[str]:
        """The projections whose tables an older version filled; asks the database."""
        own = self._runner.versions
        return [each.name for each in self._runner.parking.reached() if each.version < own.get(each.name, 0)]

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if not (names := self.outdated()):
                    return
                self._rebuild(names)
            except UnderWay:
                self._stopped.wait(LOOK_SECONDS)
            except CannotRebuild as why:
                log.error("read models stay as an older program made them", why=str(why))
                self._wait_longer()
            except Stopped:
                return
            except (psycopg.OperationalError, PoolTimeout):
                log.warning("read models of an older program wait for the database")
                self._stopped.wait(LOOK_SECONDS)
            except Exception as fault:
                log.error("read models cannot be made anew", fault=type(fault).__name__)
                self._wait_longer()

    def _rebuild(self, names: list[str]) -> None:
        log.info("read models of an older program are made anew", projections=names)
        made = rebuild(self._runner.pool, self._build, names, progress=self._go_on)
        log.info("read models were made anew", projections=names, at=made.position, differing=len(made.differing))

    def _go_on(self, *_: int) -> None:
        if self._stopped.is_set():
            raise Stopped

    def _wait_longer(self) -> None:
        self._stopped.wait(self._pause)
        self._pause = min(2 * self._pause, MOST_SECONDS)
