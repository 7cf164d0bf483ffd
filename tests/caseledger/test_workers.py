"""Workers that are replaced one at a time, under load and where a new one does not come to answer."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed

from api.trusted import digest, shipped
from benchmarks.lines import Lines, Unanswered
from benchmarks.load import post
from benchmarks.memory import family
from caseledger.settings import Settings
from caseledger.wiring import open_system
from given import registered
from ledger.entry import read_entry
from ledger.recorder import PostgresRecorder
from processes import Begin, Process
from running import code, wait_until
from stand_in import SERVE
from subscribing import EVENTS, socket

REPLACED: Final = "a new worker answers and an old one leaves"
NOT_REPLACED: Final = "a new worker did not come to answer; the old ones stay"
LONG: Final = 120.0
"""Seconds: four starts and two leaves take long on a busy machine."""
STEADY: Final = 12
"""Clients that send a request as soon as the last is answered."""
UNHURRIED: Final = 8
"""Clients that wait up to two seconds between two requests, their connection open."""


@dataclass
class Client:
    """Asks and records over one keep-alive connection at a time, and keeps what came of each request."""

    port: int
    key: str
    number: int
    pause: float
    came: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)

    async def go_on(self, over: asyncio.Event) -> None:
        lines, chance = Lines(self.port), Random(self.number)
        while not over.is_set():
            case = f"roll-{self.number}-{self.came.total()}"
            records = chance.random() < 0.1
            try:
                reply = await lines.ask(self._request(records, case))
                refused = b'"errors":[{' in reply.body
                self.came[f"{reply.status} with errors" if refused else str(reply.status)] += 1
                if records and reply.status == 200:
                    self.acknowledged.append(case)
            except Unanswered as fault:
                self.came[f"unanswered {fault}"] += 1
            await asyncio.sleep(chance.random() * self.pause)
        lines.close()

    def _request(self, records: bool, case: str) -> bytes:
        asked: dict[str, Any] = {"documentId": digest(shipped()["creditStatus"]), "variables": {"uscc": code(0)}}
        if records:
            said = {"authority": "MIIT", "topics": "x", "becauseOf": "OTHER", "effectiveOn": "2024-05-06"}
            facts = [{"interviewHeld": {"uscc": code(self.number), "caseId": case, **said}}]
            variables = {"input": {"idempotencyKey": case, "facts": facts}}
            asked = {"documentId": digest(shipped()["record"]), "variables": variables}
        return post("/graphql", json.dumps(asked).encode(), [("authorization", f"Bearer {self.key}")])


async def asked_meanwhile(clients: Sequence[Client], done: Callable[[], bool]) -> None:
    """Lets clients go on until it is done, and a second longer."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.go_on(over))
        await asyncio.sleep(1)
        await asyncio.to_thread(wait_until, done, LONG)
        await asyncio.sleep(1)
        over.set()


def count_of(url: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=20).text)
    samples = (sample for family_ in families for sample in family_.samples if sample.name == name)
    return sum(each.value for each in samples if labels.items() <= each.labels.items())


def said(process: Process, sentence: str) -> int:
    return "".join(process.err).count(sentence)


@pytest.fixture
def key(settings: Settings) -> str:
    with open_system(settings) as system:
        made, caller = system.keys.create(role="regulator", authority="MIIT")
        # One of its own for each client, so that none has to give way to another.
        facts = [registered(uscc=code(number)) for number in range(STEADY + UNHURRIED)]
        begun = system.ledger.record(caller.caller, "begin", [(each.name, each.fields) for each in facts])
        assert begun.refusals == ()
        return made


@pytest.mark.slow
def test_two_workers_are_replaced_under_load_and_every_request_is_answered(
    begin: Begin, key: str, settings: Settings
) -> None:
    process = begin("serve", "--port", "0", "--workers", "2")
    url = process.says(r"http://\S+:\d+", LONG)
    port = int(url.rpartition(":")[2])
    before = set(workers(process.process.pid))
    clients = [Client(port, key, number, 0.02) for number in range(STEADY)]
    clients += [Client(port, key, STEADY + number, 2.0) for number in range(UNHURRIED)]
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(followed, url, key)
        process.process.send_signal(signal.SIGHUP)
        asyncio.run(asked_meanwhile(clients, lambda: is_replaced(process, before)))
        last, closed = following.result(LONG)
    came = sum((client.came for client in clients), Counter[str]())
    assert set(came) == {"200"}, came
    assert came.total() > 200
    # Who subscribed has all up to a position, is told that it can go on from there, and can at whichever takes it.
    assert closed == (1012, f"The server is being restarted; connect again and resume with after: {last}")
    with socket(url, f"Bearer {key}") as again:
        again.subscribe(EVENTS, {"after": last})
        assert again.results(1)[0]["position"] == last + 1
    # The numbers of workers that have left are kept: whichever is asked knows all that was answered.
    assert count_of(url, "caseledger_request_seconds_count") == came.total()
    acknowledged = [case for client in clients for case in client.acknowledged]
    assert count_of(url, "caseledger_appends_total", outcome="appended") == len(acknowledged)
    assert count_of(url, "caseledger_request_seconds_count", operation="record") == len(acknowledged)
    assert count_of(url, "caseledger_request_seconds_count", operation="other") == 0
    assert process.end() == 0
    with open_system(settings) as system:
        kept = Counter(cases(system.ledger.recorder))
    assert kept == Counter(acknowledged)


def followed(url: str, key: str) -> tuple[int, tuple[int, str]]:
    """The last position that a subscriber was given, and how the server closed."""
    last = 0
    with socket(url, f"Bearer {key}", ping_interval=None) as subscriber:
        subscriber.subscribe(EVENTS)
        try:
            while True:
                last = json.loads(subscriber.connection.recv(LONG))["payload"]["data"]["events"]["position"]
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return last, (closed.rcvd.code, closed.rcvd.reason)


def cases(recorder: PostgresRecorder) -> Iterator[str]:
    for each in recorder.read():
        if each.event.type == "InterviewHeld":
            yield str(getattr(read_entry(each).event, "case_id", ""))


def workers(pid: int) -> list[int]:
    """The processes that answer for this one: those of its children that serve, and not multiprocessing's tracker."""
    spawned = [each for each in family(pid) if each != pid]
    return [each for each in spawned if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()]


def is_replaced(process: Process, before: set[int]) -> bool:
    now = set(workers(process.process.pid))
    return said(process, REPLACED) == 2 and len(now) == 2 and not now & before


def test_where_a_new_worker_does_not_come_to_answer_the_old_ones_stay_and_a_later_roll_has_the_newest_settings(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CASELEDGER_LIMIT_DEPTH=12\n")
    process = Process(environment=environment, command=[sys.executable, "-c", SERVE, "2"], folder=tmp_path)
    try:
        process.says(r"http://\S+:\d+", LONG)
        pid = process.process.pid
        before = set(workers(pid))
        (tmp_path / ".env").write_text("CASELEDGER_LIMIT_DEPTH=deep\n")
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: said(process, NOT_REPLACED) == 1, LONG)
        assert set(workers(pid)) == before
        (tmp_path / ".env").write_text("CASELEDGER_LIMIT_DEPTH=3\n")
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: is_replaced(process, before), LONG)
        assert process.end() == 0
    finally:
        process.process.kill()
        process.process.wait()
