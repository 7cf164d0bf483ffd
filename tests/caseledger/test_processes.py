"""Servers in processes of their own: what idle subscribers cost one, which of several leads the read models, and how a
newer program takes over from an older one."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import psycopg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from caseledger.settings import Settings
from caseledger.wiring import open_system
from given import Stated, registered, renamed
from processes import Begin, Process
from running import RECORD, code, wait_until
from subscribing import CHANGES, PROTOCOL, socket

IDLE: Final = 1_000
MEGABYTE: Final = 1_000_000
LEADS: Final = """
SELECT array_agg(activity.application_name ORDER BY pid) FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint
    = hashtextextended('caseledger projections ' || %s, 0)
"""


@dataclass
class Served:
    """A server, and a way to ask it as a regulator."""

    process: Process
    url: str
    http: httpx.Client

    def ask(self, query: str, variables: Any = None) -> Any:
        answer = self.http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def record(self, *facts: Stated) -> int:
        """The head when these are recorded."""
        key = f"{facts[0].name} {monotonic()}"
        sent = {"idempotencyKey": key, "facts": [{fact.name: fact.fields} for fact in facts]}
        made = self.ask(RECORD, {"input": sent})["record"]
        assert made["errors"] == []
        return int(made["head"])

    def known(self) -> int:
        """The position that its read models have reached."""
        return int(self.http.get("/readyz").json()["known"])

    def resident(self) -> int:
        """Bytes of memory that its process has."""
        return int(Path(f"/proc/{self.process.process.pid}/statm").read_text().split()[1]) * 4096


class Serving:
    """Starts servers on one ledger, each by a name that the database knows its connections by."""

    def __init__(self, begin: Begin, key: str, stack: ExitStack) -> None:
        self.key = key
        self._begin = begin
        self._stack = stack

    def __call__(self, name: str) -> Served:
        process = self._begin("serve", "--port", "0", PGAPPNAME=name)
        url = process.says(r"http://\S+:\d+")
        headers = {"authorization": f"Bearer {self.key}"}
        return Served(process, url, self._stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=20)))


@pytest.fixture
def serving(begin: Begin, settings: Settings) -> Iterator[Serving]:
    with open_system(settings) as system:
        key, _ = system.keys.create(role="regulator", authority="MIIT")
    with ExitStack() as stack:
        yield Serving(begin, key, stack)


async def idle(server: Served, key: str, number: int) -> list[ClientConnection]:
    """So many who subscribe to what comes after the head, each on a connection of its own."""
    asked = {"query": CHANGES, "variables": {"after": server.known()}}
    messages = [{"type": "connection_init"}, {"id": "1", "type": "subscribe", "payload": asked}, {"type": "ping"}]

    async def one() -> ClientConnection:
        client = await connect(
            server.url.replace("http", "ws") + "/graphql",
            subprotocols=[PROTOCOL],
            additional_headers={"authorization": f"Bearer {key}"},
            compression=None,
            ping_interval=None,
            open_timeout=60,
        )
        for message in messages:
            await client.send(json.dumps(message))
        # The ping is answered when the server has taken what came before it.
        assert [json.loads(await client.recv())["type"] for _ in range(2)] == ["connection_ack", "pong"]
        return client

    return [each for _ in range(0, number, 20) for each in await asyncio.gather(*(one() for _ in range(20)))]


async def cost(server: Served, key: str) -> tuple[int, int]:
    """Bytes more memory that IDLE subscribers cost a server, before and after all were told something."""
    clients = await idle(server, key, 20)
    before = server.resident()
    clients += await idle(server, key, IDLE)
    waiting = server.resident() - before
    head = await asyncio.to_thread(server.record, registered(uscc=code(1)))
    told = await asyncio.gather(*(asyncio.wait_for(each.recv(), 60) for each in clients))
    assert {json.loads(each)["payload"]["data"]["creditChanges"]["position"] for each in told} == {head}
    told_all = server.resident() - before
    await asyncio.gather(*(each.close() for each in clients))
    return waiting, told_all


@pytest.mark.slow
def test_a_thousand_idle_subscribers_cost_a_server_a_hundred_megabytes_at_most(serving: Serving) -> None:
    server = serving("alone")
    head = server.record(registered())
    wait_until(lambda: server.known() == head)
    assert max(asyncio.run(cost(server, serving.key))) <= 100 * MEGABYTE


def leading(settings: Settings) -> list[str]:
    """The names of the servers whose connection holds the lock of who leads; of each as often as it holds it."""
    with psycopg.connect(settings.database_url or "") as looking:
        row = looking.execute(LEADS, [settings.schema]).fetchone()
    assert row
    return list(row[0] or [])


def test_one_of_several_processes_leads_and_another_within_five_seconds_of_its_kill(
    serving: Serving, settings: Settings
) -> None:
    servers = {name: serving(name) for name in ("one", "two", "three")}
    wait_until(lambda: leading(settings) != [])
    for round_ in range(2):
        (leader,) = leading(settings)
        killed = servers.pop(leader)
        for place, server in enumerate(servers.values()):
            head = server.record(registered(uscc=code(10 * round_ + place)))
            wait_until(lambda head=head: min(each.known() for each in servers.values()) == head)  # type: ignore[misc]
            assert leading(settings) == [leader]
        killed.process.process.send_signal(signal.SIGKILL)
        began = monotonic()
        head = next(iter(servers.values())).record(renamed(uscc=code(10 * round_)))
        wait_until(lambda head=head: min(each.known() for each in servers.values()) == head)  # type: ignore[misc]
        assert monotonic() - began < 5
        assert len(leading(settings)) == 1
        assert set(leading(settings)) <= set(servers)


def test_a_subscriber_of_a_standby_is_told_on_after_the_leader_s_kill(serving: Serving, settings: Settings) -> None:
    servers = {name: serving(name) for name in ("one", "two")}
    wait_until(lambda: leading(settings) != [])
    (leader,) = leading(settings)
    killed = servers.pop(leader)
    (left,) = servers.values()
    head = left.record(registered())
    with socket(left.url, f"Bearer {serving.key}") as client:
        client.subscribe(CHANGES)
        assert client.results(1)[0]["position"] == head
        killed.process.process.send_signal(signal.SIGKILL)
        head = left.record(registered(uscc=code(1)))
        assert json.loads(client.connection.recv(5))["payload"]["data"]["creditChanges"]["position"] == head


def test_a_newer_program_makes_anew_what_an_older_one_made(serving: Serving, settings: Settings) -> None:
    older = serving("older")
    head = older.record(registered())
    wait_until(lambda: older.known() == head)
    older.process.end()
    with psycopg.connect(settings.database_url or "", options=f"-c search_path={settings.schema}") as owner:
        owner.execute("UPDATE projections SET version = version - 1 WHERE name IN ('register', 'history')")
        owner.execute("UPDATE history SET type = 'OfAnOlderProgram'")

    def of_history() -> list[Any]:
        with psycopg.connect(settings.database_url or "", options=f"-c search_path={settings.schema}") as looking:
            return looking.execute("SELECT DISTINCT type FROM history").fetchall()

    newer = serving("newer")
    wait_until(lambda: ("OfAnOlderProgram",) not in of_history())
    head = newer.record(registered(uscc=code(1)))
    wait_until(lambda: newer.known() == head)
    assert sorted(of_history()) == [("EnterpriseRegistered",), ("RulebookAdopted",)]
    assert newer.process.end() == 0
