"""The pool of a draw at (today, the head) from the read models, in one snapshot with the root of the tree there."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from domain.draws import POOL_EVENTS, DrawRequest, Member
from domain.vocabulary import CreditStatus
from ledger.drawing import Pooled
from ledger.merkle import Frontier, frontier_nodes
from ledger.tree import look_up
from projections.parking import Parked
from projections.projection import Database
from projections.runner import Runner

READ: Final = ("register", "draws")
"""The projections that a pool is read from."""
WAIT_SECONDS: Final = 2.0
TRIES: Final = 5


class PoolStands(Exception):
    """A projection that a pool is read from was stopped, or an enterprise is parked in it: no pool can be told."""

    def __init__(self, parked: Parked) -> None:
        super().__init__(parked.why.en)
        self.parked = parked


class Pools:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def pool(self, request: DrawRequest, on: date) -> Pooled | None:
        """The pool on a day as known at the head; None where the read models do not reach it in time.

        Raises PoolStands, and MissingNode where the tree is not whole.
        """
        for _ in range(TRIES):
            with self._runner.pool.connection() as database:
                found, head = _read(database, request, on)
            if found:
                return found
            self._runner.wait_for(head, WAIT_SECONDS, READ)
        return None


def _read(database: Database, request: DrawRequest, on: date) -> tuple[Pooled | None, int]:
    """The pool, if what the read models know of it is what is known at the head; and the head."""
    # The connection goes back to its pool as it came: these are of this transaction alone.
    with database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        head, known, used = _one(database, _KNOWN, {"names": list(READ), "draw": f"draw:{request.draw_id}"})
        _require_standing(database)
        if used is None and known < head and _has_news(database, known):
            return None, head
        root = Frontier.of(head, look_up(database, frontier_nodes(head))).root
        rows = [] if used else database.execute(_POOL.encode(), _asked(request, on), binary=True).fetchall()
    return Pooled(head, root.hex(), [Member(uscc, CreditStatus(status)) for uscc, status in rows], used), head


def _has_news(database: Database, known: int) -> bool:
    asked = {"types": [cls.__name__ for cls in POOL_EVENTS], "known": known}
    return bool(_one(database, _NEWS, asked)[0])


def _require_standing(database: Database) -> None:
    row = database.execute(_STANDS.encode(), {"names": list(READ)}).fetchone()
    if row:
        raise PoolStands(Parked(*row))


def _asked(request: DrawRequest, on: date) -> dict[str, Any]:
    provinces, statuses = list(request.narrowed_to), [status.value for status in request.statuses]
    return {"on": on, "provinces": provinces or None, "statuses": statuses or None}


def _one(database: Database, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
    return database.execute(statement.encode(), parameters).fetchall()[0]


_KNOWN: Final = """
SELECT head.position,
    (SELECT coalesce(min(reached.position), 0) FROM projections AS reached WHERE reached.name = ANY (%(names)s::text[])),
    (SELECT min(tags.position) FROM tags WHERE tags.tag = %(draw)s)
FROM head
"""
_STANDS: Final = """
SELECT name, NULL, stopped_at, event_type, fault, moved_at FROM projections
WHERE name = ANY (%(names)s::text[]) AND stopped_at IS NOT NULL
UNION ALL
SELECT projection, uscc, position, event_type, fault, since FROM parked WHERE projection = ANY (%(names)s::text[])
LIMIT 1
"""
_NEWS: Final = """
SELECT EXISTS (
    SELECT FROM unnest(%(types)s::text[]) AS asked (type)
    CROSS JOIN LATERAL (
        SELECT FROM events WHERE events.type = asked.type AND events.position > %(known)s LIMIT 1
    ) AS hit
)
"""
_POOL: Final = """
SELECT r.uscc, c.status
FROM register r JOIN credit_spans c ON c.uscc = r.uscc
WHERE r.valid_from <= %(on)s AND r.valid_to > %(on)s AND c.valid_from <= %(on)s AND c.valid_to > %(on)s
  AND c.status <> 'UNKNOWN'
  AND (%(provinces)s::text[] IS NULL OR r.province = ANY (%(provinces)s::text[]))
  AND (%(statuses)s::text[] IS NULL OR c.status = ANY (%(statuses)s::text[]))
  AND EXISTS (SELECT FROM licence_spans l WHERE l.uscc = r.uscc AND l.valid_from <= %(on)s AND l.valid_to > %(on)s)
ORDER BY r.uscc
"""
