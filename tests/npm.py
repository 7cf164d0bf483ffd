"""Packages of npm that tests use, installed once and kept from run to run."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from places import KEPT


def installed(*packages: str) -> Path:
    """A folder in which these packages (NAME@VERSION) are installed; skips the test where that cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no node or no npm: install Node.js 20 or later")
    name = f"caseledger-npm-{os.getuid()}-{'-'.join(packages).replace('@', '-')}"
    folder = KEPT / name
    if not folder.exists():
        made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=KEPT))
        (made / "package.json").write_text('{"private": true}')
        install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts", "--fetch-retries=0"]
        if subprocess.run([*install, *packages], cwd=made, capture_output=True, check=False).returncode:
            shutil.rmtree(made)
            pytest.skip("npm could not install its packages: look at npm's network")
        try:
            # Whole or not at all, for whoever looks at the same time.
            made.rename(folder)
        except OSError:
            shutil.rmtree(made)
    return folder
