"""Limits of a request: each is crossed once, and once just not."""

import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import psycopg
import pytest
from graphql import build_schema, get_introspection_query

from api.documents import checked
from api.limits import DEFAULT_DOCUMENT_LIMITS, DocumentLimits, RequestLimits
from api.schema import SCHEMA
from api.streams import StreamLimits
from given import A, registered
from ledger.rows import Questions
from projections.reads import Reads
from running import RECORD, System, at_once, started, wait_until
from subscribing import EVENTS, holding, socket

HEAD: Final = "{ ledger { head } }"
RESPONSE: Final = "application/graphql-response+json"


def listing(count: int) -> str:
    """A document of so many tokens."""
    types = " ".join(['"EnterpriseRegistered"'] * (count - 15))
    return f"{{ ledger {{ events(types: [{types}]) {{ position }} }} }}"


def aliased(count: int) -> str:
    return "{" + " ".join(f"a{n}: ledger {{ head }}" for n in range(count)) + "}"


def errors_of(query: str, limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS) -> list[str]:
    return [error.message for error in checked(SCHEMA._schema, query, limits).errors]


# The document


def test_a_document_is_limited_in_tokens(shared: System) -> None:
    assert shared.codes(listing(2_000)) == []
    ((code_, message),) = shared.errors(listing(2_001))
    assert code_ == "BAD_DOCUMENT"
    assert "2000" in message


def test_a_document_is_limited_in_aliases_of_one_field(shared: System) -> None:
    assert shared.codes(aliased(15)) == []
    ((code_, message),) = shared.errors(aliased(16))
    assert (code_, message) == ("BAD_DOCUMENT", "Field 'ledger' is asked under 16 names in one place; 15 at most.")


def test_aliases_are_counted_across_fragments() -> None:
    def spread(count: int) -> str:
        others = " ".join(f"b{n}: ledger {{ head }}" for n in range(15))
        return f"{{ ...F ... {{ ...G }} }} fragment F on Query {aliased(count)} fragment G on Query {{ {others} }}"

    assert len(errors_of(spread(1))) == 1
    assert "16 names" in errors_of(spread(1))[0]
    within = "{ ...F ... { ...F } } fragment F on Query " + aliased(15)
    assert errors_of(within) == []


def test_aliases_are_counted_across_selections_that_are_merged() -> None:
    def merged(count: int) -> str:
        first = " ".join(f"a{n}: head" for n in range(15))
        return f"{{ ledger {{ {first} }} ledger {{ {' '.join(f'b{n}: head' for n in range(count))} a0: head }} }}"

    assert errors_of(merged(0)) == []
    assert errors_of(merged(1)) == ["Field 'head' is asked under 16 names in one place; 15 at most."]
    apart = "{ one: ledger { " + aliased(15)[1:-1].replace("ledger { head }", "head") + " } two: ledger { z: head } }"
    assert errors_of(apart) == []


def test_one_name_for_many_types_is_one_alias() -> None:
    types = ["EnterpriseRegistered", "EnterpriseRenamed", "LicenceGranted", "InterviewHeld"] * 5
    query = "{ ledger { events { " + " ".join(f"... on {name} {{ uscc }}" for name in types) + " } } }"
    assert errors_of(query) == []


NESTED: Final = '{ enterprise(uscc: "x") { history { edges { node { position } } } } }'


def test_a_document_is_limited_in_depth() -> None:
    assert errors_of(NESTED, DocumentLimits(depth=5)) == []
    assert errors_of(NESTED, DocumentLimits(depth=4)) == ["The operation is 5 fields deep; 4 at most."]
    spread = (
        '{ ...F } fragment F on Query { enterprise(uscc: "x") { ...G } } fragment G on Enterprise { credit { ...H } }'
    )
    spread += " fragment H on CreditReport { reasons { rule } }"
    assert errors_of(spread, DocumentLimits(depth=4)) == []
    assert errors_of(spread, DocumentLimits(depth=3)) == ["The operation is 4 fields deep; 3 at most."]


def test_one_field_stands_so_often_in_one_place() -> None:
    def repeated(count: int) -> str:
        return (
            "{ " + "ledger { head } " * (count // 2) + "... on Query { ledger { head } } " * (count - count // 2) + "}"
        )

    assert errors_of(repeated(100)) == []
    began = time.process_time()
    assert errors_of(repeated(250)) == ["Field 'ledger' stands 250 times in one place; 100 times at most."]
    assert time.process_time() - began < 1


RECURSIVE: Final = build_schema("type Query { q: Query a: Int }")


def test_a_document_is_twelve_fields_deep_at_most() -> None:
    def deep(depth: int) -> str:
        return "{ q " * (depth - 1) + "{ a }" + " }" * (depth - 1)

    assert checked(RECURSIVE, deep(12)).errors == ()
    (error,) = checked(RECURSIVE, deep(13)).errors
    assert error.message == "The operation is 13 fields deep; 12 at most."


def test_a_document_too_deep_is_refused_by_the_server(database: str) -> None:
    with started(database, requests=RequestLimits(documents=DocumentLimits(depth=2))) as system:
        assert system.codes(HEAD) == []
        answer = system.post("{ ledger { checkpoint { size } } }", accept=RESPONSE)
        assert (answer.status_code, codes(answer)) == (400, ["BAD_DOCUMENT"])


def test_tools_may_ask_the_schema_and_no_deeper(shared: System) -> None:
    assert shared.codes(get_introspection_query()) == []
    chain = "ofType { " * 20 + "name" + " }" * 20
    assert shared.codes(f"{{ __schema {{ types {{ fields {{ type {{ {chain} }} }} }} }} }}") == ["BAD_DOCUMENT"]


def test_fragments_that_multiply_are_checked_in_no_time() -> None:
    fragments = [
        f"fragment F{n} on Query {{ {' '.join(f'x{m}: q {{ ...F{n + 1} }}' for m in range(12))} }}" for n in range(11)
    ]
    query = "{ ...F0 } " + " ".join(fragments) + " fragment F11 on Query { a }"
    began = time.process_time()
    found = checked(RECURSIVE, query)
    assert found.errors == ()
    assert found.cost(None, None) > 12**11
    assert time.process_time() - began < 10


# The cost


ROWS: Final = "query ($first: Int) { enterprises(first: $first) { edges { node { name } } } }"


def codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json().get("errors", [])]


def test_the_cost_is_said_and_limited(database: str) -> None:
    with started(database, requests=RequestLimits(documents=DocumentLimits(cost=22))) as system:
        fits = system.post(ROWS, {"first": 10})
        assert (codes(fits), fits.json()["extensions"]) == ([], {"cost": 22})
        answer = system.post(ROWS, {"first": 11}, accept=RESPONSE)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]) == (400, {"code": "TOO_COSTLY", "cost": 24})
        assert error["message"].startswith("This request costs 24 (rows asked times fields), and one may cost 22;")
        assert answer.json()["extensions"] == {"cost": 24}
        assert "data" not in answer.json()
        mutation = RECORD.replace("{ head", "{ head again: head b: head c: head d: head e: head f: head g: head", 1)
        assert codes(system.post(mutation, {"input": {"idempotencyKey": "k", "facts": []}})) == []


def test_a_costly_mutation_records_nothing(database: str) -> None:
    with started(database, requests=RequestLimits(documents=DocumentLimits(cost=5))) as system:
        head = system.head
        fact = {registered().name: registered().fields}
        answer = system.post(RECORD, {"input": {"idempotencyKey": "k", "facts": [fact]}})
        assert codes(answer) == ["TOO_COSTLY"]
        assert system.head == head


def test_a_kept_answer_says_its_cost(system: System) -> None:
    system.known(registered())
    for _ in range(3):
        answer = system.post(f'{{ creditStatus(uscc: "{A}") {{ status knownAt }} }}')
        assert answer.json()["extensions"] == {"cost": 3}


def test_the_largest_page_of_enterprises_with_the_usual_history_of_each_may_be_asked(shared: System) -> None:
    query = """{ enterprises(first: 100) { edges { node { uscc history { edges { node {
      position id type area effectiveOn recordedAt recordedBy historical data voidedBy leafHash } } } } } } }"""
    whole = shared.post(query)
    assert (codes(whole), whole.json()["extensions"]) == ([], {"cost": 2 + 100 * (2 + 1 + 50 * 12 + 1)})
    assert shared.codes(query.replace("history {", "history(first: 100) {")) == ["TOO_COSTLY"]


# The time


@pytest.fixture(scope="module")
def hasty(database: str) -> Iterator[System]:
    """A server that ends requests after a second."""
    with started(database, requests=RequestLimits(seconds=1.0)) as system:
        yield system


def sleeping(seconds: float) -> Any:
    def search(self: Reads, *_: object) -> list[str]:
        self._rows("SELECT pg_sleep(%(seconds)s)::text", {"seconds": seconds})
        return []

    return search


def asleep(conninfo: str) -> int:
    with psycopg.connect(conninfo) as conn:
        running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(%'"
        found = conn.execute(running.encode()).fetchone()
    return int(found[0]) if found else 0


SEARCH: Final = "{ enterprises { edges { node { name } } } }"


def test_a_request_that_takes_too_long_is_cancelled_in_the_database(
    hasty: System, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reads, "search", sleeping(30))
    began = time.monotonic()
    answer = hasty.post(SEARCH)
    assert (answer.status_code, codes(answer)) == (504, ["TIMED_OUT"])
    assert 0.9 < time.monotonic() - began < 5
    assert asleep(database) == 0
    assert "data" not in answer.json()
    for word in ("psycopg", "cancel", "statement"):
        assert word not in answer.text.replace("cancelled", "")


def test_a_request_that_takes_almost_too_long_is_answered(hasty: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reads, "search", sleeping(0.5))
    assert hasty.ask(SEARCH) == {"enterprises": {"edges": []}}


def test_after_requests_were_cancelled_the_others_are_answered(hasty: System, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Reads, "search", sleeping(30))
        answers = at_once([lambda: hasty.post(SEARCH).status_code] * 6)
        assert answers == [504] * 6
    assert at_once([lambda: hasty.post(SEARCH).status_code] * 12) == [200] * 12


def test_no_statement_begins_after_the_time(hasty: System, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows = Questions._rows

    def slow(self: Questions, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        time.sleep(0.7)
        found = rows(self, statement, parameters)
        asked.append(statement)
        return found

    monkeypatch.setattr(Questions, "_rows", slow)
    assert codes(hasty.post("{ a: enterprises { totalCount } b: decisions { totalCount } }")) == ["TIMED_OUT"]
    before = len(asked)
    time.sleep(1.0)
    assert (len(asked), before < 4) == (before, True)


def test_an_append_that_takes_too_long_is_not_cancelled(hasty: System, database: str) -> None:
    head, answers = hasty.head, list[httpx.Response]()
    sent = {"input": {"idempotencyKey": "slow", "facts": [{registered().name: registered().fields}]}}
    with psycopg.connect(database) as holding_the_head:
        holding_the_head.execute(f"SELECT FROM {hasty.schema}.head FOR UPDATE".encode())
        recording = threading.Thread(target=lambda: answers.append(hasty.post(RECORD, sent)))
        recording.start()
        time.sleep(1.5)
        assert answers == []
    recording.join()
    assert hasty.head == head + 1
    again = hasty.ask(RECORD, sent)["record"]
    assert (again["replayed"], again["events"][0]["position"]) == (True, head + 1)


# The rate


@pytest.fixture
def rationed(database: str) -> Iterator[System]:
    """A server that takes two requests a second of a key and one of an address, and twice as many at once."""
    with started(database, requests=RequestLimits(rate=2, public_rate=1)) as system:
        system.known(registered())
        yield system


def statuses(system: System, number: int, query: str = HEAD, **how: Any) -> list[int]:
    return [system.post(query, **how).status_code for _ in range(number)]


def test_a_key_may_ask_so_often(rationed: System) -> None:
    began = time.monotonic()
    assert statuses(rationed, 4) == [200] * 4
    answer = rationed.post(HEAD)
    assert time.monotonic() - began < 0.5, "this machine is too slow for the test"
    assert (answer.status_code, codes(answer), answer.headers["retry-after"]) == (429, ["RATE_LIMITED"], "1")
    assert answer.json()["errors"][0]["message"] == "Too many requests: 2 a second at most; try again in 1 s"
    assert rationed.post(HEAD, key="auditor").status_code == 200
    time.sleep(int(answer.headers["retry-after"]))
    assert rationed.post(HEAD).status_code == 200


def test_kept_answers_count_as_any_other(rationed: System) -> None:
    query = f'{{ creditStatus(uscc: "{A}") {{ status }} }}'
    found = statuses(rationed, 8, query)
    assert found[:4] == [200] * 4
    assert 429 in found[4:]


def test_an_address_without_a_key_or_with_a_wrong_one_may_ask_less_often(rationed: System) -> None:
    wrong = {"authorization": "Bearer clk_aaaaaaaa_" + "x" * 43}
    found = [rationed.http.post("/graphql", json={"query": HEAD}, headers=wrong).status_code for _ in range(2)]
    assert found == [401, 401]
    assert rationed.post(HEAD, key=None).status_code == 429
    assert rationed.http.post("/graphql", json={"query": HEAD}, headers=wrong).status_code == 429
    assert rationed.post(HEAD).status_code == 200


def test_operations_of_a_socket_and_streams_count_as_requests(rationed: System) -> None:
    with holding(rationed, "auditor") as client:
        answers = []
        for number in range(6):
            client.subscribe(HEAD, id_=str(number))
            answers.append(client.receive())
            if answers[-1]["type"] == "next":
                client.receive()
    assert [answer["type"] for answer in answers[:4]] == ["next"] * 4
    assert answers[4]["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    headers = {**rationed.bearer("auditor"), "accept": "text/event-stream"}
    assert rationed.http.post("/graphql", json={"query": EVENTS}, headers=headers).status_code == 429


# Subscriptions


def test_a_key_has_so_many_subscriptions_whatever_their_connections(database: str) -> None:
    with (
        started(database, limits=StreamLimits(per_key=2)) as system,
        holding(system, "auditor") as one,
        holding(system, "auditor") as two,
        holding(system, "miit") as other,
    ):
        for client in (one, two, other):
            client.subscribe(EVENTS)
            assert client.receive()["type"] == "next"
        two.subscribe(EVENTS, id_="2")
        refused = error_in(two)
        assert refused["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        assert refused["message"] == "一个密钥最多 2 个订阅；请结束一些"
        one.send({"id": "1", "type": "complete"})
        other.subscribe(EVENTS, {"after": 2**40}, id_="2")
        other.send({"id": "3", "type": "subscribe", "payload": {"query": EVENTS}})
        assert error_in(other)["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"


def test_a_key_has_so_many_connections(database: str) -> None:
    streaming = {"query": EVENTS, "variables": {"after": 2**40}}
    with started(database, limits=StreamLimits(per_key=2)) as system:
        stream = {**system.bearer("auditor"), "accept": "text/event-stream"}
        with holding(system, "auditor"), holding(system, "auditor"):
            with socket(system.url, f"Bearer {system.secrets['auditor']}", begun=False) as third:
                third.send({"type": "connection_init"})
                assert third.closed() == (1013, "Too many connections of this key; end some")
            answer = system.http.post("/graphql", json=streaming, headers=stream)
            assert (answer.status_code, codes(answer)) == (503, ["RETRY_LATER"])
            with holding(system, "miit"):
                pass
        wait_until(lambda: system.streams.connections == 0)
        with (
            holding(system, "auditor"),
            system.http.stream("POST", "/graphql", json=streaming, headers=stream) as open_,
        ):
            assert open_.status_code == 200


def error_in(client: Any) -> Any:
    """The first error that comes."""
    while (message := client.receive())["type"] != "error":
        pass
    return message["payload"][0]
