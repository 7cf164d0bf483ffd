"""Rates: how many requests a second each holder of a key, or each address without one, may send.

A token bucket for each: it fills at the rate and holds two seconds' worth. What is kept of it is the moment at which it
will be full again, so a request costs one look-up.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from threading import Lock
from time import monotonic
from typing import Final

BURST_SECONDS: Final = 2.0
"""How many seconds' worth of requests may come at once."""
MOST_HOLDERS: Final = 20_000
"""Buckets that are remembered; one that was forgotten is full."""


class Rates:
    """The buckets of one process. Safe for many threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def take(self, holder: str, rate: int) -> int:
        """Takes a request out of a holder's bucket: 0, or the seconds after which there is one in it."""
        now = self._clock()
        with self._lock:
            full_at = max(self._full_at.get(holder, 0.0), now) + 1 / rate
            # A part of a request is left out of account: sums of fractions are never exact.
            over = full_at - now - BURST_SECONDS - 1e-6
            if over > 0:
                return ceil(over)
            self._full_at[holder] = full_at
            self._full_at.move_to_end(holder)
            if len(self._full_at) > MOST_HOLDERS:
                self._full_at.popitem(last=False)
        return 0
