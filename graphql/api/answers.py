"""Answers that are kept: the bytes of an answer hold until one of the subjects that it rests on gets an event.

An answer is found by the request's own bytes, by what the caller's key may see, the language and the legal day. It was
made by the generic executor, so it says what that says; only `knownAt` is written anew, as the head moves on under it.
"""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from typing import Any, Final

import msgspec

from api.newest import News, subject_of
from api.trusted import OTHER

MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes of all answers that are kept, with the requests that they answer."""
OVERHEAD: Final = 600
"""Bytes that Python takes for an answer besides its own."""
LARGEST: Final = 65_536
"""Bytes of an answer that is kept."""
LARGEST_REQUEST: Final = 4_096
"""Bytes of a request whose answer is kept."""

_PLACE: Final = b"\x00"
"""Where the head is written in an answer: no JSON holds this byte."""


class AtHead(int):
    """A position that an answer states because it is the head, and not because it was asked for."""


class Answer:
    """A kept answer: its bytes around the places where the head is written, and what they rest on."""

    __slots__ = ("_parts", "known", "operation", "size", "subjects")

    def __init__(self, body: Mapping[str, Any], known: int, tags: Collection[str], operation: str = OTHER) -> None:
        self._parts = msgspec.json.encode(_with_places(body)).split(_PLACE)
        self.known = known
        """The last position at which it is known to be true."""
        self.subjects = tuple({subject_of(tag) for tag in tags})
        self.size = sum(map(len, self._parts))
        self.operation = operation
        """The name of the trusted document that it answers."""

    def content(self) -> bytes:
        parts = self._parts
        return parts[0] if len(parts) == 1 else str(self.known).encode().join(parts)


def _with_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_places(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_places(inner) for inner in value]
    return msgspec.Raw(_PLACE) if isinstance(value, AtHead) else value


class Answers:
    """The answers of one process, the longest unasked dropped first. For one thread."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._kept: OrderedDict[tuple[bytes, Hashable], Answer] = OrderedDict()
        self._size = 0

    def __contains__(self, key: tuple[bytes, Hashable]) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all that is kept."""
        return self._size

    def operation(self, key: tuple[bytes, Hashable]) -> str:
        """Which trusted document the kept answer is of."""
        return self._kept[key].operation

    def still(self, key: tuple[bytes, Hashable]) -> bytes | None:
        """The answer's bytes as of the newest that `news` knows; None, and dropped, where that has passed it."""
        answer = self._kept.get(key)
        if answer is None:
            return None
        if not self._news.still_holds(answer.subjects, answer.known):
            self._drop(key)
            return None
        answer.known = max(answer.known, self._news.head)
        self._kept.move_to_end(key)
        return answer.content()

    def keep(self, key: tuple[bytes, Hashable], answer: Answer) -> None:
        if answer.size > LARGEST or len(key[0]) > LARGEST_REQUEST:
            return
        self._drop(key)
        self._kept[key] = answer
        self._size += _cost(key, answer)
        while self._size > MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[bytes, Hashable]) -> None:
        answer = self._kept.pop(key, None)
        if answer:
            self._size -= _cost(key, answer)


def _cost(key: tuple[bytes, Hashable], answer: Answer) -> int:
    return OVERHEAD + len(key[0]) + answer.size + sum(map(len, answer.subjects))
