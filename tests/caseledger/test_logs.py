"""Everything that a server writes, after requests full of what it must not write."""

import json
import logging
import socket as sockets
import threading
from typing import Any, Final

import httpx
import psycopg
import pytest
import structlog
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from api.trusted import digest, shipped
from caseledger.logs import SELDOM_SECONDS, _Seldom, configure_logs, log_uncaught
from caseledger.settings import LEVELS, Settings
from caseledger.wiring import open_system
from given import A
from processes import Begin, Process
from subscribing import PROTOCOL

PHONE: Final = "13800138000"
NAME: Final = "张三丰"
LATIN: Final = "ZhangSanfeng"
SECRET: Final = "hunter2secret"
NEVER: Final = (PHONE, NAME, LATIN, SECRET, "%E5%BC%A0", "\\u5f20\\u4e09", "clk_")
"""What no output may hold, in any writing; the tests add the keys themselves."""
QUERY: Final = f'query {LATIN} {{ enterprises(search: "{NAME}{PHONE}") {{ totalCount }} }}'


def everything(process: Process, settings: Settings) -> str:
    """All that a server has written, and the log in its home."""
    files = [file.read_text() for file in settings.home.glob("caseledger.log*")]
    return "".join([*process.out, *process.err, *files])


def rows(process: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.err if line.startswith("{")]


def speak(url: str, key: str) -> None:
    """Sends what is personal and secret by every way that a request has, well and badly formed."""
    bearer = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, timeout=30) as client:
        for headers in (bearer, {}, {"authorization": f"Bearer {SECRET}"}, {"authorization": f"Basic {SECRET}"}):
            client.post("/graphql", json={"query": QUERY, "operationName": LATIN}, headers=headers)
            client.post(
                "/graphql", content=f'{{"query": "{NAME}{PHONE}', headers=headers | {"content-type": "application/json"}
            )
            client.get("/graphql", params={"query": QUERY, "variables": f'{{"phone": "{PHONE}"}}'}, headers=headers)
            client.get(f"/{NAME}/{PHONE}?key={key}", headers=headers | {"x-request-id": PHONE, "user-agent": LATIN})
            client.get(f"/tlog/{PHONE}", headers=headers | {"referer": f"http://x/{PHONE}", "traceparent": SECRET})
        fact = {"complaintReceived": {"uscc": A, "complaintId": PHONE, "phone": PHONE, "complainant": NAME}}
        sent = {"input": {"idempotencyKey": f"{LATIN}-{PHONE}", "facts": [fact]}}
        asked = {"documentId": digest(shipped()["record"]), "variables": sent, "extensions": {LATIN: PHONE}}
        assert client.post("/graphql", json=asked, headers=bearer).status_code == 200
        client.post("/graphql", json={"query": "{ rulebooks { version } }", "documentId": SECRET}, headers=bearer)
    for payload in ({"type": "connection_init", "payload": {"authorization": f"Bearer {SECRET}"}}, {"type": NAME}):
        with connect(url.replace("http", "ws") + f"/graphql?phone={PHONE}", subprotocols=[PROTOCOL]) as client:
            client.send(json.dumps(payload))
            with pytest.raises(ConnectionClosed):
                client.recv(10)
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        connect(url.replace("http", "ws") + f"/{PHONE}").recv(10)
    host, port = url.removeprefix("http://").split(":")
    for raw in (
        f"GET /{PHONE} HTTP/9.9\r\n{SECRET}\r\n\r\n",
        f"{SECRET}\r\n\r\n",
        f"POST /graphql HTTP/1.1\r\n{PHONE}",
    ):
        with sockets.create_connection((host, int(port)), 10) as line:
            line.sendall(raw.encode())


def break_history(settings: Settings) -> None:
    """Lets what reads the history fail with words of the database's."""
    with psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {settings.schema}.history RENAME TO {SECRET}".encode())


def fail(url: str, key: str) -> None:
    query = f'{{ enterprise(uscc: "{A}") {{ history(first: 1) {{ edges {{ node {{ type }} }} }} }} e: enterprises(search: "{PHONE}") {{ totalCount }} }}'
    for document in (query, "{ ledger { events { position } } }"):
        body = httpx.post(
            f"{url}/graphql", json={"query": document}, headers={"authorization": f"Bearer {key}"}, timeout=30
        )
        assert SECRET not in body.text


def test_nothing_that_a_client_sends_is_in_any_output_of_the_server(begin: Begin, settings: Settings) -> None:
    with open_system(settings) as system:
        key, made = system.keys.create(role="regulator", authority="MIIT", name=NAME)
    process = begin("serve", "--port", "0", "--workers", "2", CASELEDGER_LOG="debug")
    url = process.says(r"http://\S+:\d+", 120)
    speak(url, key)
    break_history(settings)
    fail(url, key)
    assert process.end() == 0
    found = everything(process, settings)
    assert [each for each in (*NEVER, key, key.partition(f"{made.id}_")[2]) if each in found] == []
    lines = rows(process)
    # It was all logged, each as one object a line, by what the program knows of it.
    requests = [row for row in lines if "route" in row]
    assert {row["route"] for row in requests} >= {"graphql", "tlog", "other"}
    assert {row.get("operation") for row in requests} == {None, "other", "record"}
    assert {code for row in requests for code in row.get("codes", ())} >= {"UNAUTHENTICATED", "BAD_REQUEST", "INTERNAL"}
    assert {row["key"] for row in requests if "key" in row} == {made.id}
    assert {row["role"] for row in requests if "role" in row} == {"regulator", "public"}
    failed = [row for row in lines if row["event"] == "unexpected"]
    assert failed
    # The line of the fault says which request it was of.
    assert {row["request"] for row in failed} <= {row["id"] for row in requests}
    assert all(len(row["id"]) >= 9 and row["ms"] >= 0 for row in requests)


def test_what_is_logged_begins_at_the_level_of_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    for name, lines in (("error", 1), ("warning", 2), ("info", 3), ("debug", 4)):
        configure_logs(LEVELS[name])
        log = structlog.get_logger(f"of {name}")
        for level in ("debug", "info", "warning", "error"):
            getattr(log, level)("said")
        assert len(capsys.readouterr().err.splitlines()) == lines


def test_what_nobody_catches_in_a_thread_is_a_line_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    configure_logs()
    log_uncaught()

    def fail() -> None:
        raise ValueError(PHONE)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    err = capsys.readouterr().err
    assert PHONE not in err
    assert json.loads(err)["fault"] == "ValueError"
    assert json.loads(err)["failed"].endswith("fail\nValueError")


def test_what_asyncio_says_of_tasks_is_cut_before_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    said = f"Task exception was never retrieved\nfuture: <Task finished coro=<f()> exception=ValueError('{PHONE}')>"
    logging.getLogger("asyncio").error(said)
    logging.getLogger("asyncio").error(f"Exception in callback take('{PHONE}')")
    written = capsys.readouterr().err
    assert PHONE not in written
    assert [json.loads(line)["event"] for line in written.splitlines()] == [
        "Task exception was never retrieved",
        "Exception in callback take",
    ]


def test_a_pool_says_that_the_database_is_away_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("caseledger.logs.monotonic", lambda: now[0])
    seldom, warning = _Seldom(), logging.makeLogRecord({"levelno": logging.WARNING})
    assert [seldom.filter(warning) for _ in range(3)] == [True, False, False]
    assert seldom.filter(logging.makeLogRecord({"levelno": logging.ERROR}))
    now[0] += SELDOM_SECONDS
    assert seldom.filter(warning)
