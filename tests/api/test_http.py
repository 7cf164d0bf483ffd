"""GraphQL over HTTP: methods, media types, status codes, languages, keys, limits, and what is said when something fails."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import psycopg
import pytest
from structlog.testing import capture_logs

from api.limits import RequestLimits
from api.media import language_of
from caseledger.postgres import CarriedPostgres
from domain.text import Language
from given import A, complained, filed, registered, renamed
from ledger.migrations import migrate
from projections.reads import Reads
from running import ADOPTED, MIGRATIONS, RECORD, System, fresh, head_held_still, running, started, wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
LARGEST_BODY: Final = RequestLimits().body
HEAD = "{ ledger { head } }"
JSON = "application/json"
RESPONSE = "application/graphql-response+json"
SECRET = "SELECT phone FROM people WHERE phone = '13800001111'"


def send(system: System, content: bytes | str, **headers: str) -> httpx.Response:
    """A POST with a body as it stands."""
    return system.http.post("/graphql", content=content, headers={"content-type": JSON, **headers})


def said(answer: httpx.Response) -> list[str]:
    """The codes of an answer's errors, which are JSON and readable whatever went wrong."""
    errors = answer.json()["errors"]
    assert all(error["message"] for error in errors)
    return [error["extensions"]["code"] for error in errors]


# Methods


def test_a_query_comes_by_get_as_well(shared: System) -> None:
    query = "query Head($first: Int) { enterprises(first: $first) { totalCount } } query Other { __typename }"
    asked = {"query": query, "variables": '{"first": 3}', "operationName": "Head"}
    answer = shared.http.get("/graphql", params=asked, headers=shared.bearer("miit"))
    assert (answer.status_code, answer.json()["data"]) == (200, {"enterprises": {"totalCount": 0}})


FACT: Final = f'{{enterpriseRegistered: {{uscc: "{A}", name: "x", province: "11"}}}}'
MUTATION: Final = f'mutation {{ record(input: {{idempotencyKey: "k", facts: [{FACT}]}}) {{ head }} }}'


def test_a_mutation_does_not_come_by_get(shared: System) -> None:
    answer = shared.http.get("/graphql", params={"query": MUTATION}, headers=shared.bearer("miit"))
    assert (answer.status_code, answer.headers["allow"], said(answer)) == (405, "POST", ["BAD_METHOD"])
    assert shared.head == ADOPTED


@pytest.mark.parametrize("query", [MUTATION, MUTATION + " query Other { __typename }"])
def test_a_mutation_comes_neither_by_head_nor_under_cover_of_a_query_beside_it(shared: System, query: str) -> None:
    named = query.replace("mutation", "mutation Record", 1)
    asked = {"query": named, "operationName": "Record"}
    for method in ("GET", "HEAD"):
        answer = shared.http.request(method, "/graphql", params=asked, headers=shared.bearer("miit"))
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = shared.http.get("/graphql", params=asked, headers={**shared.bearer("miit"), "accept": "text/event-stream"})
    assert answer.status_code == 405
    assert shared.head == ADOPTED


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_a_page_of_another_origin_can_send_unasked_changes_nothing(shared: System, kind: str) -> None:
    body = msgspec.json.encode({"query": MUTATION})
    answer = send(
        shared, body, **{"content-type": kind, "origin": "https://elsewhere.example", **shared.bearer("miit")}
    )
    assert (answer.status_code, said(answer)) == (415, ["BAD_MEDIA_TYPE"])
    assert shared.head == ADOPTED


def test_no_page_of_another_origin_reads_an_answer(shared: System) -> None:
    origin = {"origin": "https://elsewhere.example"}
    asked = shared.http.post("/graphql", json={"query": HEAD}, headers=origin)
    before = shared.http.options("/graphql", headers={**origin, "access-control-request-method": "POST"})
    assert (asked.status_code, before.status_code) == (200, 405)
    assert not [name for name in (*asked.headers, *before.headers) if name.startswith("access-control-")]


def test_pages_of_an_origin_that_is_named_read_answers(database: str) -> None:
    with started(database, requests=RequestLimits(origins=("https://ours.example",))) as system:
        allowed = {}
        for origin in ("https://ours.example", "https://elsewhere.example"):
            asking = {"origin": origin, "access-control-request-method": "POST"}
            asking["access-control-request-headers"] = "authorization,content-type"
            before = system.http.options("/graphql", headers=asking)
            asked = system.http.post("/graphql", json={"query": HEAD}, headers={"origin": origin})
            allowed[origin] = (before.status_code, asked.headers.get("access-control-allow-origin"))
        assert allowed == {
            "https://ours.example": (200, "https://ours.example"),
            "https://elsewhere.example": (400, None),
        }


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(shared: System, method: str) -> None:
    answer = shared.http.request(method, "/graphql", json={"query": HEAD})
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("variables", ["{", "[]", '"x"', "3"])
def test_variables_in_an_address_are_a_json_object(shared: System, variables: str) -> None:
    answer = shared.http.get("/graphql", params={"query": HEAD, "variables": variables}, headers={"accept": JSON})
    assert (answer.status_code, said(answer)) == (400, ["BAD_REQUEST"])


def test_a_get_without_a_query_is_a_bad_request_unless_a_browser_asks(shared: System) -> None:
    answer = shared.http.get("/graphql", headers={"accept": JSON})
    assert (answer.status_code, said(answer)) == (400, ["BAD_REQUEST"])
    page = shared.http.get("/graphql", headers={"accept": "text/html,application/xhtml+xml"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


# Bodies


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/graphql", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_is_json_by_its_media_type(shared: System, kind: str) -> None:
    answer = send(shared, '{"query": "{ ledger { head } }"}', **{"content-type": kind})
    assert (answer.status_code, said(answer)) == (415, ["BAD_MEDIA_TYPE"])


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_and_case_of_the_media_type_do_not_matter(shared: System, kind: str) -> None:
    assert send(shared, '{"query": "{ ledger { head } }"}', **{"content-type": kind}).status_code == 200


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a batch": b'[{"query": "{ ledger { head } }"}]',
    "a text": b'"{ ledger { head } }"',
    "null": b"null",
    "no query": b"{}",
    "a query that is null": b'{"query": null}',
    "a query that is no text": b'{"query": 3}',
    "variables that are a list": b'{"query": "{ __typename }", "variables": []}',
    "variables that are a text": b'{"query": "{ __typename }", "variables": "{}"}',
    "an operationName that is no text": b'{"query": "{ __typename }", "operationName": 3}',
    "no UTF-8": b'{"query": "\xff"}',
    "half a character": b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
    "NaN": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "deep": b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}",
    "two values": b'{"query": "{ __typename }"} {}',
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_body_is_a_bad_request(shared: System, what: str) -> None:
    answer = send(shared, BROKEN[what])
    assert (answer.status_code, said(answer)) == (400, ["BAD_REQUEST"])


@pytest.mark.parametrize("query", ["", " ", "#", "\u0000", "{", "query A { __typename } query B { __typename }"])
def test_a_document_without_an_operation_to_execute_is_a_bad_document(shared: System, query: str) -> None:
    answer = shared.post(query, accept=RESPONSE)
    assert answer.status_code == 400
    assert said(answer)[0] in ("BAD_DOCUMENT", "BAD_REQUEST")


def test_an_operation_that_is_not_in_the_document_is_named(shared: System) -> None:
    body = {"query": "query A { __typename }", "operationName": "B"}
    answer = shared.http.post("/graphql", json=body, headers={"accept-language": "en"})
    assert (answer.status_code, said(answer)) == (400, ["BAD_DOCUMENT"])
    assert "B" in answer.json()["errors"][0]["message"]


def test_a_body_has_at_most_two_mebibytes(shared: System) -> None:
    whole = b'{"query": "{ ledger { head } }"}'
    fits = send(shared, whole + b" " * (LARGEST_BODY - len(whole)))
    assert (fits.status_code, LARGEST_BODY) == (200, 2 * 1024 * 1024)
    answer = send(shared, whole + b" " * (LARGEST_BODY - len(whole) + 1))
    assert (answer.status_code, said(answer)) == (413, ["TOO_LARGE"])


def test_a_body_that_comes_in_pieces_is_not_read_beyond_the_limit(shared: System) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(4):
            yield b" " * 1024 * 1024

    answer = shared.http.post("/graphql", content=pieces(), headers={"content-type": JSON})
    assert (answer.status_code, said(answer)) == (413, ["TOO_LARGE"])


# Answers


@pytest.mark.parametrize(
    ("accept", "media", "status"),
    [
        (RESPONSE, RESPONSE, 400),
        (f"{RESPONSE}, {JSON};q=0.9", RESPONSE, 400),
        (f"{RESPONSE}; charset=utf-8", RESPONSE, 400),
        (JSON, JSON, 200),
        ("*/*", JSON, 200),
        ("application/*", JSON, 200),
        ("text/html", JSON, 200),
        ("", JSON, 200),
    ],
)
def test_the_media_type_of_an_answer_is_the_one_that_is_accepted(
    shared: System, accept: str, media: str, status: int
) -> None:
    for query, expected in ((HEAD, 200), ("{ nothing }", status)):
        answer = shared.post(query, accept=accept)
        assert answer.status_code == expected
        assert answer.headers["content-type"] == f"{media}; charset=utf-8"
        assert ("data" in answer.json()) is (query == HEAD)


def test_an_answer_with_data_is_200_though_a_field_failed(shared: System) -> None:
    answer = shared.post('{ ledger { head } enterprise(uscc: "1") { name } }', accept=RESPONSE)
    assert (answer.status_code, said(answer)) == (200, ["INVALID"])
    assert answer.json()["data"] == {"ledger": {"head": ADOPTED}, "enterprise": None}


def test_no_answer_is_stored_and_all_vary_by_what_they_depend_on(shared: System) -> None:
    for answer in (shared.post(HEAD), send(shared, b"{")):
        assert answer.headers["cache-control"] == "no-store"
        assert {"Accept", "Accept-Language", "Authorization"} <= set(answer.headers["vary"].split(", "))


# Languages


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh"),
        ("zh", "zh"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.3,zh-Hans;q=0.4", "zh"),
        ("zh;q=0.3,en;q=0.4", "en"),
        ("zh; q=0.3, en; q=0.4", "en"),
        ("fr, de;q=0.9", "zh"),
        ("fr, en;q=0.1", "en"),
        ("*", "zh"),
        ("zh;q=0, en", "en"),
        ("en;q=0", "zh"),
        ("en;q=x", "zh"),
        ("en;q=nan, zh;q=nan", "zh"),
        (",,;q=1;,", "zh"),
        ("english", "zh"),
    ],
)
def test_a_reader_is_answered_in_chinese_or_english(accepted: str, language: Language) -> None:
    assert language_of(accepted) == language


def test_errors_are_said_in_the_readers_language(shared: System) -> None:
    chinese, english = (send(shared, b"{", **{"accept-language": tag}) for tag in ("zh-CN", "en"))
    assert chinese.json()["errors"][0]["message"].startswith("请求应为 JSON 对象")
    assert english.json()["errors"][0]["message"].startswith("A request is a JSON object")


# Keys


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer clk_aaaaaaaa_" + "x" * 43, "Basic abc", "KEY", "", "Bearer \u00e9"]
)
def test_a_wrong_key_is_401_and_never_the_public(shared: System, header: str) -> None:
    answer = shared.http.post("/graphql", json={"query": HEAD}, headers=[(b"authorization", header.encode())])
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert said(answer) == ["UNAUTHENTICATED"]
    assert "data" not in answer.json()


def test_a_key_counts_whatever_the_case_of_its_scheme(shared: System) -> None:
    header = {"authorization": f"bEARER  {shared.secrets['miit']}"}
    assert shared.http.post("/graphql", json={"query": HEAD}, headers=header).status_code == 200


def test_a_revoked_key_is_refused(system: System) -> None:
    assert system.post(HEAD, key="auditor").status_code == 200
    system.keys.revoke(system.callers["auditor"].holder)
    assert system.post(HEAD, key="auditor").status_code == 401


# What nobody foresaw


@pytest.fixture
def faulty(shared: System, monkeypatch: pytest.MonkeyPatch) -> System:
    """A system whose search fails with words that nobody may see."""

    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Reads, "search", fail)
    return shared


@pytest.mark.parametrize(("language", "message"), [("en", "Internal error"), ("zh", "内部错误")])
def test_an_unexpected_fault_is_internal_without_its_words(faulty: System, language: str, message: str) -> None:
    answer = faulty.post("{ ledger { head } enterprises { totalCount } }", language=language)
    assert answer.status_code == 200
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL"}
    assert error["message"].startswith(message)
    assert "13800001111" not in answer.text
    assert "Traceback" not in answer.text


def test_a_fault_outside_the_execution_is_internal_too(shared: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(shared.ledger, "clock", fail)
    answer = shared.post(HEAD)
    assert (answer.status_code, said(answer)) == (500, ["INTERNAL"])
    assert "13800001111" not in answer.text


FAILING: Final = """
import sys
from caseledger.logs import configure_logs
from projections.reads import Reads
from running import started

def fail(*_):
    raise RuntimeError(sys.argv[2])

configure_logs()
with started(sys.argv[1]) as system:
    Reads.search = system.ledger.clock = fail
    system.post("{ ledger { head } }")
    system.ledger.clock = system.clock
    system.post("{ enterprises { totalCount } }")
"""
"""A program whose clock fails, which is outside the execution of a query, and then its search, which is inside."""


def test_the_words_of_a_fault_do_not_reach_the_log(database: str) -> None:
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "graphql", "tests"))
    ran = subprocess.run(
        [sys.executable, "-c", FAILING, database, SECRET],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr.count("RuntimeError") >= 2
    assert "13800001111" not in ran.stderr + ran.stdout


def test_no_refusal_repeats_personal_data_or_a_long_text(shared: System) -> None:
    long = "长" * 300_000
    wrong = {**complained(complainantPhone="13800001111", summary=long).fields, "colour": "red"}
    for fields in (wrong, {**wrong, "channel": long}, {**wrong, "complaintId": {"a": long}}, {**wrong, "summary": 3}):
        sent = {"idempotencyKey": "k", "facts": [{"complaintReceived": fields}]}
        answer = shared.post(RECORD, {"input": sent})
        assert said(answer)
        assert len(answer.text) < 4_000
        assert "13800001111" not in answer.text


# Other addresses


def test_the_application_says_whether_it_is_well_and_ready(shared: System) -> None:
    assert shared.http.get("/healthz").json() == {"healthy": True}
    ready = shared.http.get("/readyz").json()
    assert {name: ready[name] for name in ("ready", "head", "known")} == {
        "ready": True,
        "head": ADOPTED,
        "known": ADOPTED,
    }
    assert shared.http.get("/nothing").status_code == 404
    assert shared.http.get("/static/../api/http.py").status_code == 404
    assert shared.http.get("/static/%2e%2e/http.py").status_code == 404


# The database goes away


def assert_unavailable(answer: httpx.Response, message: str) -> None:
    assert (answer.status_code, said(answer)) == (503, ["UNAVAILABLE"])
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["errors"][0]["message"].startswith(message)
    for word in ("psycopg", "socket", "connection", "FATAL", "SELECT"):
        assert word not in answer.text


def someone_waits(conninfo: str) -> bool:
    """Whether a session waits for a row that another one holds."""
    with psycopg.connect(conninfo) as conn:
        waiting = conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return waiting is not None and waiting[0] > 0


def recorded(system: System) -> httpx.Response:
    sent = {"idempotencyKey": "once", "facts": [{renamed().name: renamed().fields}]}
    return system.post(RECORD, {"input": sent})


def answered(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer that the database was there for."""
    answers: list[httpx.Response] = []

    def is_there() -> bool:
        answers.append(ask())
        return answers[-1].status_code == 200

    wait_until(is_there)
    return answers[-1]


def recorded_in_the_background(system: System, answers: list[Any]) -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(recorded(system)))
    thread.start()
    return thread


def test_a_database_that_goes_away_is_503_and_nothing_needs_a_restart(own_postgres: CarriedPostgres) -> None:
    schema = "away"
    migrate(own_postgres.conninfo, schema, MIGRATIONS)
    with running(own_postgres.conninfo, schema) as system:
        system.known(registered(), filed())
        answers: list[httpx.Response] = []
        with head_held_still(own_postgres.conninfo, schema):
            thread = recorded_in_the_background(system, answers)
            wait_until(lambda: someone_waits(own_postgres.conninfo))
            assert own_postgres.pid is not None
            os.kill(own_postgres.pid, signal.SIGINT)
            thread.join()
        own_postgres.stop()
        assert_unavailable(answers[0], "The database is not available at the moment")
        assert_unavailable(system.post(HEAD), "The database is not available at the moment")
        assert_unavailable(system.post(HEAD, key=None, language="zh"), "数据库暂时不可用")
        ready = system.http.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"]["ok"]) == (503, False)
        assert system.http.get("/healthz").status_code == 200

        own_postgres.start()
        wait_until(lambda: system.post(HEAD).status_code == 200)
        assert system.ask(HEAD) == {"ledger": {"head": ADOPTED + 2}}
        # Not every connection is back at once, and a request waits but a second here: what is refused is sent again.
        query = f'{{ enterprise(uscc: "{A}") {{ name }} }}'
        payload = answered(lambda: recorded(system)).json()["data"]["record"]
        assert (payload["errors"], payload["head"]) == ([], ADOPTED + 3)
        wait_until(lambda: system.http.get("/readyz").json().get("known") == ADOPTED + 3)
        assert answered(lambda: system.post(query)).json()["data"] == {"enterprise": {"name": "乙呼叫中心"}}


def test_a_missing_table_is_internal_and_is_not_named(database: str) -> None:
    with fresh(database) as schema, running(database, schema) as system:
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(f"ALTER TABLE {schema}.history RENAME TO elsewhere")
        answer = system.post("{ ledger { events { position } } }")
        assert said(answer) == ["INTERNAL"]
        assert "elsewhere" not in answer.text
        assert "history" not in answer.text


def test_a_client_that_goes_before_its_body_is_there_is_no_fault_of_the_server(shared: System) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    begun = f"POST /graphql HTTP/1.1\r\nHost: {host}\r\nContent-Type: {JSON}\r\nContent-Length: 100\r\n\r\n"
    with capture_logs() as logged:
        with socket.create_connection((host, int(port))) as gone:
            gone.sendall(begun.encode() + b'{"query"')
        # What comes after it was looked at after it.
        time.sleep(0.1)
        assert shared.post(HEAD).status_code == 200
    assert [each for each in logged if each["log_level"] == "error"] == []


def test_no_answer_is_taken_for_a_page_and_the_page_runs_in_no_frame_and_nothing_of_others(shared: System) -> None:
    answers = [shared.post(HEAD), shared.post("{"), shared.http.get("/graphql", params={"query": HEAD})]
    page = shared.http.get("/graphql", headers={"accept": "text/html"})
    assert {answer.headers["x-content-type-options"] for answer in (*answers, page)} == {"nosniff"}
    rules = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert (rules["default-src"], rules["frame-ancestors"]) == ("'self'", "'none'")
    assert "script-src" not in rules
