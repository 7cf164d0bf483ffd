"""The real program in a process that is killed at a step, or whenever a test likes."""

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import httpx

from caseledger.settings import Settings
from given import Stated
from ledger.keys import Keys
from ledger.migrations import Pool
from running import RECORD
from wholeness import Answer

TESTS: Final = Path(__file__).parent
SECONDS: Final = 60


class NotAnswered(Exception):
    """A request that got no answer, or the answer to try again."""


class Program:
    """Runs of the program, one after the other (`fault_process`). For one thread."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._orders = folder / "orders.json"
        self._said: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "fault_process.py"), str(self._orders)],
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.pid: int | None = None
        """The run under way."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.communicate()
        self._listener.join()

    def start(self, command: str, argument: str | int) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command} {argument}\n")
        self._process.stdin.flush()
        self.pid = int(self.wait_for(r"started (\d+)")[1])

    def wait_for(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """The next line that the pattern matches; the end of the run ends the wait too, with an AssertionError."""
        while True:
            line = self._said.get(timeout=seconds)
            if found := re.fullmatch(pattern, line):
                return found
            assert not line.startswith("ended"), f"{line} while waiting for {pattern}"

    def ended(self, seconds: float = SECONDS) -> int:
        """The exit code of the run, when it has ended."""
        code = int(self.wait_for(r"ended (-?\d+)", seconds)[1])
        self.pid = None
        return code

    def kill(self, by: signal.Signals = signal.SIGKILL) -> int | None:
        """Ends the run and gives its code; None where there is none under way."""
        if self.pid is None:
            return None
        with suppress(ProcessLookupError):  # It has ended by itself.
            os.kill(self.pid, by)
        return self.ended()

    def order(self, step: str, after: bool) -> None:
        """Lets the program kill itself at a step."""
        draft = self._orders.with_suffix(".new")
        draft.write_text(json.dumps({"step": step, "after": after}))
        draft.replace(self._orders)

    def withdraw(self) -> bool:
        """Takes the order back; whether it was still to be followed."""
        waiting = self.ordered()
        self._orders.unlink(missing_ok=True)
        return waiting

    def ordered(self) -> bool:
        """Whether the order is still to be followed."""
        return self._orders.exists()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._said.put(line.rstrip("\n"))


def asking(http: httpx.Client) -> Callable[[str, tuple[Stated, ...]], Answer]:
    """Records by the API, which `http` has the address and the key of; raises NotAnswered where one has to ask again."""

    def ask(key: str, facts: tuple[Stated, ...]) -> Answer:
        sent = {"idempotencyKey": key, "facts": [{fact.name: fact.fields} for fact in facts]}
        try:
            body = http.post("/graphql", json={"query": RECORD, "variables": {"input": sent}}).json()
        except httpx.TransportError:
            raise NotAnswered from None
        if codes := {error["extensions"]["code"] for error in body.get("errors", [])}:
            assert codes <= {"UNAVAILABLE", "RETRY_LATER"}, body["errors"]
            raise NotAnswered
        payload = body["data"]["record"]
        if {error["code"] for error in payload["errors"]} == {"CONFLICT"}:
            raise NotAnswered
        assert payload["errors"] == []
        return tuple((int(event["position"]), event["id"]) for event in payload["events"])

    return ask


def reached(port: int, looking: Pool) -> httpx.Client:
    """Speaks to a server on this port, by a new regulator's key."""
    secret, _ = Keys(looking).create(name="client", role="regulator", authority="MIIT")
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=SECONDS)


def run_import(program: Program, file: Path) -> dict[str, int]:
    """Imports a file and gives the summary."""
    program.start("import", str(file))
    summary: dict[str, int] = json.loads(program.wait_for(r"\{.*\}")[0])
    assert program.ended() == 0
    return summary


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def write_lines(file: Path, rows: Iterable[Stated]) -> None:
    file.write_text("".join(json.dumps({row.name: row.fields}) + "\n" for row in rows))


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a program that works on these settings."""
    assert settings.database_url
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CASELEDGER_")},
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS.parent / "graphql"), str(TESTS)]),
        "CASELEDGER_DATABASE_URL": settings.database_url,
        "CASELEDGER_SCHEMA": settings.schema,
        "CASELEDGER_HOME": str(settings.home),
    }
