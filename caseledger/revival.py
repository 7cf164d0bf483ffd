"""Revival: the PostgreSQL of its own is started again when it has died while a server uses it.

One that dies soon after each start is not started for ever: after so many times in succession it is left to people, who
find in the log why.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from caseledger.postgres import CarriedPostgres, PostgresError
from ledger.background import background

LOOK_SECONDS: Final = 0.25
MOST_TRIES: Final = 10
"""Starts in succession, none of which it outlived by STEADY_SECONDS."""
STEADY_SECONDS: Final = 60.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""The pause before a start doubles from the second on."""

log = structlog.get_logger(__name__)


@contextmanager
def reviving(home: Path | None) -> Iterator[None]:
    """Keeps the PostgreSQL of a home running while the block runs, which must be in use; without effect for None.

    A start that is under way is waited for at the end: what is half started cannot be stopped in order.
    """
    work = [] if home is None else [Revival(CarriedPostgres(home)).look]
    with background(work, LOOK_SECONDS) if work else nullcontext():
        yield


class Revival:
    """Looks whether PostgreSQL runs and starts it where it does not. For one thread."""

    def __init__(self, postgres: CarriedPostgres, clock: Callable[[], float] = monotonic) -> None:
        self._postgres = postgres
        self._clock = clock
        self._tries = 0
        self._due = self._steady = 0.0

    def look(self) -> None:
        """Does not raise: what fails is logged and tried again at a later look."""
        now = self._clock()
        if self._postgres.pid is not None:
            if self._tries and now >= self._steady:
                self._tries = 0
        elif self._tries < MOST_TRIES and now >= self._due:
            self._start()

    def _start(self) -> None:
        self._tries += 1
        log.warning("PostgreSQL has ended and is started again", attempt=self._tries)
        try:
            self._postgres.revive()
        except PostgresError as fault:
            log.error("PostgreSQL cannot be started again", why=str(fault))
        except OSError as fault:
            log.error("PostgreSQL cannot be started again", why=type(fault).__name__)
        if self._tries == MOST_TRIES:
            log.error("PostgreSQL is left alone if it ends once more; see its log", log=str(self._postgres.log))
        now = self._clock()
        self._due = now + min(FIRST_PAUSE * 2 ** (self._tries - 1), LONGEST_PAUSE)
        self._steady = now + STEADY_SECONDS
