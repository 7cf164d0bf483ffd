"""Credentials through the API: who gets them, what verifiers fetch, and that others' libraries take them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest

from api.credentials import STATUS_DOCUMENT
from credentialing import part, read_by_others
from gating import READY, access, cooperation, decide, decided
from given import listed, voided
from ledger.credentials import check, public_keys
from running import PUBLIC_URL, System, started
from statements import Statements, look_up_once

OF: Final = "query ($id: ID!) { decision(id: $id) { credential position recordedAt receipt { leafHash } } }"


@pytest.fixture(scope="module")
def life(database: str) -> Iterator[System]:
    """A ready enterprise, and as many decisions as make a page."""
    with started(database) as system:
        system.known(*READY)
        for _ in range(3):
            decided(system, access(), key="telecom")
        system.settle()
        yield system


@pytest.fixture(scope="module")
def made(life: System) -> str:
    """The id of a decision that CHINA_TELECOM asked for."""
    return str(decided(life, cooperation(), key="telecom")["id"])


def credential(system: System, id_: str, key: str | None = "telecom") -> str:
    return str(system.ask(OF, {"id": id_}, key=key)["decision"]["credential"])


def test_a_verifier_finds_the_key_by_the_issuers_metadata_and_reads_the_claims(life: System, made: str) -> None:
    text = credential(life, made)
    metadata = life.http.get("/.well-known/jwt-vc-issuer").json()
    assert metadata == {"issuer": PUBLIC_URL, "jwks_uri": f"{PUBLIC_URL}/.well-known/jwks.json"}
    claims, seen = read_by_others(text, life.http.get("/.well-known/jwks.json").json()["keys"])
    assert [issuer for issuer, _ in seen] == [metadata["issuer"]]
    decision = life.ask(OF, {"id": made})["decision"]
    assert (claims["decisionId"], claims["position"], claims["outcome"]) == (made, decision["position"], "PERMIT")
    assert claims["receipt"]["leafHash"] == decision["receipt"]["leafHash"]
    known = public_keys(life.http.get("/.well-known/jwks.json").content)
    assert check(text, known, datetime.now(UTC), life.verifier).event.decision_id == made


def test_it_comes_in_the_answer_that_decides_and_is_the_same_ever_after(life: System) -> None:
    asked = """mutation ($input: DecideGateInput!) { decideGate(input: $input) { decision { id credential } } }"""
    sent = {"input": {"idempotencyKey": "credential-1", "request": cooperation()}}
    found = life.ask(asked, sent, key="telecom")["decideGate"]["decision"]
    life.known(listed("2026-05-01"), voided(life.head + 1))
    assert credential(life, found["id"]) == found["credential"] == credential(life, found["id"], "auditor")


def test_only_who_may_see_a_decision_gets_its_credential(life: System, made: str) -> None:
    for key in ("miit", "auditor", "telecom"):
        assert credential(life, made, key).endswith("~")
    assert life.ask(OF, {"id": made}, key="mobile")["decision"] is None
    for public in ("intake", None):
        assert life.codes(OF, {"id": made}, key=public) == ["FORBIDDEN"]


def test_whose_credential_was_shown_is_in_the_read_log(life: System, made: str) -> None:
    life.ask("query Mine($id: ID!) { decision(id: $id) { credential } }", {"id": made}, key="telecom")
    query = "{ reads(first: 100) { edges { node { field operation role } } } }"
    found = [edge["node"] for edge in life.ask(query, key="auditor")["reads"]["edges"]]
    assert {"field": "Decision.credential", "operation": "Mine", "role": "carrier"} in found


@pytest.mark.parametrize("narrowed", ["", ", changed: false"])
def test_a_page_of_credentials_costs_as_many_statements_whatever_its_size(life: System, narrowed: str) -> None:
    costs = []
    for first in (1, 3):
        query = f"{{ decisions(first: {first}, gate: ACCESS{narrowed}) {{ edges {{ node {{ id credential }} }} }} }}"
        with pytest.MonkeyPatch.context() as patch:
            look_up_once(patch, life)
            nodes = [edge["node"] for edge in life.ask(query)["decisions"]["edges"]]
            statements = Statements(patch, life)
            life.ask(query)
            costs.append(statements.count)
        assert len(nodes) == first
        assert all(part(node["credential"], 1)["decisionId"] == node["id"] for node in nodes)
    assert costs[0] == costs[1]


def test_the_type_says_in_two_languages_what_every_claim_means(life: System, made: str) -> None:
    claims = part(credential(life, made), 1)
    assert claims["vct"] == f"{PUBLIC_URL}/credentials/gate-decision/1"
    answer = life.http.get("/credentials/gate-decision/1")
    stated = answer.json()
    assert stated["vct"] == claims["vct"]
    assert [each["locale"] for each in stated["display"]] == ["zh-CN", "en"]
    described = {each["path"][0] for each in stated["claims"]}
    assert described == set(claims) - {"iss", "vct", "status"}
    assert all(each["sd"] == "never" and len(each["display"]) == 2 for each in stated["claims"])


@pytest.mark.parametrize(
    "path", ["/.well-known/jwks.json", "/.well-known/jwt-vc-issuer", "/credentials/gate-decision/1"]
)
def test_what_verifiers_fetch_is_public_and_may_be_kept(life: System, path: str) -> None:
    answer = life.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert life.http.post(path).status_code == 405


def test_a_key_that_was_rotated_still_verifies_and_one_that_was_withdrawn_does_not(life: System, made: str) -> None:
    def kids() -> list[str]:
        return [each["kid"] for each in life.http.get("/.well-known/jwks.json").json()["keys"]]

    old = credential(life, made)
    life.credential_keys.rotate()
    new = credential(life, made)
    assert part(old, 1) == part(new, 1)
    assert part(old, 0)["kid"] != part(new, 0)["kid"]
    assert kids() == [part(new, 0)["kid"], part(old, 0)["kid"]]
    life.credential_keys.rotate(withdraw=True)
    assert kids() == [part(credential(life, made), 0)["kid"]]


def test_the_pointer_asks_what_the_request_is_answered_now(life: System, made: str) -> None:
    pointer = part(credential(life, made), 1)["status"]["caseledger"]["uri"]
    assert pointer.startswith(f"{PUBLIC_URL}/graphql?documentId=")
    answer = life.http.get(pointer.removeprefix(PUBLIC_URL), headers=life.bearer("telecom"))
    found = answer.json()["data"]["decision"]
    assert (found["id"], found["outcome"], found["now"]["outcome"]) == (made, "PERMIT", "PERMIT")


def test_pointers_of_credentials_that_are_out_stay_good_since_their_document_never_changes() -> None:
    assert STATUS_DOCUMENT == "20a44bc512ab11d0e063da3001b6b5923fab29701776421fa2845ed5e5966d04"


def test_without_its_key_the_ledger_still_answers_the_rest_and_tells_no_path(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(*READY)
    decide(system, access())

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(system.credential_keys, "current", fail)
    body = system.post("{ decisions(first: 1) { edges { node { outcome credential } } } }").json()
    assert body["data"]["decisions"]["edges"] == [{"node": {"outcome": "PERMIT", "credential": None}}]
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INTERNAL"]
    assert "somewhere" not in json.dumps(body)
