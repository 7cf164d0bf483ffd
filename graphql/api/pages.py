"""One look-up for all siblings: what a resolver asks of one node is asked for its whole page at once.

So a query is a bounded number of statements, however many nodes a page has.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Page:
    """The enterprises of one page, and what was looked up for all of them together."""

    def __init__(self, usccs: Sequence[str]) -> None:
        self.usccs = list(usccs)
        self._found: dict[Hashable, Mapping[str, Any]] = {}

    def load(self, uscc: str, key: Hashable, look_up: Callable[[Sequence[str]], Mapping[str, T]]) -> T:
        """What `look_up` gives for one enterprise; it is called once for the page and a key."""
        if key not in self._found:
            self._found[key] = look_up(self.usccs)
        found: T = self._found[key][uscc]
        return found
