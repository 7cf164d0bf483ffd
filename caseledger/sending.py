"""Sending a message to a webhook's receiver: one POST, to an address that was looked up and allowed a moment before.

The name is looked up at every attempt, each of its addresses must be allowed, and the connection is made to one of them: so
no name can lead elsewhere between the look and the connection. Certificates are checked against the name all the same.
No redirect is followed, no proxy of the environment is used, and of the answer nothing but its status is kept.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from typing import Final

import certifi
import httpx
import structlog

from ledger.addresses import Target, is_public
from ledger.deliveries import Outcome, Result

LARGEST_ANSWER: Final = 16 * 1024
"""Bytes of an answer that are taken in, so that its connection can be used again; after more it is closed."""
MOST_ADDRESSES: Final = 3
"""How many addresses of a name are tried in one attempt."""
LONGEST_WAIT: Final = timedelta(days=1)
"""The longest that a receiver may ask to be let alone."""
CONNECT_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 2.0
"""How long a connection is kept for the next message: less than any usual server keeps it, so that none is sent into one that
is just being closed."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SendLimits:
    """`seconds`: the longest time of an attempt, from the look-up to the status."""

    seconds: float = 10.0
    at_once: int = 8
    """Attempts at one receiver at the same time."""
    private: bool = False
    """Whether http and addresses that are not public will do."""


class Unresolved(Exception):
    """A name that leads to no address."""


class AddressRefused(Exception):
    """A URL that is not https, or leads to an address that is not public."""


def addresses_of(target: Target, private: bool) -> list[str]:
    """The addresses of a URL's host, every one of them allowed. Raises Unresolved and AddressRefused."""
    if not private and target.url.scheme != "https":
        raise AddressRefused
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unresolved from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not private and not all(is_public(each) for each in addresses):
        raise AddressRefused
    return addresses[:MOST_ADDRESSES]


class Sender:
    """Sends to one receiver, over connections of its own: none is shared with another name at the same address."""

    def __init__(self, target: Target, limits: SendLimits) -> None:
        self._target = target
        self._limits = limits
        self._looking: asyncio.Future[list[str]] | None = None
        self._http = httpx.AsyncClient(
            verify=_trusted(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=limits.at_once, max_keepalive_connections=limits.at_once, keepalive_expiry=KEPT_SECONDS
            ),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def post(self, body: bytes, headers: dict[str, str]) -> Outcome:
        """What came of one attempt; whatever the receiver does, it raises nothing."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._post(body, headers)
        except Unresolved:
            return Outcome(Result.UNRESOLVED)
        except AddressRefused:
            return Outcome(Result.ADDRESS_REFUSED)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(Result.TIMED_OUT)
        except (httpx.HTTPError, OSError) as error:
            return Outcome(Result.UNTRUSTED if _is_of_tls(error) else Result.UNREACHABLE)
        except Exception as error:
            log.error("a message to a webhook cannot be sent", fault=type(error).__name__)
            return Outcome(Result.FAULT)

    async def _post(self, body: bytes, headers: dict[str, str]) -> Outcome:
        *others, last = await self._addresses()
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._post_to(address, body, headers)
        return await self._post_to(last, body, headers)

    async def _post_to(self, address: str, body: bytes, headers: dict[str, str]) -> Outcome:
        named = {**headers, "host": self._target.named, "accept-encoding": "identity"}
        extensions = {} if _is_address(self._target.host) else {"sni_hostname": self._target.host}
        request = self._http.build_request(
            "POST", self._target.at(address), content=body, headers=named, extensions=extensions
        )
        answer = await self._http.send(request, stream=True)
        try:
            outcome = outcome_of(answer.status_code, answer.headers.get("retry-after"), datetime.now(UTC))
            await _take_in(answer)
        finally:
            await answer.aclose()
        return outcome

    async def _addresses(self) -> list[str]:
        """Looks up once for all attempts that wait for it: a name server that hangs holds one thread a receiver."""
        if self._looking is None or self._looking.done():
            self._looking = _in_thread(self._target, self._limits.private)
        return await asyncio.shield(self._looking)


def outcome_of(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """What a status says, and how long the receiver asks to be let alone."""
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED, status)
    if 300 <= status < 400:
        return Outcome(Result.REDIRECTED, status)
    if status == 410:
        return Outcome(Result.GONE, status)
    if status in (429, 503):
        return Outcome(Result.LATER, status, _wait(retry_after or "", now))
    return Outcome(Result.ANSWERED, status)


def _wait(retry_after: str, now: datetime) -> timedelta | None:
    """Seconds, or a date (RFC 9110, 10.2.3); at most a day, and nothing where it is neither or past."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT) or None
    try:
        date = parsedate_to_datetime(text)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(wait, LONGEST_WAIT) if wait > timedelta() else None


async def _take_in(answer: httpx.Response) -> None:
    """Takes in an answer of usual length; any other costs its connection and nothing else."""
    size = 0
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(1.0):
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > LARGEST_ANSWER:
                    return


def _in_thread(target: Target, private: bool) -> "asyncio.Future[list[str]]":
    """Looks a name up in a thread of its own, which keeps no process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: Sequence[str], error: Exception | None) -> None:
        if not future.done():
            future.set_exception(error) if error else future.set_result(list(found))

    def look() -> None:
        found: list[str] = []
        error: Exception | None = None
        try:
            found = addresses_of(target, private)
        except Exception as fault:
            error = fault
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=look, name="look-up", daemon=True).start()
    return future


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities of the system, and those that the package carries where it has none."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _is_of_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
