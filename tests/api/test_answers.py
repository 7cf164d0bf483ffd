"""Answers that are kept: the bytes that would be made anew, and none that knows less than was acknowledged."""

import threading
from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any, Final

import msgspec
import pytest

from api import answers
from api.answers import LARGEST_REQUEST, Answer, Answers, AtHead
from api.newest import News
from caseledger.postgres import CarriedPostgres
from chance import Chance
from gating import PREVIEW, READY, access, cooperation
from given import A, B, complained, listed, registered
from ledger.migrations import migrate
from running import MIGRATIONS, System, code, running, started

CREDIT: Final = """
query ($uscc: USCC!, $asOf: Date, $knownAt: Position) {
  creditStatus(uscc: $uscc, asOf: $asOf, knownAt: $knownAt) { uscc status asOf knownAt reasons { rule message positions } }
}
"""
NAME: Final = """
query ($uscc: USCC!, $knownAt: Position) {
  enterprise(uscc: $uscc) { name credit(knownAt: $knownAt) { status knownAt timeline { from status } } }
  again: creditStatus(uscc: $uscc) { ...Report }
}
fragment Report on CreditReport { __typename status }
"""
ASKED: Final = "query ($uscc: USCC!) { enterprise(uscc: $uscc) { name } creditStatus(uscc: $uscc) { knownAt } }"
JSON: Final = "application/json"
RESPONSE: Final = "application/graphql-response+json"

Shown = tuple[int, list[tuple[str, str]], bytes]


def body(query: str, **variables: Any) -> bytes:
    return msgspec.json.encode({"query": query, "variables": variables})


def send(system: System, sent: bytes, key: str | None = "miit", language: str = "en", accept: str = JSON) -> Shown:
    headers = {"content-type": JSON, "accept": accept, "accept-language": language, **system.bearer(key)}
    answer = system.http.post("/graphql", content=sent, headers=headers)
    told = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
    return answer.status_code, told, answer.content


def anew(system: System, sent: bytes, *how: Any) -> Shown:
    """The answer of the generic executor: what is sent is too long for its answer to be kept."""
    return send(system, sent + b" " * LARGEST_REQUEST, *how)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every answer that was served as it was kept."""
    found: list[bytes] = []
    still = Answers.still

    def noted(self: Answers, key: Any) -> bytes | None:
        content = still(self, key)
        if content is not None:
            found.append(content)
        return content

    monkeypatch.setattr(Answers, "still", noted)
    return found


@pytest.fixture(scope="module")
def drawn(database: str) -> Iterator[System]:
    with started(database) as system:
        Chance(system, 7).happen(60)
        yield system


def questions(chance: Random, head: int) -> bytes:
    uscc = chance.choice([*(code(n) for n in range(5)), "91", "", code(0).lower()])
    on = chance.choice([None, "2019-06-01", "2025-01-01", "2050-01-01", "x"])
    known_at = chance.choice([None, 0, head // 2, head, -1, "x"])
    gate = chance.choice([access, cooperation])(uscc=uscc, carrier=chance.choice(["CHINA_TELECOM", "CHINA_MOBILE"]))
    asked = chance.randrange(4)
    if asked == 0:
        return body(CREDIT, uscc=uscc, asOf=on, knownAt=known_at)
    if asked == 1:
        return body(NAME, uscc=uscc, knownAt=known_at)
    if asked == 2:
        return body(PREVIEW, request=gate, asOf=on, knownAt=known_at)
    return body(ASKED, uscc=uscc)


def test_a_kept_answer_is_byte_for_byte_the_one_made_anew(drawn: System, served: list[bytes]) -> None:
    chance, head = Random(11), drawn.head
    circumstances = list(
        product(["miit", "auditor", "telecom", "mobile", "intake", None], ["zh", "en"], [JSON, RESPONSE])
    )
    for _ in range(150):
        sent, how = questions(chance, head), chance.choice(circumstances)
        made = anew(drawn, sent, *how)
        assert [send(drawn, sent, *how) for _ in range(2)] == [made, made], (sent, how)
    assert len(served) > 40


def test_after_a_fact_the_answers_about_its_subjects_are_made_anew_and_the_others_know_the_new_head(
    system: System, served: list[bytes]
) -> None:
    system.record(registered(), registered(uscc=B))
    of_a, of_b = body(CREDIT, uscc=A), body(CREDIT, uscc=B)
    for sent in (of_a, of_b, of_a):
        send(system, sent)
    served.clear()
    system.record(listed())
    assert send(system, of_a) == anew(system, of_a)
    assert served == []
    assert send(system, of_b) == anew(system, of_b)
    assert len(served) == 1
    assert f'"knownAt":{system.head}'.encode() in served[0]


def test_an_answer_of_a_gate_is_dropped_by_a_complaint(system: System, served: list[bytes]) -> None:
    system.record(*READY)
    sent = body(PREVIEW, request=access())
    assert send(system, sent) == send(system, sent) == anew(system, sent)
    assert len(served) == 1
    system.record(complained())
    assert send(system, sent) == anew(system, sent)
    assert len(served) == 1


def test_an_answer_is_of_its_day(system: System, served: list[bytes]) -> None:
    system.record(registered())
    sent = body(CREDIT, uscc=A)
    send(system, sent)
    system.clock.now = system.clock.now.replace(year=2027)
    assert b'"asOf":"2027' in send(system, sent)[2]
    assert served == []


def test_what_is_not_of_folds_alone_is_not_kept(system: System, served: list[bytes]) -> None:
    system.known(registered())
    for query in ("{ ledger { head } }", f'{{ enterprise(uscc: "{A}") {{ name licences {{ licenceNo }} }} }}'):
        assert send(system, body(query)) == send(system, body(query))
    assert served == []


def test_a_revoked_key_is_not_answered_from_what_is_kept(system: System, served: list[bytes]) -> None:
    system.record(registered())
    sent = body(CREDIT, uscc=A)
    send(system, sent, "auditor")
    send(system, sent, "auditor")
    assert len(served) == 1
    system.keys.revoke(system.callers["auditor"].holder)
    assert send(system, sent, "auditor")[0] == 401


def test_nothing_is_served_as_kept_while_the_database_is_away_and_again_when_it_is_back(
    own_postgres: CarriedPostgres, served: list[bytes]
) -> None:
    migrate(own_postgres.conninfo, "away", MIGRATIONS)
    with running(own_postgres.conninfo, "away") as system:
        system.record(registered())
        sent = body(CREDIT, uscc=A)
        send(system, sent)
        send(system, sent)
        own_postgres.stop()
        assert send(system, sent)[0] == 503
        assert len(served) == 1
        own_postgres.start()
        answers_again = [send(system, sent)[0] for _ in range(40) if not threading.Event().wait(0.1)]
        assert answers_again[-1] == 200
        assert len(served) > 1


# What is kept


def made(value: int, tags: tuple[str, ...] = ("enterprise:A",)) -> Answer:
    return Answer({"data": {"knownAt": AtHead(value), "asked": value}}, value, tags)


def test_only_the_head_is_written_anew() -> None:
    news = News()
    news.start_at(3)
    kept = Answers(news)
    kept.keep((b"q", "c"), made(3))
    news.take(5, [(4, "enterprise:B"), (5, "complaints:B:2026-01-01")])
    assert kept.still((b"q", "c")) == b'{"data":{"knownAt":5,"asked":3}}'


def test_an_answer_that_was_made_while_its_subject_moved_is_not_served() -> None:
    news = News()
    news.start_at(3)
    news.take(5, [(4, "enterprise:A")])
    kept = Answers(news)
    kept.keep((b"q", "c"), made(3))
    assert kept.still((b"q", "c")) is None


def test_an_answer_that_knows_more_than_was_looked_up_says_what_it_knows() -> None:
    news = News()
    news.start_at(3)
    kept = Answers(news)
    kept.keep((b"q", "c"), made(7))
    assert kept.still((b"q", "c")) == b'{"data":{"knownAt":7,"asked":7}}'
    news.take(7, [(6, "enterprise:A")])
    assert kept.still((b"q", "c")) == b'{"data":{"knownAt":7,"asked":7}}'


def test_nothing_is_vouched_for_from_before_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.newest.MOST_SUBJECTS", 2)
    news = News()
    news.start_at(3)
    news.take(6, [(4, "enterprise:A"), (5, "enterprise:B"), (6, "enterprise:C")])
    assert not news.still_holds(["enterprise:A"], 3)
    assert not news.still_holds(["enterprise:D"], 3)
    assert news.still_holds(["enterprise:D"], 4)


def test_what_is_kept_is_bounded_and_the_longest_unasked_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 3 * 700)
    news = News()
    news.start_at(3)
    kept = Answers(news)
    for name in (b"1", b"2", b"3"):
        kept.keep((name, "c"), made(3))
    assert kept.still((b"1", "c"))
    kept.keep((b"4", "c"), made(3))
    assert [name for name in (b"1", b"2", b"3", b"4") if (name, "c") in kept] == [b"1", b"3", b"4"]


def test_long_requests_and_answers_are_not_kept() -> None:
    news = News()
    news.start_at(3)
    kept = Answers(news)
    long = b"q" * (LARGEST_REQUEST + 1)
    kept.keep((long, "c"), made(3))
    kept.keep((b"q", "c"), Answer({"data": "x" * answers.LARGEST}, 3, ()))
    assert (long, "c") not in kept
    assert (b"q", "c") not in kept
