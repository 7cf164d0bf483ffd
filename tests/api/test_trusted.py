"""Trusted documents: valid, shipped, named by their SHA-256, and the only ones where the setting says so."""

import json
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, parse

from api.documents import asks_folds_only, checked
from api.limits import DEFAULT_DOCUMENT_LIMITS, RequestLimits
from api.schema import SCHEMA
from api.trusted import TRUSTED, digest, shipped
from given import A, registered
from running import System, started
from subscribing import socket

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = shipped()
CREDIT = OPERATIONS["creditStatus"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_valid_and_named_as_its_file(name: str) -> None:
    text = OPERATIONS[name]
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name and operation.name.value == name[0].upper() + name[1:]
    found = checked(SCHEMA._schema, text)
    assert found.errors == ()
    assert 0 < found.cost(None, {"first": 100, "usccs": [A] * 1_000}) <= DEFAULT_DOCUMENT_LIMITS.cost


def test_the_hot_questions_are_answered_from_what_is_kept() -> None:
    hot = [name for name, text in OPERATIONS.items() if asks_folds_only(SCHEMA._schema, text)]
    assert hot == ["creditStatus", "previewGate"]


def test_operations_ship_with_the_wheel(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling comes with `make`")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".graphql")}
    assert files == {f"api/operations/{name}.graphql": text for name, text in OPERATIONS.items()}


@pytest.fixture(scope="module")
def known(shared: System) -> System:
    shared.known(registered())
    return shared


@pytest.fixture(scope="module")
def strict(database: str) -> Iterator[System]:
    """A system that takes trusted documents only."""
    with started(database, requests=RequestLimits(trusted_only=True)) as system:
        system.known(registered())
        yield system


def send(system: System, key: str | None = "miit", **body: Any) -> httpx.Response:
    return system.http.post("/graphql", json=body, headers={**system.bearer(key), "accept-language": "en"})


def codes(answer: httpx.Response) -> tuple[int, list[str]]:
    return answer.status_code, [error["extensions"]["code"] for error in answer.json().get("errors", [])]


NAMES: dict[str, dict[str, Any]] = {
    "documentId": {"documentId": f"sha256:{digest(CREDIT)}"},
    "documentId without its prefix": {"documentId": digest(CREDIT)},
    "persistedQuery": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(CREDIT)}}},
    "persistedQuery with its text": {
        "query": CREDIT,
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(CREDIT)}},
    },
}


@pytest.mark.parametrize("how", NAMES)
def test_a_document_is_named_by_its_sha256(known: System, how: str) -> None:
    answer = send(known, variables={"uscc": A}, **NAMES[how])
    assert codes(answer) == (200, [])
    assert answer.json() == send(known, query=CREDIT, variables={"uscc": A}).json()


def test_the_sha256_is_that_of_the_file() -> None:
    file = ROOT / "graphql" / "operations" / "creditStatus.graphql"
    assert TRUSTED[sha256(file.read_bytes()).hexdigest()] == CREDIT


@pytest.mark.parametrize("how", ["documentId", "persistedQuery"])
def test_a_document_is_named_in_an_address_too(known: System, how: str) -> None:
    named = {name: value if isinstance(value, str) else json.dumps(value) for name, value in NAMES[how].items()}
    asked = {**named, "variables": json.dumps({"uscc": A})}
    answer = known.http.get("/graphql", params=asked, headers=known.bearer("miit"))
    assert answer.json()["data"]["creditStatus"]["uscc"] == A


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": "sha256:" + "0" * 64},
        {"documentId": ""},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": "creditStatus"}},
    ],
)
def test_a_document_that_is_not_there_is_not_found(known: System, body: dict[str, Any]) -> None:
    assert codes(send(known, **body)) == (400, ["PERSISTED_QUERY_NOT_FOUND"])


def test_a_text_is_never_registered_under_a_name(known: System) -> None:
    query = "query Mine { ledger { head } }"
    named: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(query)}}}
    assert codes(send(known, query=query, **named)) == (200, [])
    assert codes(send(known, **named)) == (400, ["PERSISTED_QUERY_NOT_FOUND"])


def test_a_text_that_is_not_the_named_one_is_refused(known: System) -> None:
    answer = send(known, query="{ ledger { head } }", documentId=digest(CREDIT))
    assert codes(answer) == (400, ["PERSISTED_QUERY_MISMATCH"])


@pytest.mark.parametrize("key", ["telecom", None])
def test_carriers_and_the_public_ask_trusted_documents_only(strict: System, key: str | None) -> None:
    refused = send(strict, key, query="{ ledger { head } }")
    assert codes(refused) == (403, ["DOCUMENT_NOT_TRUSTED"])
    assert "documentId" in refused.json()["errors"][0]["message"]
    for asked in ({"documentId": digest(OPERATIONS["blacklist"])}, {"query": OPERATIONS["blacklist"]}):
        assert codes(send(strict, key, **asked)) == (200, [])
    by_get = strict.http.get("/graphql", params={"query": "{ ledger { head } }"}, headers=strict.bearer(key))
    assert codes(by_get) == (403, ["DOCUMENT_NOT_TRUSTED"])


def test_a_stream_is_of_a_trusted_document_too(strict: System) -> None:
    headers = {**strict.bearer("telecom"), "accept": "text/event-stream"}
    asked = {"query": "subscription { creditChanges { uscc } }"}
    assert codes(strict.http.post("/graphql", json=asked, headers=headers)) == (403, ["DOCUMENT_NOT_TRUSTED"])
    with strict.http.stream(
        "POST", "/graphql", json={"documentId": digest(OPERATIONS["creditChangesLive"])}, headers=headers
    ) as answer:
        assert next(answer.iter_text()).startswith("event: next")


def test_an_operation_of_a_socket_is_of_a_trusted_document_too(strict: System) -> None:
    with socket(strict.url, f"Bearer {strict.secrets['telecom']}") as opened:
        opened.subscribe("subscription { creditChanges { uscc } }")
        refused = opened.receive()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "DOCUMENT_NOT_TRUSTED")
        payload = {"documentId": digest(OPERATIONS["creditStatus"]), "variables": {"uscc": A}}
        opened.send({"id": "2", "type": "subscribe", "payload": payload})
        assert opened.receive()["payload"]["data"]["creditStatus"]["uscc"] == A


def test_others_may_ask_anything_where_carriers_may_not(strict: System) -> None:
    for key in ("miit", "auditor", "intake"):
        assert codes(send(strict, key, query="{ ledger { head } }")) == (200, [])


def test_a_trusted_document_is_kept_for_a_carrier(strict: System) -> None:
    asked = {"documentId": digest(CREDIT), "variables": {"uscc": A}}
    answers = [send(strict, "telecom", **asked) for _ in range(3)]
    assert [codes(answer) for answer in answers] == [(200, [])] * 3
    assert {answer.content for answer in answers} == {answers[0].content}
