"""Bearer tokens of an issuer that is trusted (RFC 7519, 7515, 8725), and bearers of either kind: keys and tokens.

A token is believed where a known key of its issuer signed it by one of the pinned algorithms, it is meant for us, and it is
neither expired nor from the future, give or take a minute. Why one is not believed is logged in fixed words, never the
token: a client is told the same for all.
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from time import monotonic, time
from typing import Any, Final, Protocol, TypeVar

import msgspec
import structlog
from joserfc import jwt
from joserfc.errors import ClaimError, JoseError

from api.issuer_keys import ALGORITHMS, IssuerKeys
from domain.callers import Caller
from ledger.remembered import Remembered
from ledger.trust import Trust, Untrusted

SKEW_SECONDS: Final = 60
"""How far the clocks of the issuer and ours may be apart."""
LONGEST: Final = 8_192
"""Characters of a token."""
TYPES: Final = ("jwt", "at+jwt", "application/at+jwt")
"""The types that say who somebody is; a token of another kind (of logout, say) is none of ours (RFC 8725 §3.11), nor is one that demands an extension."""
LOG_SECONDS: Final = 10.0
"""Each reason is logged so often at most."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    typ: str = "JWT"
    crit: list[str] | None = None


class _Claimed(msgspec.Struct):
    iss: str


class Tokens:
    """The tokens of one issuer. Safe for many threads."""

    def __init__(self, trust: Trust, keys: IssuerKeys, clock: Callable[[], float] = monotonic) -> None:
        self._trust = trust
        self._keys = keys
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": trust.issuer},
            aud={"essential": True, "value": trust.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._remembered = Remembered(clock)
        self._said: dict[str, float] = {}
        self._lock = Lock()

    def caller(self, token: str) -> Caller | None:
        """Who holds a token; None for one that is not believed, and for a text that is none."""
        if not _may_be_token(token):
            return None
        if caller := self.remembered(token):
            return caller
        began = self._clock()
        try:
            claims = self._verified(token)
            caller = self._trust.caller(claims)
        except Untrusted as untrusted:
            self._say(untrusted.why)
            return None
        self._remembered.keep(_digest(token), caller, began, claims["exp"] + SKEW_SECONDS - int(time()))
        return caller

    def remembered(self, token: str) -> Caller | None:
        """The same from memory alone; None as well for a token that has to be looked at."""
        return self._remembered.find(_digest(token)) if _may_be_token(token) else None

    def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that is believed. Raises Untrusted."""
        head, claimed, _ = token.split(".")
        header = _part(head, _Header)
        if header.alg not in ALGORITHMS:
            raise Untrusted("algorithm")
        if header.typ.lower() not in TYPES or header.crit is not None:
            raise Untrusted("type")
        # Not verified yet: it saves asking the issuer for keys of what is not its own.
        if _part(claimed, _Claimed).iss != self._trust.issuer:
            raise Untrusted("issuer")
        key = self._keys.find(header.kid)
        if key is None:
            raise Untrusted("no such key")
        try:
            claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
        except ClaimError as wrong:
            raise Untrusted(wrong.error if wrong.claim == "exp" else f"claim {wrong.claim}") from None
        except (JoseError, ValueError, TypeError, RecursionError) as wrong:
            raise Untrusted(wrong.error if isinstance(wrong, JoseError) else "form") from None
        return claims

    def _say(self, why: str) -> None:
        now = self._clock()
        with self._lock:
            if now - self._said.get(why, float("-inf")) < LOG_SECONDS:
                return
            self._said[why] = now
        log.warning("a token is not believed", why=why)


def _digest(token: str) -> bytes:
    return sha256(token.encode("ascii")).digest()


def _may_be_token(text: str) -> bool:
    return len(text) <= LONGEST and text.isascii() and text.count(".") == 2


def _part(text: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Untrusted("form") from None


class Holders(Protocol):
    """Who holds what is sent as a bearer: a key or a token."""

    def caller(self, key: str) -> Caller | None:
        """Who holds it; None for what is unknown, revoked, expired or none at all."""
        ...

    def remembered(self, key: str) -> Caller | None:
        """The same from memory and without waiting; None as well for what has to be looked up."""
        ...


@dataclass(frozen=True, slots=True)
class Bearers:
    """Keys, and the tokens of an issuer beside them. No text is both."""

    keys: Holders
    tokens: Tokens

    def caller(self, key: str) -> Caller | None:
        return self.tokens.caller(key) if _may_be_token(key) else self.keys.caller(key)

    def remembered(self, key: str) -> Caller | None:
        return self.tokens.remembered(key) if _may_be_token(key) else self.keys.remembered(key)
