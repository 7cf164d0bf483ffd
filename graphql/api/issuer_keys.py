"""The public keys of an issuer of tokens (OpenID Connect Discovery, RFC 7517): fetched, kept and rotated.

Keys that are known go on while the issuer is away. They are fetched again beside the requests when they are old, and at a
request for one that is not known, but not more often than every ten seconds, whatever is sent.
"""

from collections.abc import Callable, Iterator
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic
from typing import Any, Final

import httpx
import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

REFETCH_SECONDS: Final = 10.0
"""No sooner after a fetch the next."""
OLD_SECONDS: Final = 300.0
"""Keys this old are fetched again: one that its issuer took back is believed no longer than that."""
FETCH_SECONDS: Final = 2.0
"""Longest time of a fetch, all of it."""
LARGEST: Final = 256 * 1024
"""Bytes of a document of the issuer."""
MOST_WAITING: Final = 16
"""Requests that wait for a fetch; more are refused, so that an issuer that is slow takes no more than half of the workers."""
LEAST_BITS: Final = 2_048
"""Of an RSA key's modulus (RFC 7518 §3.3)."""
ALGORITHMS: Final = ("RS256", "PS256", "ES256")
"""With which tokens may be signed: of public keys alone, so that no public key can serve as a shared secret."""

Key = RSAKey | ECKey
_PARTS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}

log = structlog.get_logger(__name__)


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Unusable(Exception):
    """What the issuer answers is not what it should be."""


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what is got there: HTTPS, or this machine itself."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    local = parts.scheme == "http" and parts.host in ("127.0.0.1", "::1", "localhost")
    return bool(parts.host) and (parts.scheme == "https" or local)


class IssuerKeys:
    """The keys of one issuer. Safe for many threads."""

    def __init__(self, issuer: str, clock: Callable[[], float] = monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str | None, Key] = {}
        self._begun = self._had = float("-inf")
        self._lock = Lock()
        self._waiting = BoundedSemaphore(MOST_WAITING)

    def find(self, kid: str | None) -> Key | None:
        """The key of that id (None: of the one that has no id); None where the issuer has none or cannot be asked."""
        key = self._keys.get(kid)
        if key is None:
            self._fetch_for(kid)
            return self._keys.get(kid)
        if self._clock() - self._had >= OLD_SECONDS:
            self.fetch_beside()
        return key

    def fetch_beside(self) -> None:
        """Fetches the keys in a thread of its own, unless they are on their way or were asked for just now."""
        if self._may_fetch() and self._lock.acquire(blocking=False):
            Thread(target=self._fetch_and_release, name="issuer keys", daemon=True).start()

    def _may_fetch(self) -> bool:
        return self._clock() - self._begun >= REFETCH_SECONDS

    def _fetch_for(self, kid: str | None) -> None:
        if not self._waiting.acquire(blocking=False):
            return
        try:
            with self._lock:
                if kid not in self._keys and self._may_fetch():
                    self._fetch()
        finally:
            self._waiting.release()

    def _fetch_and_release(self) -> None:
        try:
            self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        """Takes the issuer's keys in the place of those that are known, or leaves them. Under the lock."""
        self._begun = self._clock()
        try:
            found = dict(_usable(_asked(self._issuer)))
            if not found:
                raise _Unusable
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            msgspec.DecodeError,
            UnicodeError,
            RecursionError,
            _Unusable,
        ) as fault:
            log.warning("the keys of the issuer cannot be had", fault=type(fault).__name__, known=len(self._keys))
            return
        self._keys, self._had = found, self._clock()


def _asked(issuer: str) -> list[dict[str, Any]]:
    """The issuer's JSON Web Key Set, as its configuration names it."""
    ends = monotonic() + FETCH_SECONDS
    # Redirects are not followed: what was configured is what is asked.
    with httpx.Client(timeout=FETCH_SECONDS, follow_redirects=False, headers={"accept-encoding": "identity"}) as http:
        place = issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = msgspec.json.decode(_got(http, place, ends), type=_Discovery)
        if found.issuer != issuer or not is_safe(found.jwks_uri):
            raise _Unusable
        return msgspec.json.decode(_got(http, found.jwks_uri, ends), type=_KeySet).keys


def _got(http: httpx.Client, url: str, ends: float) -> bytes:
    body = bytearray()
    with http.stream("GET", url, headers={"accept": "application/json"}) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > LARGEST or monotonic() > ends:
                raise _Unusable
    return bytes(body)


def _usable(keys: list[dict[str, Any]]) -> Iterator[tuple[str | None, Key]]:
    """The public keys by which our algorithms verify; others of the set are passed over (RFC 7517 §5)."""
    for sent in keys:
        kid, parts = sent.get("kid"), _PARTS.get(str(sent.get("kty")), ())
        signs = sent.get("use", "sig") == "sig" and sent.get("alg", ALGORITHMS[0]) in ALGORITHMS
        if not parts or not signs or not isinstance(kid, str | None):
            continue
        public = {name: sent[name] for name in ("kty", *parts, "alg") if isinstance(sent.get(name), str)}
        try:
            key = RSAKey.import_key(public) if sent["kty"] == "RSA" else ECKey.import_key(public)
            bits = key.public_key.key_size
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, ECKey) or bits >= LEAST_BITS:
            yield kid, key
