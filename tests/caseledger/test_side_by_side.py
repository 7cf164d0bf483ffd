"""Two releases on one ledger, as they are while one takes the place of the other: processes of their own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, open_system
from given import Stated, registered
from processes import Process
from running import RECORD, code, wait_until

NEWER: Final = str(Path(__file__).parents[1] / "newer_program.py")
NAME: Final = (
    "query ($uscc: String!) { enterprises(search: $uscc) { edges { node { uscc name licences { licenceNo } } } } }"
)
LONG: Final = 120.0
Start = Callable[..., Process]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts the server of this program, or of a newer one beside which those of a level may run."""
    begun: list[Process] = []

    def started(compatible_from: int | None = None) -> Process:
        command = [sys.executable, "-m", "caseledger.main"]
        if compatible_from is not None:
            command = [sys.executable, NEWER, str(compatible_from)]
        begun.append(Process("serve", "--port", "0", environment=environment, command=command))
        return begun[-1]

    yield started
    for each in begun:
        each.process.kill()
        each.process.wait()


class Asked:
    """A server that is asked as a regulator."""

    def __init__(self, process: Process, key: str) -> None:
        url = process.says(r"http://\S+:\d+", LONG)
        self.process = process
        self.http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30)

    def ask(self, query: str, variables: Any) -> Any:
        answer = self.http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def record(self, once: str, fact: Stated) -> int:
        sent = {"idempotencyKey": once, "facts": [{fact.name: fact.fields}]}
        made = self.ask(RECORD, {"input": sent})["record"]
        assert made["errors"] == []
        return int(made["head"])

    def knows(self, uscc: str) -> bool:
        return bool(self.ask(NAME, {"uscc": uscc})["enterprises"]["edges"])

    def ready(self) -> tuple[int, Any]:
        answer = self.http.get("/readyz")
        return answer.status_code, answer.json()["checks"]["migrations"]


@pytest.fixture
def key(settings: Settings) -> str:
    with open_system(settings) as system:
        return system.keys.create(role="regulator", authority="MIIT")[0]


def test_an_older_program_reads_and_writes_beside_a_newer_one_and_starts_beside_it(start: Start, key: str) -> None:
    older = Asked(start(), key)
    older.record("one", registered(uscc=code(1)))
    newer = Asked(start(len(MIGRATIONS)), key)
    # One that is running goes on, and one that starts again in the middle of the roll starts.
    newer.record("two", registered(uscc=code(2)))
    older.record("three", registered(uscc=code(3)))
    again = Asked(start(), key)
    again.record("four", registered(uscc=code(4)))
    assert newer.record("two", registered(uscc=code(2))) == again.record("two", registered(uscc=code(2)))
    for server in (older, newer, again):
        for number in (1, 2, 3, 4):
            assert server.knows(code(number))
        assert server.ready() == (200, {"ok": True})
    assert older.process.end() == newer.process.end() == 0
    # The older one alone again, as after a roll that was taken back.
    wait_until(lambda: again.ready()[0] == 200, LONG)
    again.record("five", registered(uscc=code(5)))
    assert again.knows(code(5))
    assert again.process.end() == 0


def test_beside_a_newer_program_that_allows_no_older_one_none_starts_and_one_that_runs_says_so(
    start: Start, key: str, environment: dict[str, str]
) -> None:
    older = Asked(start(), key)
    newer = Asked(start(0), key)
    assert newer.ready() == (200, {"ok": True})
    status, found = older.ready()
    assert (status, found["ok"]) == (503, False)
    why = (
        "The database knows migrations that this program does not: newer_0001. It was migrated by a newer program, beside "
        "which no older one may run: run that one or a later."
    )
    assert found["why"] == why
    command = [sys.executable, "-m", "caseledger.main", "status"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{why}\n")
