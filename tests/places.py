"""Where tests put files: what a test makes, in memory where there is room; what is kept from run to run, on the disk."""

import os
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108  # tempfile makes what is made in it
KEPT: Final = Path(os.environ.setdefault("TESTS_KEPT_IN", tempfile.gettempdir()))
"""The folder of what is kept from run to run, for this process and those that it starts."""
ROOM: Final = 4 << 30
"""The bytes that must be free in memory."""


def make_files_in_memory() -> None:
    """Puts the temporary files of this process and those that it starts into memory, databases among them.

    No test pulls the plug of the machine; and to wait until the disk has what they write takes longer than most tests.
    """
    if os.access(MEMORY, os.W_OK | os.X_OK):
        found = os.statvfs(MEMORY)
        if found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC:
            os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
