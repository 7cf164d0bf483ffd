"""Whether this process can answer: the database, its migrations and its read models, looked at within a short time.

It has a connection of its own, so that a pool which is used up is not taken for a database that is away, and looks once for
all who ask meanwhile. A look that does not come back in time is left behind, and the next one begins afresh.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from ledger.migrations import Migration, Pool, misfit

LOOK_SECONDS: Final = 2.0
MOST_LAG: Final = 10_000
"""Events that a read model may be behind while the process counts as ready."""
RETRY_AFTER: Final = "1"


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found at one moment."""

    head: int
    applied: Mapping[str, int | None]
    """The migrations of the database, each with its `compatible_from`."""
    positions: Mapping[str, int]
    """How far each projection is."""
    stopped: Sequence[str]
    """Those that an event stopped. They stay behind in every process until they are rebuilt, so none is less ready."""


class Readiness:
    """For one event loop. `versions`: the projections of this program; `leaving`: whether the process is about to stop."""

    def __init__(
        self,
        pool: Pool,
        migrations: Sequence[Migration],
        versions: Mapping[str, int],
        most_lag: int,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        assert isinstance(pool.conninfo, str), "open_pool gives a text"
        self._conninfo = pool.conninfo
        self._migrations = migrations
        self._versions = versions
        self._most_lag = most_lag
        self._leaving = leaving
        self._line: AsyncConnection[TupleRow] | None = None
        self._looking: asyncio.Task[Standing] | None = None

    async def look(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is ready, and how each part stands, in at most LOOK_SECONDS. Does not raise."""
        try:
            found = await self._found()
        # In this order: the one is an OSError too.
        except TimeoutError:
            return self._told({"database": f"The database does not answer within {LOOK_SECONDS:g} seconds."})
        except (psycopg.Error, OSError):
            return self._told({"database": "The database cannot be reached: see that it runs and takes connections."})
        going = [name for name in self._versions if name not in found.stopped] or list(self._versions)
        lags = {name: found.head - found.positions.get(name, 0) for name in going}
        wrong = {"migrations": self._misfit(found), "projections": self._behind(lags)}
        known = found.head - max(lags.values())
        ready, told = self._told({name: why for name, why in wrong.items() if why}, of_database=True)
        told["checks"]["projections"]["lag"] = lags
        return ready, {"ready": ready, "head": found.head, "known": known, "checks": told["checks"]}

    async def reaches_database(self) -> bool:
        """Whether the database answers, in at most LOOK_SECONDS. Does not raise."""
        try:
            await self._found()
        except (TimeoutError, psycopg.Error, OSError):
            return False
        return True

    def _told(self, wrong: Mapping[str, str], of_database: bool = False) -> tuple[bool, dict[str, Any]]:
        checks: dict[str, dict[str, Any]] = {}
        for name in ("database", "migrations", "projections") if of_database else ("database",):
            checks[name] = {"ok": name not in wrong} | ({"why": wrong[name]} if name in wrong else {})
        if self._leaving():
            checks["process"] = {"ok": False, "why": "The process is about to stop."}
        ready = all(each["ok"] for each in checks.values())
        return ready, {"ready": ready, "checks": checks}

    def _misfit(self, found: Standing) -> str | None:
        lacking = [each.name for each in self._migrations if each.name not in found.applied]
        if lacking:
            return f"The database lacks {', '.join(lacking)}: start the program anew, which migrates it."
        return misfit(self._migrations, found.applied)

    def _behind(self, lags: Mapping[str, int]) -> str | None:
        if behind := [name for name, lag in lags.items() if lag > self._most_lag]:
            return f"More than {self._most_lag} events behind: {', '.join(behind)}."
        return None

    async def _found(self) -> Standing:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        looking = self._looking
        done, _ = await asyncio.wait({looking}, timeout=LOOK_SECONDS)
        if done:
            return looking.result()
        # Psycopg waits for the server even when it is cancelled: so it is not waited for.
        if self._looking is looking:
            self._looking = self._line = None
            looking.add_done_callback(_take_notice)
            looking.cancel()
        raise TimeoutError

    async def _look(self) -> Standing:
        if self._line is not None:
            # It may be of before a restart of the database: that is no reason to be called away.
            with suppress(psycopg.Error):
                return await self._asked(self._line)
            await self.close()
        self._line = await AsyncConnection.connect(self._conninfo, autocommit=True)
        return await self._asked(self._line)

    async def _asked(self, line: AsyncConnection[TupleRow]) -> Standing:
        cursor = await line.execute(_STANDING, {"names": list(self._versions)})
        row = await cursor.fetchone()
        assert row is not None, "a select without a FROM has one row"
        return Standing(*row)

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()


def _take_notice(task: "asyncio.Task[Standing]") -> None:
    """Of how it ended, so that the event loop does not complain that nobody did."""
    if not task.cancelled():
        task.exception()


_STANDING: Final = """
SELECT
    (SELECT position FROM head),
    (SELECT coalesce(jsonb_object_agg(name, compatible_from), '{}') FROM migrations),
    (SELECT coalesce(jsonb_object_agg(name, position), '{}') FROM projections WHERE name = ANY(%(names)s)),
    (SELECT array(SELECT name FROM projections WHERE stopped_at IS NOT NULL))
"""
