"""Files that are whole and on the disk, or not there: keys, and what must outlive the machine's next fall."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

OWNERS_ONLY: Final = 0o600
_LARGEST_KEY_FILE: Final = 4096


class KeyFileError(Exception):
    """A key file that must not be used: others can read it, or it does not hold the key that was asked for."""


def create_owners_only(path: Path, content: bytes) -> None:
    """Make the file whole, durable and for its owner alone, unless another process was first."""
    # A link, unlike a rename, never takes the place of a file that is there.
    with _beside(path, content, OWNERS_ONLY) as temporary, suppress(FileExistsError):
        os.link(temporary, path)


def replace_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Put the content in the place of what the file had, if there was one; whoever reads sees the one or the other.

    `mode` is that of the new file, less what the process masks.
    """
    with _beside(path, content, mode) as temporary:
        temporary.replace(path)


def read_owners_only(path: Path) -> bytes:
    """The first 4,096 bytes of a file that nobody else can read. Raises KeyFileError, and OSError."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise KeyFileError(
                f"The key file {path} has mode {stat.S_IMODE(found.st_mode):04o} and owner {found.st_uid}; it must be a "
                f"file of user {os.geteuid()} that no one else can read or write: chmod 600 it, and if others could read it, replace it."
            )
        return file.read(_LARGEST_KEY_FILE)


@contextmanager
def _beside(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """The content under a name of its own in the same folder, for the block to move; then the folder is durable too."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
