import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest

from api.trusted import digest, shipped
from caseledger.arrivals import LONGEST_HEAD
from caseledger.postgres import CarriedPostgres
from caseledger.settings import Settings
from caseledger.wiring import open_system
from running import code
from stand_in import SERVE


class Served:
    """A server in a process of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout and self.process.stderr
        self.said: list[str] = []
        self._listen = threading.Thread(target=self._keep, daemon=True)
        self._listen.start()
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://\S+:\d+)\n", line)
        assert found, (line, "".join(self.said))
        self.url = found[1]

    def _keep(self) -> None:
        assert self.process.stderr
        self.said += iter(self.process.stderr.readline, "")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=20)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        code = self.process.wait(timeout=40)
        self._listen.join()
        return code


@pytest.fixture
def serve(environment: dict[str, str]) -> Iterator[Callable[..., Served]]:
    """Starts servers on the tests' database; those that a test leaves are ended."""
    started: list[Served] = []

    def start(*options: str, workers: int | None = None, **settings: str) -> Served:
        real = [sys.executable, "-m", "caseledger.main", "serve", "--port", "0", *options]
        command = real if workers is None else [sys.executable, "-c", SERVE, str(workers)]
        started.append(Served(command, {**environment, **settings}))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it has not come about within 30 seconds"
        time.sleep(0.05)


def refuses(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.TransportError:
        return True
    return False


def test_it_says_where_it_listens_and_answers_there(serve: Callable[..., Served]) -> None:
    served = serve()
    assert served.url.startswith("http://127.0.0.1:")
    assert served.get("/healthz").json() == {"healthy": True}
    answer = httpx.post(f"{served.url}/graphql", json={"query": "{ ledger { head } }"}, timeout=20)
    assert answer.json()["data"] == {"ledger": {"head": 4}}
    assert "server" not in answer.headers
    wait_until(lambda: served.get("/readyz").json().get("known") == 4)
    assert served.end() == 0


def test_the_first_start_says_how_to_get_a_key_and_later_ones_nothing(
    serve: Callable[..., Served], environment: dict[str, str]
) -> None:
    served = serve()
    assert served.end(signal.SIGINT) == 0
    assert len(served.said) == 1
    assert served.said[0].startswith("The ledger is in the database caseledger on ".replace("the ", ""))
    assert served.said[0].endswith("make one with `caseledger keys create --role regulator`\n")
    create = [sys.executable, "-m", "caseledger.main", "keys", "create", "--role", "regulator"]
    subprocess.run(create, env=environment, check=True, capture_output=True)
    served = serve()
    assert served.end() == 0
    assert served.said == []


def test_a_request_that_was_accepted_is_finished_and_none_is_accepted_after_it(serve: Callable[..., Served]) -> None:
    served = serve(workers=1)
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(served.get("/slow")))
    asking.start()
    time.sleep(0.7)
    began = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert refuses(f"{served.url}/pid")
    assert served.process.wait(20) == 0
    assert time.monotonic() - began > 0.9
    asking.join()
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "done")]


def test_logs_are_json_and_say_where_it_failed_and_not_what(serve: Callable[..., Served]) -> None:
    served = serve(workers=1)
    assert served.get("/broken").status_code == 500
    assert served.end() == 0
    rows = [json.loads(line) for line in served.said if line.startswith("{")]
    assert [row["level"] for row in rows] == ["error"]
    assert rows[0]["failed"].endswith("RuntimeError")
    assert "stand_in.py" in rows[0]["failed"]
    assert "Zhang San" not in "".join(served.said)


def test_several_workers_answer_and_one_that_dies_is_replaced(serve: Callable[..., Served]) -> None:
    served = serve(workers=2)
    pids: set[int] = set()

    def seen() -> set[int]:
        with suppress_transport():
            pids.add(int(served.get("/pid").text))
        return pids

    wait_until(lambda: len(seen()) == 2)
    assert served.process.pid not in pids
    killed = pids.pop()
    survivors = set(pids)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(seen() - survivors - {killed}) == 1)
    assert served.end() == 0
    wait_until(lambda: not any(runs(pid) for pid in pids))
    assert refuses(f"{served.url}/pid")


def test_workers_end_when_their_parent_was_killed(serve: Callable[..., Served]) -> None:
    served = serve(workers=2)
    pid = int(served.get("/pid").text)
    assert served.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not runs(pid))
    wait_until(lambda: refuses(f"{served.url}/pid"))


def suppress_transport() -> suppress:
    """A request that a killed worker had taken gets no answer."""
    return suppress(httpx.TransportError)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "TAKEN"], "Port TAKEN on 127.0.0.1 is in use: stop what listens there, or give another --port."),
        (["--host", "203.0.113.1"], "203.0.113.1 is no address of this machine: give another --host."),
        (
            ["--host", "no.such.host.invalid"],
            "There is no address no.such.host.invalid; give --host an address of this",
        ),
    ],
)
def test_where_it_cannot_listen_it_says_so_before_anything_is_started(
    environment: dict[str, str], settings: Settings, options: list[str], said: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "caseledger.main", "serve", *(each.replace("TAKEN", port) for each in options)]
        # Nothing is started: this database is not there.
        environment["CASELEDGER_DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(said.replace("TAKEN", port))
    assert ended.stderr.count("\n") == 1
    assert not settings.home.exists()


def test_with_a_home_it_brings_its_own_postgresql_and_takes_it_away(serve: Callable[..., Served], home: Path) -> None:
    own = {"CASELEDGER_DATABASE_URL": "", "CASELEDGER_SCHEMA": "", "CASELEDGER_HOME": str(home / "ledger")}
    served = serve(**own)
    assert CarriedPostgres(home / "ledger").pid is not None
    assert (home / "ledger").stat().st_mode & 0o066 == 0
    assert served.end() == 0
    assert CarriedPostgres(home / "ledger").pid is None
    # A killed one leaves its PostgreSQL behind, and the next one takes it over.
    served = serve(**own)
    assert served.end(signal.SIGKILL) == -signal.SIGKILL
    served = serve(**own)
    assert served.get("/readyz").json()["head"] == 4
    assert served.end() == 0
    assert CarriedPostgres(home / "ledger").pid is None


def test_it_outlives_a_database_that_goes_away_and_comes_back(serve: Callable[..., Served], home: Path) -> None:
    with CarriedPostgres(home) as postgres:
        served = serve(CASELEDGER_DATABASE_URL=postgres.conninfo, CASELEDGER_SCHEMA="ledger")
        assert served.get("/readyz").status_code == 200
        postgres.stop()
        wait_until(lambda: served.get("/readyz").status_code == 503)
        postgres.start()
        wait_until(lambda: served.get("/readyz").status_code == 200)
        with psycopg.connect(postgres.conninfo) as conn:
            assert conn.execute("SELECT position FROM ledger.head").fetchone() == (4,)
        assert served.end() == 0


NAMED: Final = "query ($uscc: USCC!) { enterprise(uscc: $uscc) { name credit { knownAt } } }"
RENAME: Final = "mutation ($input: RecordInput!) { record(input: $input) { head errors { message } } }"


def test_no_process_answers_with_less_than_was_acknowledged_by_any(
    serve: Callable[..., Served], environment: dict[str, str], settings: Settings
) -> None:
    urls = [serve().url, serve().url]
    with open_system(settings) as system:
        key, _ = system.keys.create(role="regulator", authority="MIIT")
    # What was acknowledged last of each enterprise: the head, and the number in its name.
    acknowledged = {code(number): (0, 0) for number in range(3)}
    over = threading.Event()

    def post(client: httpx.Client, url: str, query: str, variables: Mapping[str, Any]) -> Any:
        answer = client.post(f"{url}/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def write(uscc: str, url: str) -> None:
        with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=20) as client:
            for number in range(1, 41):
                event = "enterpriseRenamed" if number > 1 else "enterpriseRegistered"
                fact = {"uscc": uscc, "name": f"企业{number}", **({"province": "11"} if number == 1 else {})}
                sent = {"idempotencyKey": f"{uscc}-{number}", "facts": [{event: fact}]}
                made = post(client, url, RENAME, {"input": sent})["record"]
                assert made["errors"] == []
                acknowledged[uscc] = made["head"], number

    def read(url: str) -> int:
        asked = 0
        with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=20) as client:
            while not over.is_set():
                for uscc in acknowledged:
                    head, number = acknowledged[uscc]
                    newest = max(known for known, _ in acknowledged.values())
                    found = post(client, url, NAMED, {"uscc": uscc})["enterprise"]
                    asked += 1
                    if number:
                        assert int(found["name"].removeprefix("企业")) >= number
                        assert found["credit"]["knownAt"] >= max(head, newest)
        return asked

    with ThreadPoolExecutor(5) as threads:
        readers = [threads.submit(read, url) for url in urls]
        writers = [threads.submit(write, uscc, urls[place % 2]) for place, uscc in enumerate(acknowledged)]
        for writer in writers:
            writer.result()
        over.set()
        assert min(reader.result() for reader in readers) > 20


def test_the_limits_of_the_settings_are_in_force(serve: Callable[..., Served]) -> None:
    served = serve(
        CASELEDGER_LIMIT_DEPTH="2",
        CASELEDGER_LIMIT_BODY="200",
        CASELEDGER_LIMIT_COST="3",
        CASELEDGER_DOCUMENTS="only",
        CASELEDGER_CORS_ORIGINS="https://a.example",
    )
    long = httpx.post(f"{served.url}/graphql", json={"query": "#" * 200}, timeout=20)
    assert (long.status_code, long.json()["errors"][0]["extensions"]["code"]) == (413, "TOO_LARGE")
    headers = {"origin": "https://a.example"}
    free = httpx.post(f"{served.url}/graphql", json={"query": "{ ledger { head } }"}, headers=headers, timeout=20)
    assert (free.status_code, free.headers["access-control-allow-origin"]) == (403, "https://a.example")
    for name, wrong in (("rulebooks", "TOO_COSTLY"), ("blacklist", "BAD_DOCUMENT")):
        asked = {"documentId": digest(shipped()[name])}
        answer = httpx.post(f"{served.url}/graphql", json=asked, timeout=20)
        assert answer.json()["errors"][0]["extensions"]["code"] == wrong
    assert served.end() == 0


def test_a_head_without_an_end_is_refused(serve: Callable[..., Served]) -> None:
    host, port = serve().url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nX-A: " + b"a" * LONGEST_HEAD)
            time.sleep(0.2)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 400 ")


def test_so_many_connections_are_served_and_no_more(serve: Callable[..., Served]) -> None:
    served = serve(CASELEDGER_LIMIT_CONNECTIONS="2")
    with httpx.Client(base_url=served.url) as one, httpx.Client(base_url=served.url) as two:
        assert [each.get("/healthz").status_code for each in (one, two)] == [200, 200]
        assert served.get("/healthz").status_code == 503
        assert one.get("/healthz").status_code == 200
    wait_until(lambda: served.get("/healthz").status_code == 200)
    assert served.end() == 0
