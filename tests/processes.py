"""Commands that go on until they are ended, as tests start them."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from running import wait_until


class Process:
    """A command of the program, which goes on in a process of its own."""

    def __init__(
        self,
        *options: str,
        environment: dict[str, str],
        command: Sequence[str] = (sys.executable, "-m", "caseledger.main"),
        folder: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [*command, *options], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._threads = [
            threading.Thread(target=self._keep, args=each, daemon=True)
            for each in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _keep(stream: IO[str] | None, lines: list[str]) -> None:
        assert stream
        lines.extend(iter(stream.readline, ""))

    def says(self, pattern: str, seconds: float = 20) -> str:
        """What matches the pattern in its output or errors, as soon as it is there."""
        wait_until(lambda: bool(re.search(pattern, "".join(self.out + self.err))), seconds)
        found = re.search(pattern, "".join(self.out + self.err))
        assert found
        return found[0]

    def end(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        for thread in self._threads:
            thread.join()
        return code


Begin = Callable[..., Process]
"""Starts the command of these arguments; keyword arguments are added to its environment."""
