"""API keys: who may ask for what.

A key reads ``clk_ID_SECRET``: the id is shown in lists and stands in recordedBy, the secret is 32 random bytes. The
database holds the SHA-256 of the whole key and never the key. The secret has 256 bits of its own, so one fast hash
protects it as well as a slow one would. When a key was last used is noted when it is looked up and written beside the
requests, to about a minute.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from re import compile as pattern
from threading import Lock
from time import monotonic
from typing import Any, Final

from domain import identifiers
from domain.callers import Caller, Role
from domain.identifiers import Malformed, malformed
from domain.text import shown
from ledger.migrations import Migration, Pool
from ledger.remembered import Remembered

_SQL: Final = Path(__file__).parent / "sql"
KEY_MIGRATIONS: Final = (
    Migration("keys_0001", (_SQL / "api_keys.sql",)),
    Migration("keys_0002", (_SQL / "api_keys_expiry.sql",)),
)

SCOPES: Final = ("personal:read", "personal:erase")
MOST_DAYS: Final = 3_650
"""How long a key may be good for, where it expires at all."""

_PREFIX: Final = "clk_"
# Letters and digits that are not taken for one another (RFC 4648 base32).
_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_ID_LENGTH: Final = 8
_KEY: Final = pattern(r"clk_([a-z2-7]{8})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as lists show it, without its secret."""

    id: str
    role: Role
    name: str
    carrier: str | None
    authority: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    """The first instant at which it is not good any more; None for a key that is good until it is revoked."""
    last_used_at: datetime | None
    """To about a minute; None for a key that was never used."""

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    @property
    def caller(self) -> Caller:
        return Caller(self.role, self.id, self.authority, self.carrier, frozenset(self.scopes))


class Keys:
    """The keys of one ledger. Safe for many threads. All methods raise psycopg.Error when the database is away."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._remembered = Remembered(clock)
        self._used: set[str] = set()
        self._lock = Lock()

    def create(
        self,
        role: str,
        *,
        name: str = "",
        carrier: str | None = None,
        authority: str | None = None,
        scopes: Iterable[str] = (),
        expires_at: datetime | None = None,
    ) -> tuple[str, KeyInfo]:
        """Makes a key and returns it, this once, with what is kept of it. Raises Malformed when it may not be."""
        checked = _role(role)
        wanted = {
            "role": checked.value,
            "name": identifiers.name(name) if name else "",
            "carrier": _carrier(checked, carrier),
            "authority": _authority(checked, authority),
            "scopes": sorted({_scope(scope) for scope in scopes}),
            "expires_at": expires_at,
        }
        with self._pool.connection() as conn:
            while True:
                id_ = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
                key = f"{_PREFIX}{id_}_{secrets.token_urlsafe(32)}"
                digest = sha256(key.encode("ascii")).digest()
                # Without a row another key has this id.
                if row := conn.execute(_INSERT, {"id": id_, "sha256": digest, **wanted}).fetchone():
                    return key, info_of(row)

    def list(self) -> list[KeyInfo]:
        """All keys, revoked ones too, in the order in which they were made."""
        with self._pool.connection() as conn:
            rows = conn.execute(_LIST).fetchall()
        return [info_of(row) for row in rows]

    def named(self, id_: str) -> KeyInfo:
        """The key of an id, as lists show it or as the beginning of the key. Raises Malformed when there is none."""
        wanted = _id_in(id_)
        found = next((info for info in self.list() if info.id == wanted), None)
        if found is None:
            raise _no_key(wanted)
        return found

    def revoke(self, id_: str) -> KeyInfo:
        """Revokes a key for good; one that is revoked already stays as it is.

        The id may be given as lists show it or as the beginning of the key. Raises Malformed when there is none.
        """
        wanted = _id_in(id_)
        with self._pool.connection() as conn:
            row = conn.execute(_REVOKE, {"id": wanted}).fetchone()
        if row is None:
            raise _no_key(wanted)
        revoked = info_of(row)
        self._remembered.forget(revoked.id)
        return revoked

    def caller(self, key: str) -> Caller | None:
        """Who holds a key; None for one that is unknown, revoked or expired, and for a text that is no key."""
        found = _KEY.fullmatch(key)
        if not found:
            return None
        digest = sha256(key.encode("ascii")).digest()
        return self._remembered.find(digest) or self._look_up(found[1], digest)

    def remembered(self, key: str) -> Caller | None:
        """The same from memory alone; None as well for a key that has to be looked up."""
        return self._remembered.find(sha256(key.encode("ascii")).digest()) if _KEY.fullmatch(key) else None

    def write_uses(self) -> None:
        """Writes which keys were used since it was last called. For the background."""
        with self._lock:
            used, self._used = list(self._used), set()
        if not used:
            return
        try:
            with self._pool.connection() as conn:
                conn.execute(_USED, {"ids": used})
        except Exception:
            with self._lock:
                self._used.update(used)
            raise

    def _look_up(self, id_: str, digest: bytes) -> Caller | None:
        began = self._clock()
        with self._pool.connection() as conn:
            row = conn.execute(_VALID, {"id": id_}).fetchone()
        if row is None or not compare_digest(row[-1], digest):
            return None
        *kept, good_for, long_unused, _ = row
        caller = info_of(kept).caller
        if long_unused:
            with self._lock:
                self._used.add(id_)
        self._remembered.keep(digest, caller, began, good_for)
        return caller


def expiry(given: str, now: datetime) -> datetime:
    """The instant at which a key expires that is good for so many days, or up to and on a legal date.

    Raises Malformed where it is neither, lies in the past or more than 3,650 days ahead.
    """
    if given.isascii() and given.isdigit():
        if len(given) <= 4 and 1 <= int(given) <= MOST_DAYS:
            return now + timedelta(days=int(given))
    else:
        last: date = identifiers.legal_date(given)
        if 0 <= (last - identifiers.legal_date_of(now)).days <= MOST_DAYS:
            return datetime.combine(last + timedelta(days=1), time(), identifiers.SHANGHAI).astimezone(UTC)
    raise malformed(
        f"有效期应为 1 至 {MOST_DAYS} 天或今天起该期限内的日期，收到 {shown(given)}",
        f"A key expires after 1 to {MOST_DAYS} days, or on a date from today on within that time; got {shown(given)}",
    )


def _id_in(given: str) -> str:
    return given.removeprefix(_PREFIX).partition("_")[0]


def _no_key(wanted: str) -> Malformed:
    return malformed(
        f"没有编号为 {shown(wanted)} 的密钥；用 keys list 查看",
        f"There is no key with the id {shown(wanted)}; `caseledger keys list` shows all",
    )


def _role(role: str) -> Role:
    if role in list(Role):
        return Role(role)
    legal = ", ".join(Role)
    raise malformed(f"角色应为 {legal} 之一，收到 {shown(role)}", f"A role is one of {legal}; got {shown(role)}")


def _carrier(role: Role, carrier: str | None) -> str | None:
    if role is Role.CARRIER:
        if carrier is None:
            raise malformed(
                "carrier 角色的密钥须以 --carrier 指明基础电信企业代码（如 CHINA_TELECOM）",
                "A key of the role carrier needs --carrier with the carrier's code (CHINA_TELECOM, say)",
            )
        return identifiers.carrier(carrier)
    if carrier is not None:
        raise malformed(
            f"只有 carrier 角色的密钥可带 --carrier，角色为 {role}",
            f"--carrier is for keys of the role carrier; the role is {role}",
        )
    return None


def _authority(role: Role, authority: str | None) -> str | None:
    if authority is None:
        return None
    if role is not Role.REGULATOR:
        raise malformed(
            f"只有 regulator 角色的密钥可带 --authority，角色为 {role}",
            f"--authority is for keys of the role regulator; the role is {role}",
        )
    return identifiers.authority(authority)


def _scope(scope: str) -> str:
    if scope in SCOPES:
        return scope
    legal = ", ".join(SCOPES)
    raise malformed(f"权限应为 {legal} 之一，收到 {shown(scope)}", f"A scope is one of {legal}; got {shown(scope)}")


def info_of(row: Sequence[Any]) -> KeyInfo:
    """What a row of COLUMNS says of a key."""
    id_, role, name, carrier, authority, scopes, *times = row
    return KeyInfo(id_, Role(role), name, carrier, authority, tuple(scopes), *times)


COLUMNS: Final = "id, role, name, carrier, authority, scopes, created_at, revoked_at, expires_at, last_used_at"
GOOD_FOR: Final = "coalesce(extract(epoch FROM expires_at - now()), 1e9)::float8"
"""For how many seconds a key is still good."""
GOOD: Final = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"

_INSERT: Final = """
INSERT INTO api_keys (id, sha256, role, name, carrier, authority, scopes, expires_at)
VALUES (%(id)s, %(sha256)s, %(role)s, %(name)s, %(carrier)s, %(authority)s, %(scopes)s, %(expires_at)s)
ON CONFLICT (id) DO NOTHING
RETURNING {columns}
""".replace("{columns}", COLUMNS)

_LIST: Final = "SELECT {columns} FROM api_keys ORDER BY created_at, id".replace("{columns}", COLUMNS)

_VALID: Final = (
    """
SELECT {columns}, {good_for}, last_used_at IS NULL OR last_used_at < now() - interval '1 minute', sha256
FROM api_keys WHERE id = %(id)s AND {good}
""".replace("{columns}", COLUMNS)
    .replace("{good_for}", GOOD_FOR)
    .replace("{good}", GOOD)
)

_REVOKE: Final = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = %(id)s
RETURNING {columns}
""".replace("{columns}", COLUMNS)

_USED: Final = """
UPDATE api_keys SET last_used_at = now()
WHERE id = ANY (%(ids)s) AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""
