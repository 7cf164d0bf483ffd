"""Replies: what clients may keep, what is compressed, and what says that nothing has changed."""

import gzip
from collections.abc import Iterator

import httpx
import pytest

from api.media import SMALLEST_GZIP, encoded, takes_gzip
from api.replies import _has
from given import A, B, registered
from running import System

NAME = f'{{ enterprise(uscc: "{A}") {{ name }} }}'
HEAD = "{ ledger { head } }"
TYPES = "{ __schema { types { name } } }"


def get(system: System, query: str, key: str | None = "miit", **headers: str) -> httpx.Response:
    return system.http.get("/graphql", params={"query": query}, headers={**system.bearer(key), **headers})


@pytest.fixture
def known(system: System) -> Iterator[System]:
    system.known(registered())
    yield system


def test_what_is_asked_by_get_is_kept_privately_and_without_a_key_by_anyone(known: System) -> None:
    mine, anyones = get(known, HEAD), get(known, HEAD, None)
    assert (mine.status_code, mine.headers["cache-control"]) == (200, "private, no-cache")
    assert (anyones.status_code, anyones.headers["cache-control"]) == (200, "public, no-cache")
    for answer in (mine, anyones):
        assert answer.headers["etag"].startswith(f'W/"{known.head}-')
        assert {"Accept", "Accept-Encoding", "Accept-Language", "Authorization"} == set(
            answer.headers["vary"].split(", ")
        )


def test_what_a_client_has_is_not_sent_again_until_the_ledger_moves(known: System) -> None:
    first = get(known, NAME)
    again = get(known, NAME, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert {name: again.headers[name] for name in ("etag", "cache-control", "vary")} == {
        name: first.headers[name] for name in ("etag", "cache-control", "vary")
    }
    known.known(registered(uscc=B))
    moved = get(known, NAME, **{"if-none-match": first.headers["etag"]})
    assert (moved.status_code, moved.json()["data"]) == (200, first.json()["data"])
    assert moved.headers["etag"] != first.headers["etag"]


def test_answers_that_differ_have_tags_that_differ(known: System) -> None:
    tags = {
        get(known, query, key, accept=accept).headers["etag"]
        for query, key in ((NAME, "miit"), (HEAD, "miit"), (HEAD, None))
        for accept in ("application/json", "application/graphql-response+json")
    }
    # Who asks makes no difference to the head.
    assert len(tags) == 4


@pytest.mark.parametrize("query", ["{", "{ nothing }", '{ enterprise(uscc: "1") { name } }'])
def test_an_answer_with_errors_is_not_kept(known: System, query: str) -> None:
    answer = get(known, query)
    assert answer.json()["errors"]
    assert (answer.headers["cache-control"], "etag" in answer.headers) == ("no-store", False)


def test_an_answer_to_a_post_is_not_kept(known: System) -> None:
    answer = known.post(NAME)
    assert (answer.headers["cache-control"], "etag" in answer.headers) == ("no-store", False)


@pytest.mark.parametrize(
    ("sent", "has"),
    [('W/"1-a"', True), ('"1-a"', True), ("*", True), ('"0-b", W/"1-a"', True), ('"1-ab"', False), ("", False)],
)
def test_a_tag_is_found_among_those_that_a_client_names(sent: str, has: bool) -> None:
    assert _has(sent, 'W/"1-a"') is has


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip; q=1.0, *", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("br, deflate", False),
        ("", False),
    ],
)
def test_gzip_is_taken_where_it_is_named_with_a_weight(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes


def test_what_is_smaller_than_a_packet_is_not_compressed() -> None:
    small, large = b"x" * (SMALLEST_GZIP - 1), b"x" * SMALLEST_GZIP
    assert encoded(small, "gzip") == (small, {})
    assert encoded(large, "br") == (large, {})
    content, headers = encoded(large, "gzip")
    assert (gzip.decompress(content), headers) == (large, {"content-encoding": "gzip"})


def test_a_large_answer_is_compressed_for_whoever_takes_it(known: System) -> None:
    plain = get(known, TYPES, **{"accept-encoding": "identity"})
    compressed = get(known, TYPES, **{"accept-encoding": "gzip"})
    assert ("content-encoding" in plain.headers, compressed.headers["content-encoding"]) == (False, "gzip")
    assert int(compressed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert plain.json() == compressed.json()


def test_a_kept_answer_is_compressed_as_the_one_made_anew(known: System) -> None:
    aliases = " ".join(
        f'{"a" * n}: creditStatus(uscc: "{A}") {{ uscc asOf status timeline {{ from status }} }}' for n in range(1, 15)
    )
    made = [known.post(f"{{ {aliases} }}") for _ in range(3)]
    assert {answer.headers["content-encoding"] for answer in made} == {"gzip"}
    assert made[0].content == made[1].content == made[2].content


def test_a_stream_is_not_compressed(known: System) -> None:
    asked = {"query": "subscription { events { position type recordedBy leafHash data } }"}
    headers = {**known.bearer("miit"), "accept": "text/event-stream", "accept-encoding": "gzip"}
    with known.http.stream("POST", "/graphql", json=asked, headers=headers) as answer:
        assert "content-encoding" not in answer.headers
        assert next(answer.iter_text()).startswith("event: next")
