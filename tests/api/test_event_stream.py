"""graphql-sse, distinct connections mode: one request, one operation, one stream of events."""

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from api import event_stream
from given import listed, registered
from running import ADOPTED, System, started, wait_until
from subscribing import CHANGES, EVENTS, streaming

WANTED: Final = {"accept": "text/event-stream", "accept-language": "en"}


@pytest.fixture(scope="module")
def told(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(registered(), listed("2026-02-01"))
        yield system


def all_events(system: System, query: str, key: str | None = "miit", **how: Any) -> list[Any]:
    with streaming(system.url, query, headers=system.bearer(key), **how) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        return list(stream.events())


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_events_come_from_a_position_and_then_live_with_their_positions_as_ids(system: System, method: str) -> None:
    system.known(registered())
    with streaming(system.url, EVENTS, {"after": 2}, headers=system.bearer("auditor"), method=method) as stream:
        events = stream.events()
        found = [next(events) for _ in range(ADOPTED - 1)]
        system.send(listed("2026-02-01"))
        found.append(next(events))
    assert [(each["event"], int(each["id"])) for each in found] == [("next", n) for n in range(3, ADOPTED + 3)]
    assert [json.loads(each["data"])["data"]["events"]["position"] for each in found] == list(range(3, ADOPTED + 3))


def test_changes_of_credit_are_streamed_to_a_carrier(told: System) -> None:
    with streaming(told.url, CHANGES, headers=told.bearer("telecom")) as stream:
        query = CHANGES.replace("subscription", "query")
        assert stream.results(2) == told.ask(query, key="telecom")["creditChanges"]


def test_who_comes_again_with_the_last_id_goes_on_after_it(told: System) -> None:
    headers = told.bearer("auditor") | {"last-event-id": str(ADOPTED)}
    with streaming(told.url, EVENTS, {"after": 1}, headers=headers) as stream:
        assert [each["position"] for each in stream.results(2)] == [ADOPTED + 1, ADOPTED + 2]


def test_a_query_gives_one_event_and_completes(told: System) -> None:
    first, last = all_events(told, "{ ledger { head } }")
    assert (first["event"], json.loads(first["data"])["data"]) == ("next", {"ledger": {"head": told.head}})
    assert last == {"event": "complete", "data": ""}


@pytest.mark.parametrize(
    ("query", "key", "code"),
    [
        (EVENTS, "telecom", "FORBIDDEN"),
        (CHANGES, None, "FORBIDDEN"),
        ("subscription { events(after: -1) { position } }", "miit", "INVALID"),
        ("subscription { nothing }", "miit", "BAD_DOCUMENT"),
        ("subscription {", "miit", "BAD_DOCUMENT"),
    ],
)
def test_what_cannot_be_answered_is_an_event_with_errors(told: System, query: str, key: str | None, code: str) -> None:
    first, last = all_events(told, query, key)
    assert [each["extensions"]["code"] for each in json.loads(first["data"])["errors"]] == [code]
    assert last["event"] == "complete"


def test_a_wrong_key_and_a_request_that_is_none_get_no_stream(told: System) -> None:
    wrong = httpx.post(f"{told.url}/graphql", json={"query": EVENTS}, headers=WANTED | {"authorization": "Bearer x"})
    assert (wrong.status_code, wrong.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    assert httpx.post(f"{told.url}/graphql", content=b"{", headers=WANTED).status_code == 415
    mutation = {"query": 'mutation { record(input: { idempotencyKey: "k", facts: [] }) { head } }'}
    assert httpx.get(f"{told.url}/graphql", params=mutation, headers=WANTED).status_code == 405


def test_a_subscription_that_is_asked_for_as_json_says_how_it_is_answered(told: System) -> None:
    answer = told.post(EVENTS)
    assert answer.status_code == 406
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


def test_a_silent_stream_is_kept_alive_by_comments(told: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.1)
    with streaming(told.url, EVENTS, {"after": told.head}, headers=told.bearer("miit")) as stream:
        lines = stream.response.iter_lines()
        assert [next(lines), next(lines)] == [":", ""]


def test_a_key_that_is_revoked_ends_the_stream_with_the_reason(system: System) -> None:
    with streaming(system.url, EVENTS, {"after": ADOPTED}, headers=system.bearer("auditor")) as stream:
        system.keys.revoke(system.callers["auditor"].holder or "")
        first, last = list(stream.events())
    assert json.loads(first["data"])["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert last["event"] == "complete"


def test_a_server_that_stops_ends_the_stream_without_completing_it(database: str) -> None:
    asked = {"after": ADOPTED - 1}
    with started(database) as system, streaming(system.url, EVENTS, asked, headers=system.bearer("miit")) as stream:
        events = stream.events()
        assert next(events)["id"] == str(ADOPTED)
        system.streams.end()
        assert list(events) == []


def test_who_goes_leaves_nothing_behind(told: System) -> None:
    with streaming(told.url, EVENTS, headers=told.bearer("miit")) as stream:
        stream.results(2)
        assert told.streams.connections == 1
    wait_until(lambda: told.streams.connections == 0)
