"""A bell: it wakes a thread that waits for something to read."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import Final, Protocol, Self

_MOST: Final = 1 << 20
"""More bytes than a pipe holds: however often it was rung, it is heard once."""


class Readable(Protocol):
    def fileno(self) -> int:
        """The descriptor that is to have something to read."""


class Bell:
    """Rung by any thread, heard by one. Holds two descriptors; use it as a context manager."""

    def __enter__(self) -> Self:
        self._heard, self._rung = os.pipe()
        for end in (self._heard, self._rung):
            os.set_blocking(end, False)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._heard)
        os.close(self._rung)

    def ring(self) -> None:
        """Wakes who waits, or who waits next. Returns at once."""
        # Full means that it was rung, and not yet heard.
        with suppress(BlockingIOError):
            os.write(self._rung, b"!")

    def wait(self, other: Readable | None = None, seconds: float | None = None) -> bool:
        """Waits until the bell rings, the other can be read from or the time is over; whether the other can be read from."""
        poll = select.poll()
        awaited = None if other is None else other.fileno()
        for descriptor in (self._heard, awaited):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1_000)}
        if self._heard in ready:
            os.read(self._heard, _MOST)
        return awaited in ready
