"""The checks of the fuzzing find what they are for: each answer here is wrong in one way."""

import json
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from fuzzed_documents import wrongly_recorded
from fuzzing import PHONE, Answer, Ground, check_answer, check_body, check_text

GROUND: Final = cast(Ground, SimpleNamespace(secrets={"carrier": "clk_x_secret"}))
ERROR: Final[dict[str, Any]] = {"message": "no", "extensions": {"code": "INVALID"}, "path": ["a", 0]}
RIGHT: Final[dict[str, Any]] = {"data": {"a": 1}, "errors": [ERROR], "extensions": {"cost": 1}}


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"data": 1}, {"extensions": {}}, {"data": {}, "more": 1}, {"errors": []}, {"errors": "x"},
        {"errors": [{**ERROR, "extensions": {"code": "INTERNAL"}}]}, {"errors": [{**ERROR, "extensions": {}}]},
        {"errors": [{**ERROR, "message": ""}]}, {"errors": [{**ERROR, "path": [{}]}]}, {"errors": [{**ERROR, "stack": "x"}]},
        {"errors": [{**ERROR, "message": "Cannot return null for non-nullable field A.b."}]},
    ],
)  # fmt: skip
def test_a_body_that_is_no_graphql_response_is_found(body: Any) -> None:
    assert list(check_body(body))
    assert list(check_body(RIGHT)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last)", "in ledger/keys.py", "psycopg", "SELECT position FROM head", "KeyError: 'x'",
        'relation "events" does not exist', "<class 'int'>", "/usr/lib", "sealed:1:00", "clk_x_secret", f"call {PHONE}",
    ],
)  # fmt: skip
def test_what_gives_the_inside_a_key_or_a_person_away_is_found(text: str) -> None:
    assert list(check_text(GROUND, "carrier", text))
    assert list(check_text(GROUND, "carrier", "RecordError 账本 {“code”: “INVALID”}")) == []


def answer(status: int, body: object = None, media: str = "application/json", **headers: str) -> Answer:
    return Answer(status, {"content-type": media, **headers}, json.dumps(RIGHT if body is None else body).encode())


@pytest.mark.parametrize(
    "wrong",
    [
        answer(500, {"errors": [ERROR]}), answer(503, {"errors": [ERROR]}), answer(401, {"errors": [ERROR]}), answer(400),
        answer(405, {"errors": [ERROR]}), answer(200, media="text/html"), answer(200, {"data": float("nan")}),
        answer(200, {"errors": [ERROR]}, media="application/graphql-response+json"), answer(200, {"data": "\ud800"}),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_graphql_over_http_is_found(wrong: Answer) -> None:
    assert list(check_answer(GROUND, "carrier", wrong, graphql=True))
    assert list(check_answer(GROUND, "carrier", answer(200), graphql=True)) == []


def test_an_event_that_no_answer_owns_up_to_is_found() -> None:
    done = {"data": {"record": {"fuzzErrors": [], "fuzzReplayed": False}}}
    refused = {"data": {"record": {"fuzzErrors": [{"code": "INVALID"}], "fuzzReplayed": False}}}
    replayed = {"data": {"record": {"fuzzErrors": [], "fuzzReplayed": True}}}
    assert [list(wrongly_recorded(answer(200, body), 0)) for body in (done, refused)] == [[], []]
    assert list(wrongly_recorded(answer(200, done), 1)) == []
    for wrong in (
        answer(200, refused),
        answer(200, replayed),
        answer(200, {"data": None}),
        answer(400, {"errors": [ERROR]}),
    ):
        assert list(wrongly_recorded(wrong, 1))
