"""graphql-transport-ws: messages, close codes, and who may subscribe to what."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed

from api.streams import StreamLimits
from given import A, B, interviewed, listed, registered
from running import ADOPTED, System, started, wait_until
from subscribing import CHANGES, EVENTS, holding, socket

INIT: Final = {"type": "connection_init"}
ASKED: Final = {"id": "1", "type": "subscribe", "payload": {"query": EVENTS, "variables": {"after": 2**40}}}


@pytest.fixture(scope="module")
def quick(database: str) -> Iterator[System]:
    """A server that waits half a second for connection_init, and takes two subscriptions a connection."""
    with started(database, limits=StreamLimits(per_connection=2, per_process=4, init_seconds=0.5)) as system:
        system.known(registered(legalRepresentative="张三"), listed("2026-02-01"))
        yield system


def test_events_come_in_order_from_a_position_and_then_live(system: System) -> None:
    system.known(registered())
    with holding(system) as client:
        client.subscribe(EVENTS, {"after": 1})
        assert [each["position"] for each in client.results(ADOPTED)] == list(range(2, ADOPTED + 2))
        system.send(listed("2026-02-01"))
        assert client.results(1) == [{"position": ADOPTED + 2, "type": "ListEntryMade"}]


def test_events_are_narrowed_by_type_and_enterprise(system: System) -> None:
    system.known(registered(), registered(uscc=B), listed("2026-02-01", uscc=B))
    query = f'subscription {{ events(types: ["ListEntryMade", "InterviewHeld"], uscc: "{A}") {{ position type }} }}'
    with holding(system) as client:
        client.subscribe(query)
        system.send(interviewed("2026-01-01", uscc=B), interviewed("2026-01-01", caseId="Y-2"))
        assert client.results(1) == [{"position": system.head, "type": "InterviewHeld"}]
        system.send(registered(uscc="91310000MA1FL0001R"))
        system.send(listed("2026-03-01", entryId="E-2"))
        assert client.results(1) == [{"position": system.head, "type": "ListEntryMade"}]


def test_changes_of_credit_are_those_of_the_query_and_then_live(system: System) -> None:
    system.known(registered(), registered(uscc=B), listed("2026-02-01"))
    query = CHANGES.replace("subscription", "query")
    with holding(system, "telecom") as client:
        client.subscribe(CHANGES)
        assert client.results(3) == system.ask(query, key="telecom")["creditChanges"]
        system.send(listed("2026-03-01", uscc=B, entryId="E-2"))
        assert [(each["uscc"], each["position"]) for each in client.results(1)] == [(B, system.head)]


def test_a_position_beyond_the_head_waits_for_what_comes_after_it(system: System) -> None:
    beyond = system.head + 2
    with holding(system) as client:
        client.subscribe(EVENTS, {"after": beyond})
        system.known(registered(), registered(uscc=B), listed("2026-02-01"))
        assert [each["position"] for each in client.results(1)] == [beyond + 1]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (["nonsense"], 4400),
        (["[]"], 4400),
        (['{"type": "start"}'], 4400),
        (['{"payload": {}}'], 4400),
        (['{"type": "connection_init", "payload": 1}'], 4400),
        ([b"\x00\x01"], 4400),
        ([INIT, {"type": "subscribe", "payload": {"query": "{ ledger { head } }"}}], 4400),
        ([INIT, {"id": 1, "type": "subscribe", "payload": {"query": "{ ledger { head } }"}}], 4400),
        ([INIT, {"id": "", "type": "subscribe", "payload": {"query": "{ ledger { head } }"}}], 4400),
        ([INIT, {"id": "1", "type": "subscribe"}], 4400),
        ([INIT, {"id": "1", "type": "subscribe", "payload": {}}], 4400),
        ([INIT, {"type": "complete"}], 4400),
        ([{"type": "connection_init", "payload": {"authorization": 7}}], 4400),
        ([ASKED], 4401),
        ([{"type": "connection_init", "payload": {"authorization": "Bearer clk_nobody"}}], 4401),
        ([{"type": "connection_init", "payload": {"Authorization": "Basic YTpi"}}], 4401),
        ([], 4408),
        ([{"type": "ping"}], 4408),
        ([INIT, ASKED, ASKED], 4409),
        ([INIT, INIT], 4429),
    ],
)
def test_what_breaks_the_protocol_closes_the_socket_with_its_code(quick: System, sent: list[Any], code: int) -> None:
    with holding(quick, begun=False) as client:
        for message in sent:
            client.send(message)
        found, reason = client.closed()
        assert (found, bool(reason)) == (code, True)
        assert reason == f"Subscriber for {ASKED['id']} already exists" or code != 4409


def test_a_wrong_key_in_the_header_is_unauthorized(quick: System) -> None:
    with socket(quick.url, "Bearer clk_nobody", begun=False) as client:
        client.send(INIT)
        assert client.closed()[0] == 4401


def test_another_subprotocol_is_not_acceptable(quick: System) -> None:
    with holding(quick, begun=False, subprotocols=None) as client:
        assert client.closed()[0] == 4406


def test_a_key_may_be_shown_in_the_header_or_in_connection_init(quick: System) -> None:
    shown = quick.bearer("auditor")["authorization"]
    for how in ({"authorization": shown}, {"payload": {"authorization": shown}}, {"payload": {"Authorization": shown}}):
        with socket(quick.url, **how) as client:
            client.subscribe(EVENTS)
            assert [each["position"] for each in client.results(2)] == [1, 2]


def test_a_ping_is_answered_with_its_payload_and_a_pong_is_taken(quick: System) -> None:
    with holding(quick) as client:
        client.send({"type": "ping"})
        assert client.receive() == {"type": "pong"}
        client.send({"type": "pong", "payload": {"a": 1}})
        client.send({"type": "ping", "payload": {"a": 1}})
        assert client.receive() == {"type": "pong", "payload": {"a": 1}}


def test_a_completed_operation_sends_nothing_more_and_frees_its_id(system: System) -> None:
    with holding(system) as client:
        client.subscribe(EVENTS)
        client.results(ADOPTED)
        client.send({"id": "1", "type": "complete"})
        client.send({"id": "unknown", "type": "complete"})
        client.send({"type": "ping"})
        assert client.receive() == {"type": "pong"}
        system.known(registered())
        client.subscribe(EVENTS, {"after": ADOPTED})
        assert client.receive()["payload"]["data"]["events"]["position"] == ADOPTED + 1


def test_queries_and_mutations_give_one_result_and_complete(quick: System) -> None:
    with holding(quick) as client:
        client.subscribe("{ ledger { head } }", id_="q")
        assert client.receive() == {
            "id": "q",
            "type": "next",
            "payload": {"data": {"ledger": {"head": quick.head}}, "extensions": {"cost": 2}},
        }
        assert client.receive() == {"id": "q", "type": "complete"}
        client.subscribe('mutation { record(input: { idempotencyKey: "k", facts: [] }) { errors { code } } }', id_="q")
        assert client.receive()["payload"]["data"]["record"]["errors"] == [{"code": "INVALID"}]
        assert client.receive() == {"id": "q", "type": "complete"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "BAD_DOCUMENT"),
        ("subscription { nothing }", "BAD_DOCUMENT"),
        ("{ nothing }", "BAD_DOCUMENT"),
        ("query a { ledger { head } } query b { ledger { head } }", "BAD_DOCUMENT"),
        ("subscription { events { position } creditChanges { position } }", "BAD_DOCUMENT"),
        ("subscription { events(after: -1) { position } }", "INVALID"),
        ('subscription { events(after: "1") { position } }', "INVALID"),
        ('subscription { events(types: ["Nothing"]) { position } }', "INVALID"),
        ('subscription { events(uscc: "1") { position } }', "INVALID"),
        ('subscription { creditChanges(usccs: ["1"]) { position } }', "INVALID"),
        ("subscription { creditChanges(after: -1) { position } }", "INVALID"),
    ],
)
def test_what_cannot_be_answered_is_an_error_and_the_socket_goes_on(quick: System, query: str, code: str) -> None:
    with holding(quick) as client:
        client.subscribe(query)
        answer = client.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert answer["payload"][0]["extensions"]["code"] == code
        client.subscribe("{ ledger { head } }")
        assert client.receive()["type"] == "next"


@pytest.mark.parametrize(
    ("key", "query", "allowed"),
    [
        (None, EVENTS, False),
        ("intake", EVENTS, False),
        ("telecom", EVENTS, False),
        ("auditor", EVENTS, True),
        ("beijing", EVENTS, True),
        (None, CHANGES, False),
        ("intake", CHANGES, False),
        ("telecom", CHANGES, True),
        ("auditor", CHANGES, True),
    ],
)
def test_each_subscribes_to_what_its_role_may_see(quick: System, key: str | None, query: str, allowed: bool) -> None:
    with holding(quick, key) as client:
        client.subscribe(query)
        answer = client.receive()
        assert answer["type"] == ("next" if allowed else "error")
        assert allowed or answer["payload"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(("key", "shown"), [("miit", "***"), ("officer", "张三")])
def test_personal_fields_are_shown_to_who_may_read_them_alone(quick: System, key: str, shown: str) -> None:
    query = 'subscription { events(types: ["EnterpriseRegistered"]) { data ... on EnterpriseRegistered { legalRepresentative } } }'
    with holding(quick, key) as client:
        client.subscribe(query)
        (event,) = client.results(1)
        assert (event["legalRepresentative"], event["data"]["legalRepresentative"]) == (shown, shown)


def test_one_connection_and_one_process_have_so_many_subscriptions_at_most(quick: System) -> None:
    with holding(quick) as one, holding(quick) as two, holding(quick) as three:
        for client in (one, two):
            for id_ in "ab":
                client.subscribe(EVENTS, {"after": ADOPTED + 1}, id_)
            assert len(client.results(2)) == 2
        for client in (one, three):
            client.subscribe(EVENTS, id_="c")
            answer = client.receive()
            assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "TOO_MANY_SUBSCRIPTIONS")
        one.send({"id": "a", "type": "complete"})
        one.send({"type": "ping"})
        assert one.receive() == {"type": "pong"}
        three.subscribe(EVENTS, id_="c")
        assert three.receive()["type"] == "next"


def test_no_more_connect_than_a_process_takes(quick: System) -> None:
    with holding(quick), holding(quick), holding(quick), holding(quick), holding(quick, begun=False) as fifth:
        assert fifth.closed()[0] == 1013


def test_a_key_that_is_revoked_is_cut_off_within_five_seconds(system: System) -> None:
    with holding(system, "auditor") as revoked, holding(system, "miit") as other:
        for client in (revoked, other):
            client.subscribe(EVENTS, {"after": ADOPTED})
        system.known(registered())
        assert len(revoked.results(1)) == 1
        # Past the program, as another process does it.
        with system.pool.connection() as database:
            database.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", [system.callers["auditor"].holder])
        revoked.connection.close_timeout = 1
        with pytest.raises(ConnectionClosed) as closed:
            revoked.connection.recv(5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
        assert len(other.results(1)) == 1


def test_a_server_that_stops_says_so(database: str) -> None:
    with started(database) as system, holding(system) as client:
        client.subscribe(EVENTS, {"after": ADOPTED})
        client.send({"type": "ping"})
        client.receive()
        system.streams.end()
        assert client.closed()[0] == 1012


def test_who_goes_leaves_nothing_behind(system: System) -> None:
    with holding(system) as client:
        client.subscribe(EVENTS)
        client.results(ADOPTED)
        assert system.streams.connections == 1
    wait_until(lambda: system.streams.connections == 0)
