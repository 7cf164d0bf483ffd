"""A file: plain or gzip, whichever its first bytes say, or standard input; and its lines, in constant memory."""

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Final, NamedTuple, Protocol, cast

from caseledger.errors import Unreadable

LONGEST: Final = 8 * 1024 * 1024
"""Bytes of a line that are kept; a longer one is cut there, and what is left is no JSON."""

GLANCE: Final = 64 * 1024
"""Bytes that are looked at to tell the format of a file, at most."""

SMALL: Final = 16 * 1024 * 1024
"""Bytes up to which a file may unpack at any ratio."""

_GZIP: Final = b"\x1f\x8b"
_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Unpacking:
    """How far a packed file is unpacked: bytes in all, and how many times as much as it was."""

    most: int = 8 * 1024**3
    ratio: int = 200

    def check(self, name: str, unpacked: int, packed: int) -> None:
        """Raises Unreadable beyond it."""
        if unpacked > self.most:
            raise Unreadable(
                f"{name} unpacks to more than {self.most:,} bytes: import it in parts, or raise CASELEDGER_LIMIT_IMPORT_BYTES."
            )
        if unpacked > SMALL and unpacked > self.ratio * packed:
            raise Unreadable(
                f"{name} unpacks to more than {self.ratio} times its size, as a zip bomb does. If it is none, unpack it first, "
                "or raise CASELEDGER_LIMIT_IMPORT_RATIO."
            )


class Looking(Protocol):
    """A file that can look ahead, as those can that are buffered, standard input and GzipFile too."""

    def peek(self, n: int, /) -> bytes: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def readline(self, size: int = -1, /) -> bytes: ...


class Line(NamedTuple):
    number: int
    """From 1 on, empty lines counted."""
    text: bytes


@contextmanager
def open_source(name: str, unpacking: Unpacking = Unpacking()) -> "Iterator[Source]":
    """The file of that name, or standard input for `-`. Raises Unreadable when it cannot be opened."""
    if name == "-":
        yield Source("standard input", sys.stdin.buffer, None, unpacking)
        return
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(Path(name).open("rb", buffering=GLANCE))
        except OSError as error:
            raise Unreadable(f"{name} cannot be read: {error.strerror}.") from None
        yield Source(name, raw, Path(name).stat().st_size, unpacking)


class Source:
    """Bytes that are read once, from a file that is gzip or not. `size`: how many the file has, None if not known."""

    def __init__(
        self,
        name: str,
        raw: BinaryIO,
        size: int | None = None,
        unpacking: Unpacking = Unpacking(),
    ) -> None:
        self.name = name
        self.size = size
        self.unpacking = unpacking
        self.rows: int | None = None
        """How many rows there are, once a reader knows."""
        self.watch: Callable[[], None] = lambda: None
        """What a reader calls now and then that reads all before it gives anything."""
        self.went: str | None = None
        """What becomes of what can be read where not all can be, if it is not what goes for lines."""
        self._raw = raw

    @property
    def read(self) -> int:
        """Bytes read of the file, of `size`."""
        return 0 if self.size is None else self._raw.tell()

    def beginning(self) -> bytes:
        """What the file begins with, without taking it: the first that can be had at once, at most GLANCE bytes.

        Raises Unreadable where it cannot be read.
        """
        with self.reading():
            return self.opened.peek(GLANCE)[:GLANCE]

    @cached_property
    def opened(self) -> Looking:
        """What is in the file, decompressed. To be read within `reading`."""
        raw = cast(Looking, self._raw)
        return _Bounded(self.name, self._raw, self.unpacking) if raw.peek(2)[:2] == _GZIP else raw

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """The whole of it as a file that can be read in any order; copied where it is packed or comes through a pipe."""
        if self.size is not None and cast(object, self.opened) is self._raw:
            yield self._raw
            return
        with TemporaryFile() as copy:
            with self.reading():
                while part := self.opened.read(GLANCE):
                    copy.write(part)
                    self.unpacking.check(self.name, copy.tell(), copy.tell())
            copy.seek(0)
            yield copy

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Says in words, as Unreadable, why the block cannot read on."""
        try:
            yield
        except EOFError:
            raise Unreadable(
                f"{self.name} is a gzip file that ends too early: {self.went or 'the lines before the cut are in'}. Get the whole file and import it again."
            ) from None
        except (BadGzipFile, zlib.error):
            raise Unreadable(
                f"{self.name} is a damaged gzip file: {self.went or 'the lines before the damage are in'}. Get the file anew and import it again."
            ) from None
        except OSError as error:
            raise Unreadable(f"{self.name} cannot be read on: {error.strerror}.") from None

    def lines(self) -> Iterator[Line]:
        """The lines that are not empty, without their line ends.

        Raises Unreadable when it cannot be read on, after the lines that could be.
        """
        with self.reading():
            yield from _numbered(self.opened)


class _Bounded(GzipFile):
    """A gzip file of which no more is unpacked than may be."""

    def __init__(self, name: str, raw: BinaryIO, unpacking: Unpacking) -> None:
        super().__init__(fileobj=raw)
        self._said = name
        self._packed = raw
        self._unpacking = unpacking

    def read(self, size: int | None = -1) -> bytes:
        return self._checked(super().read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._checked(super().readline(size))

    def _checked(self, part: bytes) -> bytes:
        unpacked = self.tell()
        if unpacked > min(SMALL, self._unpacking.most):
            packed = self._packed.tell() if self._packed.seekable() else unpacked
            self._unpacking.check(self._said, unpacked, packed)
        return part


def _numbered(opened: Looking) -> Iterator[Line]:
    number = 0
    while text := opened.readline(LONGEST):
        number += 1
        _skip_the_rest(opened, text)
        text = text.removeprefix(_MARK).strip() if number == 1 else text.strip()
        if text:
            yield Line(number, text)


def _skip_the_rest(opened: Looking, text: bytes) -> None:
    while len(text) == LONGEST and not text.endswith(b"\n"):
        text = opened.readline(LONGEST)
