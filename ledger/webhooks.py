"""Webhooks: who is told of events, under which key and of which ones, and the log of what each was sent.

A webhook acts under a key: it is told what the key's holder may see, and nothing once the key is revoked or expired. Its
secret is shown when it is made and kept sealed, since every message is signed by it. What is sent is in `ledger.deliveries`.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from domain import identifiers
from domain.callers import Caller
from domain.events import EVENTS
from domain.identifiers import malformed
from domain.matrix import EVENTS as EVENT_ROWS
from domain.matrix import Reach
from domain.text import shown
from ledger.addresses import Target
from ledger.keys import Keys
from ledger.migrations import Database, Migration, Pool
from ledger.sealing import Sealer
from ledger.webhook_signing import new_secret, secret_text

_SQL: Final = Path(__file__).parent / "sql"
WEBHOOK_MIGRATIONS: Final = (
    Migration(
        "webhooks_0001",
        tuple(
            _SQL / f"{name}.sql"
            for name in ("webhooks", "webhook_deliveries", "webhook_attempts", "webhook_attempts_append_only")
        ),
    ),
)

MOST_WEBHOOKS: Final = 100
"""Those that are not removed. Each has connections of its own, so that none waits for another."""
MOST_CODES: Final = 1_000
BOTH_SECONDS: Final = 24 * 3600
"""How long the secret before the present one signs too, so that a receiver has time to learn the new one."""
RETRY_DAYS: Final = 3.0
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_RESENT: Final = "resent:"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as lists show it. `types` and `usccs` are None where it is told of all."""

    id: str
    name: str
    url: str
    key: str
    types: tuple[str, ...] | None
    usccs: tuple[str, ...] | None
    state: str
    """active, paused, gone (the receiver answered 410), ended (its key is good no more) or removed."""
    created_at: datetime
    position: int
    """Events up to it have their deliveries."""
    waiting: int
    dead: int
    """Deliveries that were given up and not resent."""
    delivered: int
    delivered_at: datetime | None
    failing_since: datetime | None
    """When the oldest delivery that failed and waits was due first."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a webhook is told of one event. `id` is the header webhook-id, the same at every attempt."""

    id: str
    webhook: str
    position: int
    event: str
    state: str
    """waiting, delivered, dead (given up) or withheld (not to be seen any more by the key's holder)."""
    attempts: int
    status: int | None
    result: str | None
    """What came of the last attempt, with the receiver's HTTP status if it gave one."""
    created_at: datetime
    next_at: datetime | None
    """When it is tried next; None also for one that waits for an earlier event of its enterprise."""
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    attempted_at: datetime
    milliseconds: int
    status: int | None
    result: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a webhook is to be told: events of these types and enterprises, all where None, after a position."""

    name: str = ""
    types: tuple[str, ...] | None = None
    usccs: tuple[str, ...] | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    webhook: str | None = None
    failed: bool = False
    before: int | None = None
    """Only of events before this position."""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook and its secret, which is shown this once."""

    webhook: Webhook
    secret: str = field(repr=False)


class Counted(NamedTuple):
    """What of a webhook is measured; `dead` counts what was ever given up."""

    webhook: str
    position: int
    delivered: int
    dead: int


def deliveries_by_webhook(pool: Pool) -> list[Counted]:
    """The counts of those that are not removed, by one look at a short table."""
    with pool.connection() as database:
        rows = database.execute(
            "SELECT id, position, delivered, dead FROM webhooks WHERE state <> 'removed' ORDER BY id"
        ).fetchall()
    return [Counted(*row) for row in rows]


class Webhooks:
    """The webhooks of one ledger. Methods raise Malformed for what cannot be, psycopg.Error when the database is away."""

    def __init__(
        self,
        pool: Pool,
        sealer: Sealer,
        keys: Keys,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        retry_days: float = RETRY_DAYS,
    ) -> None:
        self._pool = pool
        self._sealer = sealer
        self._keys = keys
        self._clock = clock
        self._retry = timedelta(days=retry_days)

    def add(self, target: Target, key: str, wanted: Wanted) -> tuple[Made, Caller]:
        """Makes a webhook that begins after a position, by default the head; gives whom it acts for, too."""
        info, now = self._keys.named(key), self._clock()
        if not info.is_good(now):
            raise malformed(
                f"密钥 {info.id} 已撤销或过期；请用有效的密钥",
                f"The key {info.id} is revoked or expired; name one that is good",
            )
        id_, secret = f"wh_{''.join(secrets.choice(_LETTERS) for _ in range(10))}", new_secret()
        with self._pool.connection() as database:
            self._require_room(database)
            row = {
                "id": id_,
                "name": identifiers.name(wanted.name) if wanted.name else "",
                "url": str(target.url),
                "key": info.id,
                "types": _types(wanted.types, info.caller),
                "usccs": _usccs(wanted.usccs),
                "secret": self._sealer.seal_secret(secret, id_),
                "now": now,
                "after": _after(database, wanted.after),
            }
            database.execute(_ADD, row)
        return Made(self.named(id_), secret_text(secret)), info.caller

    def all(self) -> list[Webhook]:
        """All that are not removed, in the order in which they were made."""
        with self._pool.connection() as database:
            rows = database.execute(_LIST, {"now": self._clock()}).fetchall()
        return [_webhook(row) for row in rows]

    def named(self, id_: str) -> Webhook:
        """Raises Malformed where there is none of this id, or not any more."""
        found = next((each for each in self.all() if each.id == id_), None)
        if found is None:
            raise malformed(
                f"没有编号为 {shown(id_)} 的 Webhook；用 webhooks list 查看",
                f"There is no webhook with the id {shown(id_)}; `caseledger webhooks list` shows all",
            )
        return found

    def pause(self, id_: str) -> Webhook:
        """Nothing is sent until it is resumed; then what came meanwhile is."""
        return self._become(id_, "paused", _STATE)

    def resume(self, id_: str) -> Webhook:
        """What waits is tried at once, and has the whole time to be retried again."""
        return self._become(id_, "active", _STATE, _TRY_AGAIN)

    def remove(self, id_: str) -> Webhook:
        """For good; its log stays."""
        return self._become(id_, "removed", _STATE)

    def _become(self, id_: str, state: str, *statements: str) -> Webhook:
        found, now = self.named(id_), self._clock()
        parameters = {"id": id_, "state": state, "now": now, "expires": now + self._retry}
        with self._pool.connection() as database, database.transaction():
            for statement in statements:
                database.execute(statement.encode(), parameters)
        return found if state == "removed" else self.named(id_)

    def rotate(self, id_: str) -> Made:
        """Gives it another secret; the one before signs too for a day."""
        self.named(id_)
        secret, until = new_secret(), self._clock() + timedelta(seconds=BOTH_SECONDS)
        with self._pool.connection() as database:
            sealed = self._sealer.seal_secret(secret, id_)
            database.execute(_ROTATE, {"id": id_, "secret": sealed, "until": until})
        return Made(self.named(id_), secret_text(secret))

    def deliveries(self, asked: DeliveryFilter) -> list[Delivery]:
        """Of the newest events first."""
        parameters = {name: getattr(asked, name) for name in ("webhook", "failed", "before", "limit")}
        with self._pool.connection() as database:
            return [Delivery(*row) for row in database.execute(_DELIVERIES, parameters).fetchall()]

    def attempts(self, delivery: str) -> list[Attempt]:
        """The attempts of a delivery, in order."""
        with self._pool.connection() as database:
            return [Attempt(*row) for row in database.execute(_ATTEMPTS, [delivery]).fetchall()]

    def resend(self, delivery: str) -> list[Delivery]:
        """Sends it again under the same id, beside the order of its enterprise; one that waits for its turn goes on waiting."""
        found = self._found("id = %s", [delivery])
        if not found:
            raise malformed(
                f"没有编号为 {shown(delivery)} 的投递；用 webhooks deliveries 查看",
                f"There is no delivery with the id {shown(delivery)}; `caseledger webhooks deliveries` shows them",
            )
        return self._again(found)

    def resend_event(self, position: int, webhook: str | None) -> list[Delivery]:
        """Sends an event again to all who were told of it, or to one webhook, whether it was told of it or not."""
        if webhook is None:
            found = self._found("position = %s", [position])
        else:
            self._tell(self.named(webhook), position)
            found = self._found("position = %s AND webhook = %s", [position, webhook])
        active = {each.id for each in self.all() if each.state == "active"}
        if webhook is None and not (found := [each for each in found if each.webhook in active]):
            raise malformed(
                f"没有启用中的 Webhook 曾收到位置 {position} 的事件；可用 --webhook 指定一个",
                f"No active webhook was told of the event at position {position}; name one by --webhook",
            )
        return self._again(found)

    def _tell(self, webhook: Webhook, position: int) -> None:
        """Makes the delivery of an event that the webhook has passed without being told of it."""
        if not 1 <= position <= webhook.position:
            raise malformed(
                f"position 应为 1 至 {webhook.position}（该 Webhook 已处理的位置），收到 {position}",
                f"position is 1 to {webhook.position}, up to which the webhook is; got {position}",
            )
        now = self._clock()
        with self._pool.connection() as database:
            row = database.execute(
                "SELECT convert_from(data, 'UTF8')::jsonb ->> 'id' FROM events WHERE position = %s", [position]
            ).fetchone()
            assert row is not None, "positions have no gaps"
            id_ = delivery_id(webhook.id, row[0])
            parameters = (id_, webhook.id, position, row[0], _RESENT + id_, now, now, now + self._retry)
            database.execute(_TELL, parameters)

    def _again(self, found: Sequence[Delivery]) -> list[Delivery]:
        now, states = self._clock(), {each.id: each.state for each in self.all()}
        for each in found:
            if (state := states.get(each.webhook, "removed")) != "active":
                raise malformed(
                    f"Webhook {each.webhook} 的状态为 {state}，须为 active 才能重发；用 webhooks resume 恢复",
                    f"The webhook {each.webhook} is {state}; one that is active is sent something again: "
                    f"`caseledger webhooks resume {each.webhook}`",
                )
        ids = [each.id for each in found]
        with self._pool.connection() as database:
            database.execute(_AGAIN, {"ids": ids, "resent": _RESENT, "now": now, "expires": now + self._retry})
        return self._found("id = ANY (%s)", [ids])

    def _found(self, condition: str, parameters: Sequence[Any]) -> list[Delivery]:
        with self._pool.connection() as database:
            rows = database.execute(f"{_DELIVERY} WHERE {condition} ORDER BY webhook".encode(), parameters).fetchall()
        return [Delivery(*row) for row in rows]

    def _require_room(self, database: Database) -> None:
        row = database.execute("SELECT count(*) FROM webhooks WHERE state <> 'removed'").fetchone()
        if row and row[0] >= MOST_WEBHOOKS:
            raise malformed(
                f"Webhook 至多 {MOST_WEBHOOKS} 个；请先移除不用的",
                f"There may be {MOST_WEBHOOKS} webhooks; remove one that is not needed",
            )


def delivery_id(webhook: str, event: str) -> str:
    """What a receiver knows a message by. It follows from webhook and event, so that it outlives a restored backup."""
    return f"msg_{sha256(f'{webhook} {event}'.encode()).hexdigest()[:32]}"


def _types(types: Iterable[str] | None, caller: Caller) -> list[str] | None:
    if types is None:
        return None
    for each in types:
        if each not in EVENTS:
            legal = ", ".join(EVENTS)
            raise malformed(
                f"事件类型应为 {legal} 之一，收到 {shown(each)}", f"A type is one of {legal}; got {shown(each)}"
            )
        if caller.reach(EVENT_ROWS[each].sees) is Reach.NONE:
            raise malformed(
                f"角色 {caller.role} 的密钥看不到 {each}；请去掉该类型或换用密钥",
                f"A key of the role {caller.role} sees no {each}; leave that type out or name another key",
            )
    return sorted(set(types))


def _usccs(usccs: Sequence[str] | None) -> list[str] | None:
    if usccs is not None and len(usccs) > MOST_CODES:
        raise malformed(
            f"企业至多 {MOST_CODES} 家，收到 {len(usccs)} 家", f"At most {MOST_CODES} enterprises; got {len(usccs)}"
        )
    return None if usccs is None else sorted({identifiers.uscc(each) for each in usccs})


def _after(database: Database, after: int | None) -> int:
    row = database.execute("SELECT position FROM head").fetchone()
    head: int = row[0] if row else 0
    if after is not None and not 0 <= after <= head:
        raise malformed(
            f"--after 应为 0 至 {head}（当前最新位置），收到 {after}", f"--after is 0 to {head}, the head; got {after}"
        )
    return head if after is None else after


def _webhook(row: Sequence[Any]) -> Webhook:
    id_, name, url, key, types, usccs, *rest = row
    return Webhook(id_, name, url, key, types and tuple(types), usccs and tuple(usccs), *rest)


_ADD: Final = """
INSERT INTO webhooks (id, name, url, key_id, types, usccs, secret, created_at, position)
VALUES (%(id)s, %(name)s, %(url)s, %(key)s, %(types)s, %(usccs)s, %(secret)s, %(now)s, %(after)s)
"""
_LIST: Final = """
SELECT webhooks.id, webhooks.name, url, key_id, types, usccs,
    CASE WHEN api_keys.revoked_at IS NOT NULL OR api_keys.expires_at <= %(now)s THEN 'ended' ELSE state END,
    webhooks.created_at, position,
    (SELECT count(*) FROM webhook_deliveries WHERE webhook = webhooks.id AND state = 'waiting'),
    (SELECT count(*) FROM webhook_deliveries WHERE webhook = webhooks.id AND state = 'dead'),
    delivered, delivered_at,
    (SELECT min(created_at) FROM webhook_deliveries
     WHERE webhook = webhooks.id AND state = 'waiting' AND failures > 0)
FROM webhooks JOIN api_keys ON api_keys.id = key_id
WHERE state <> 'removed' ORDER BY webhooks.created_at, webhooks.id
"""
_STATE: Final = "UPDATE webhooks SET state = %(state)s, wait_until = NULL WHERE id = %(id)s"
_TRY_AGAIN: Final = """
UPDATE webhook_deliveries SET
    next_at = CASE WHEN next_at IS NOT NULL THEN %(now)s END, expires_at = %(expires)s, failures = 0
WHERE webhook = %(id)s AND state = 'waiting'
"""
_ROTATE: Final = """
UPDATE webhooks SET previous = secret, previous_until = %(until)s, secret = %(secret)s WHERE id = %(id)s
"""
_DELIVERY: Final = """
SELECT id, webhook, position, event_id, state, attempts, status, result, created_at, next_at, ended_at
FROM webhook_deliveries
"""
_DELIVERIES: Final = f"""
{_DELIVERY}
WHERE (%(webhook)s::text IS NULL OR webhook = %(webhook)s)
    AND (NOT %(failed)s OR state = 'dead' OR (state = 'waiting' AND failures > 0))
    AND (%(before)s::bigint IS NULL OR position < %(before)s)
ORDER BY position DESC, webhook LIMIT %(limit)s
"""
_ATTEMPTS: Final = """
SELECT number, attempted_at, milliseconds, status, result FROM webhook_attempts WHERE delivery = %s ORDER BY number
"""
_TELL: Final = """
INSERT INTO webhook_deliveries (id, webhook, position, event_id, lane, created_at, next_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (webhook, position) DO NOTHING
"""
# One that waits keeps its lane: those behind it wait for it there.
_AGAIN: Final = """
UPDATE webhook_deliveries SET
    lane = CASE state WHEN 'waiting' THEN lane ELSE %(resent)s || id END,
    next_at = CASE WHEN state <> 'waiting' OR next_at IS NOT NULL THEN %(now)s::timestamptz END,
    expires_at = %(expires)s, failures = 0, state = 'waiting', ended_at = NULL
WHERE id = ANY (%(ids)s)
"""
