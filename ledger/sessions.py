"""Sessions of the console: who is signed in, and by which key.

A session is a random token that its browser keeps; the database holds its SHA-256. It may what its key may, ends with it,
by signing out, and after half a day.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Final

from domain.callers import Caller
from ledger.keys import COLUMNS, GOOD, GOOD_FOR, info_of
from ledger.migrations import Migration, Pool
from ledger.remembered import Remembered

SESSION_MIGRATIONS: Final = (Migration("sessions_0001", (Path(__file__).parent / "sql" / "console_sessions.sql",)),)
SESSION_SECONDS: Final = 12 * 3_600
"""How long a session lasts at most: a working day."""
LONGEST_TOKEN: Final = 43
"""Characters of a token: 32 bytes in base64url."""


class Sessions:
    """The sessions of one ledger. Safe for many threads. All methods raise psycopg.Error when the database is away."""

    def __init__(
        self, pool: Pool, caller_of: Callable[[str], Caller | None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._pool = pool
        self._caller_of = caller_of
        self._clock = clock
        self._remembered = Remembered(clock)

    def begin(self, key: str) -> str | None:
        """The token of a new session of who holds a key; None where the key is nobody's."""
        caller = self._caller_of(key)
        if caller is None:
            return None
        token = secrets.token_urlsafe(32)
        with self._pool.connection() as conn:
            conn.execute(_BEGIN, {"sha256": _digest(token), "key_id": caller.holder, "seconds": SESSION_SECONDS})
            conn.execute(_FORGET)
        return token

    def caller(self, token: str) -> Caller | None:
        """Whose session it is; None for one that is over, or whose key is."""
        if len(token) != LONGEST_TOKEN or not token.isascii():
            return None
        digest = _digest(token)
        return self._remembered.find(digest) or self._look_up(digest)

    def end(self, token: str) -> None:
        """Ends a session; in other processes within four seconds."""
        digest = _digest(token)
        with self._pool.connection() as conn:
            conn.execute(_END, {"sha256": digest})
        self._remembered.drop(digest)

    def _look_up(self, digest: bytes) -> Caller | None:
        began = self._clock()
        with self._pool.connection() as conn:
            row = conn.execute(_VALID, {"sha256": digest}).fetchone()
        if row is None:
            return None
        *kept, good_for, lasts = row
        caller = info_of(kept).caller
        self._remembered.keep(digest, caller, began, min(good_for, lasts))
        return caller


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


_BEGIN: Final = """
INSERT INTO console_sessions (sha256, key_id, ends_at)
VALUES (%(sha256)s, %(key_id)s, now() + make_interval(secs => %(seconds)s))
"""

_FORGET: Final = "DELETE FROM console_sessions WHERE ends_at < now()"

_END: Final = "DELETE FROM console_sessions WHERE sha256 = %(sha256)s"

_VALID: Final = (
    """
SELECT {columns}, {good_for}, extract(epoch FROM ends_at - now())::float8
FROM console_sessions JOIN api_keys ON id = key_id
WHERE console_sessions.sha256 = %(sha256)s AND ends_at > now() AND {good}
""".replace("{columns}", COLUMNS)
    .replace("{good_for}", GOOD_FOR)
    .replace("{good}", GOOD)
)
