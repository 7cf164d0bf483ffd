"""Callers that were found to hold a key or a token lately: for a few seconds they are not looked up again."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from domain.callers import Caller

REMEMBERED_SECONDS: Final = 4.0
"""How long who was found valid is not looked up again: a revocation takes effect within this time."""
MOST_REMEMBERED: Final = 10_000


class Remembered:
    """Callers by the SHA-256 of what they sent; those found longest ago make room. Safe for many threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._lock = Lock()

    def find(self, digest: bytes) -> Caller | None:
        with self._lock:
            until, caller = self._found.get(digest, (0.0, None))
        return caller if self._clock() < until else None

    def keep(self, digest: bytes, caller: Caller, began: float, good_for: float) -> None:
        """Remembers a caller from when it began to be looked up, at most as many seconds as it is still good for."""
        with self._lock:
            self._found[digest] = began + min(REMEMBERED_SECONDS, good_for), caller
            self._found.move_to_end(digest)
            while len(self._found) > MOST_REMEMBERED:
                self._found.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        with self._lock:
            self._found.pop(digest, None)

    def forget(self, holder: str) -> None:
        with self._lock:
            for digest in [digest for digest, (_, caller) in self._found.items() if caller.holder == holder]:
                del self._found[digest]
