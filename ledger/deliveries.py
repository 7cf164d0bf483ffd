"""Deliveries as whoever delivers works on them: what each webhook is to be told, what is due, and what came of it.

Events become deliveries in the order of the log, in one transaction with the position that this has reached: none is left
out or made twice, wherever it is cut off. Those of one enterprise are a lane: only the first of a lane that waits is ever
due, and when it has ended the next one is. One process works on them (`caseledger.delivering`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from domain.callers import Caller, Role
from domain.recorded import bearer
from ledger.migrations import Database
from ledger.rows import columns
from ledger.webhooks import delivery_id

CHUNK: Final = 2_000
"""Positions that are looked at in one step for one webhook."""
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=6)
ALONE: Final = "-"
"""The lane of events that bear no enterprise."""


class Result(StrEnum):
    """What came of an attempt."""

    DELIVERED = "DELIVERED"
    """A status of 2xx."""
    ANSWERED = "ANSWERED"
    """Any other status but those below."""
    REDIRECTED = "REDIRECTED"
    """3xx: not followed, since the address was not what was allowed."""
    GONE = "GONE"
    """410: the receiver wants no more."""
    LATER = "LATER"
    """429 or 503: the receiver is let alone for as long as it says."""
    TIMED_OUT = "TIMED_OUT"
    UNREACHABLE = "UNREACHABLE"
    UNTRUSTED = "UNTRUSTED"
    """Its certificate is not believed."""
    UNRESOLVED = "UNRESOLVED"
    """Its name leads to no address."""
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    """Its name leads to an address that is not public."""
    FAULT = "FAULT"
    """The message could not be made or sent; the server's log says more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt; `wait` is how long the receiver asks to be let alone."""

    result: Result
    status: int | None = None
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Active:
    """A webhook that is served now, whom it acts for, and its sealed secrets, the present one first."""

    id: str
    url: str
    caller: Caller
    types: list[str] | None
    usccs: frozenset[str] | None
    position: int
    wait_until: datetime | None
    secrets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that may be sent now; `entry` is that of its event."""

    id: str
    webhook: str
    position: int
    lane: str
    attempts: int
    failures: int
    expires_at: datetime
    entry: bytes


class _Identified(msgspec.Struct):
    id: str


_ID: Final = msgspec.json.Decoder(_Identified)


def event_id(entry: bytes) -> str:
    """The random id in an entry."""
    return _ID.decode(entry).id


def pause_after(failures: int, chance: float) -> timedelta:
    """How long to wait after so many failures in a row; `chance`, from 0 to 1, keeps many from coming back at once."""
    # Beyond 30 doublings it is the longest anyway.
    doubled: timedelta = FIRST_PAUSE * 2 ** min(failures - 1, 30)
    return min(doubled, LONGEST_PAUSE) * (0.5 + chance / 2)


class Deliveries:
    """The deliveries of one ledger, over one connection. Everything raises psycopg.Error when that is lost."""

    def __init__(self, database: Database, retry: timedelta) -> None:
        self._database = database
        self._retry = retry
        # What is lost with the machine's memory is sent again under its old id; nobody waits for the disk.
        database.execute("SET synchronous_commit = off")

    def active(self, now: datetime) -> list[Active]:
        """The webhooks that are served: active, and under a key that is good."""
        return [_active(row, now) for row in self._database.execute(_ACTIVE, {"now": now}).fetchall()]

    def plan(self, to: Active, upto: int, now: datetime, sees: Callable[[bytes], bool] | None) -> bool:
        """Makes deliveries of the next events; says whether there is more. `sees` looks at an entry, None sees all."""
        reached = min(upto, to.position + CHUNK)
        asked = {"after": to.position, "upto": reached, "types": to.types}
        new = []
        for position, tags, entry in self._database.execute(_EVENTS, asked, binary=True).fetchall():
            uscc = bearer(tags)
            if (to.usccs is None or uscc in to.usccs) and (sees is None or sees(entry)):
                event = event_id(entry)
                new.append((delivery_id(to.id, event), position, event, uscc or ALONE))
        moved = {"id": to.id, "after": to.position, "reached": reached}
        with self._database.transaction():
            # Who paused or removed it meanwhile is heeded.
            if self._database.execute(_MOVE, moved).rowcount and new:
                made = {"webhook": to.id, "now": now, "expires": now + self._retry}
                parts = dict(zip(("ids", "positions", "events", "lanes"), columns(new), strict=True))
                self._database.execute(_PLAN, {**made, **parts})
        return reached < upto

    def due(self, now: datetime, free: Mapping[str, int], under_way: Collection[str]) -> list[Due]:
        """What may be sent now, at most so many of each webhook, those that are under way left out."""
        if not free:
            return []
        asked = {"webhooks": list(free), "free": list(free.values()), "under_way": list(under_way), "now": now}
        return [Due(*row) for row in self._database.execute(_DUE, asked, binary=True).fetchall()]

    def ids_at(self, positions: Sequence[int]) -> dict[int, str]:
        """The ids of events by their positions."""
        if not positions:
            return {}
        found = self._database.execute(_IDS, [list(positions)], binary=True).fetchall()
        return {position: event_id(entry) for position, entry in found}

    def keep(self, due: Due, outcome: Outcome, began: datetime, now: datetime, chance: float) -> None:
        """Keeps what came of an attempt, and says when the next one is, of this delivery or of the one behind it."""
        parameters = self._tried(due, outcome, began, now)
        with self._database.transaction():
            self._database.execute(_ATTEMPTED, parameters)
            if outcome.result is Result.DELIVERED:
                self._end(due, "delivered", now, parameters)
            elif outcome.result is not Result.GONE and now >= due.expires_at:
                self._end(due, "dead", now, parameters)
            else:
                waits = max(pause_after(due.failures + 1, chance), outcome.wait or timedelta())
                self._database.execute(_FAILED, {**parameters, "next": min(now + waits, due.expires_at)})
            self._let_alone(due.webhook, outcome, now)

    def withhold(self, due: Due, now: datetime) -> None:
        """Ends a delivery whose event the key's holder sees no more."""
        with self._database.transaction():
            self._end(due, "withheld", now, {"attempts": due.attempts, "status": None, "result": None})

    def try_all(self, webhook: str, now: datetime) -> None:
        """Makes all lanes of a webhook due: its receiver is back."""
        self._database.execute(_TRY_ALL, {"webhook": webhook, "now": now})

    def _tried(self, due: Due, outcome: Outcome, began: datetime, now: datetime) -> dict[str, Any]:
        return {
            "id": due.id,
            "attempts": due.attempts + 1,
            "began": began,
            "milliseconds": int((now - began).total_seconds() * 1000),
            "status": outcome.status,
            "result": outcome.result.value,
        }

    def _end(self, due: Due, state: str, now: datetime, tried: Mapping[str, Any]) -> None:
        about = {**tried, "id": due.id, "webhook": due.webhook, "lane": due.lane, "state": state, "now": now}
        self._database.execute(_ENDED, about)

    def _let_alone(self, webhook: str, outcome: Outcome, now: datetime) -> None:
        if outcome.result is Result.GONE:
            self._database.execute("UPDATE webhooks SET state = 'gone' WHERE id = %s AND state = 'active'", [webhook])
        if outcome.wait:
            self._database.execute("UPDATE webhooks SET wait_until = %s WHERE id = %s", [now + outcome.wait, webhook])


def _active(row: Sequence[Any], now: datetime) -> Active:
    id_, url, key, role, carrier, authority, types, usccs, position, wait_until, *sealed = row
    secret, previous, until = sealed
    # Without its scopes: personal fields are opened for no webhook.
    caller = Caller(Role(role), key, authority, carrier)
    both = previous is not None and until > now
    secrets = (secret, previous) if both else (secret,)
    return Active(id_, url, caller, types, frozenset(usccs) if usccs else None, position, wait_until, secrets)


_ACTIVE: Final = """
SELECT webhooks.id, url, key_id, role, carrier, authority, types, usccs, position, wait_until,
    secret, previous, previous_until
FROM webhooks JOIN api_keys ON api_keys.id = key_id
WHERE state = 'active' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
ORDER BY webhooks.id
"""
_EVENTS: Final = """
SELECT position, tags, data FROM events
WHERE position > %(after)s AND position <= %(upto)s AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
ORDER BY position
"""
_MOVE: Final = """
UPDATE webhooks SET position = %(reached)s WHERE id = %(id)s AND position = %(after)s AND state = 'active'
"""
_PLAN: Final = """
INSERT INTO webhook_deliveries (id, webhook, position, event_id, lane, created_at, expires_at, next_at)
SELECT new.id, %(webhook)s, new.position, new.event_id, new.lane, %(now)s, %(expires)s,
    CASE WHEN new.place = 1 AND NOT EXISTS (
        SELECT FROM webhook_deliveries AS earlier
        WHERE earlier.webhook = %(webhook)s AND earlier.lane = new.lane AND earlier.state = 'waiting'
    ) THEN %(now)s::timestamptz END
FROM (
    SELECT *, row_number() OVER (PARTITION BY lane ORDER BY position) AS place
    FROM unnest(%(ids)s::text[], %(positions)s::bigint[], %(events)s::text[], %(lanes)s::text[])
        AS given (id, position, event_id, lane)
) AS new
"""
_DUE: Final = """
SELECT due.*, events.data
FROM unnest(%(webhooks)s::text[], %(free)s::integer[]) AS asked (webhook, free)
CROSS JOIN LATERAL (
    SELECT id, webhook, position, lane, attempts, failures, expires_at FROM webhook_deliveries AS each
    WHERE each.webhook = asked.webhook AND state = 'waiting' AND next_at <= %(now)s
        AND id <> ALL (%(under_way)s::text[])
    ORDER BY next_at, position LIMIT asked.free
) AS due
JOIN events ON events.position = due.position
"""
_IDS: Final = "SELECT position, data FROM events WHERE position = ANY (%s)"
_ATTEMPTED: Final = """
INSERT INTO webhook_attempts (delivery, number, attempted_at, milliseconds, status, result)
VALUES (%(id)s, %(attempts)s, %(began)s, %(milliseconds)s, %(status)s, %(result)s)
"""
# All of it sees the rows as they were, the one that has ended too.
_ENDED: Final = """
WITH ended AS (
    UPDATE webhook_deliveries
    SET state = %(state)s, ended_at = %(now)s, next_at = NULL, attempts = %(attempts)s, status = %(status)s,
        result = %(result)s
    WHERE id = %(id)s
), next AS (
    UPDATE webhook_deliveries SET next_at = %(now)s
    WHERE id = (
        SELECT id FROM webhook_deliveries
        WHERE webhook = %(webhook)s AND lane = %(lane)s AND state = 'waiting' AND id <> %(id)s
        ORDER BY position LIMIT 1
    )
)
UPDATE webhooks SET
    delivered = delivered + (%(state)s = 'delivered')::integer, dead = dead + (%(state)s = 'dead')::integer,
    delivered_at = CASE %(state)s WHEN 'delivered' THEN %(now)s ELSE delivered_at END
WHERE id = %(webhook)s
"""
_FAILED: Final = """
UPDATE webhook_deliveries
SET next_at = %(next)s, failures = failures + 1, attempts = %(attempts)s, status = %(status)s, result = %(result)s
WHERE id = %(id)s
"""
_TRY_ALL: Final = """
UPDATE webhook_deliveries SET next_at = %(now)s WHERE webhook = %(webhook)s AND state = 'waiting' AND next_at > %(now)s
"""
