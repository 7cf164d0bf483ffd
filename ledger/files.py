"""Files and folders that are whole and on the disk, or not there: keys, exports, and what must outlive the machine's next fall."""

import errno
import os
import secrets
import shutil
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
def new_whole(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """An empty file or folder under a name of its own beside `path`, for the block to fill; then it gets that name.

    It is for its owner alone. However the block ends, nothing partial stays. Raises FileExistsError where the name is
    not free, and OSError.
    """
    _require_free(path)
    temporary = _name_beside(path)
    try:
        if folder:
            temporary.mkdir(mode=0o700)
        else:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNERS_ONLY))
        yield temporary
        for each in (*temporary.rglob("*"), temporary) if folder else (temporary,):
            _sync(each)
        _require_free(path)
        temporary.rename(path)
    except BaseException:
        _remove(temporary)
        raise
    _sync(path.parent)


def _require_free(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _name_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _sync(path: Path) -> None:
    """What the file or folder has is on the disk then."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _beside(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """The content under a name of its own in the same folder, for the block to move; then the folder is durable too."""
    temporary = _name_beside(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)
