"""The mixed load in short, with its kill of PostgreSQL, and what it finds wrong where something is."""

import msgspec
import pytest

from benchmarks.lines import Reply
from benchmarks.mixed import Findings, Memory, Plan, Sent, _judge_outage, _wrong, run

GOOD = b'{"data":{"record":{"errors":[]}}}'


@pytest.mark.slow
def test_no_request_and_no_record_is_lost_when_postgresql_is_killed_under_load() -> None:
    plan = Plan(seconds=3, rate=100, workers=2, enterprises=20)
    findings = run(plan)
    assert findings.wrong == []
    figures = findings.figures
    assert (figures["errors"], figures["outage_errors"], figures["lost"], figures["twice"]) == (0, 0, 0, 0)
    assert figures["requests"] >= 250
    assert figures["acknowledged"] > 10
    assert figures["verified"] is True
    assert msgspec.json.encode(figures)


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        (Reply(200, {}, GOOD), ""),
        (Reply(503, {b"retry-after": b"1"}, b""), ""),
        (Reply(503, {}, b""), "503 without Retry-After"),
        (Reply(504, {}, b""), "status 504"),
        (Reply(200, {}, b'{"errors":[{"extensions":{"code":"INTERNAL"}}]}'), "INTERNAL"),
        (Reply(200, {}, b'{"data":{"record":{"errors":[{"code":"CONFLICT"}]}}}'), "CONFLICT"),
    ],
)
def test_what_is_no_good_answer_is_told(reply: Reply, wrong: str) -> None:
    assert _wrong("record", reply) == wrong


def test_a_refusal_that_comes_too_long_after_the_return_does_not_hold() -> None:
    findings = Findings({})
    _judge_outage([Sent("hot", 1.0, 9.0, 503), Sent("hot", 1.0, 9.0, 0, "unanswered")], 1.0, 3.5, findings)
    assert (findings.figures["outage"], findings.figures["recovery"]) == (2.5, 5.5)
    assert len(findings.wrong) == 2


def test_memory_that_grows_is_seen_and_what_it_did_before_it_settled_is_not() -> None:
    steady = [(float(second), 100.0 + 100 * (second >= 30)) for second in range(120)]
    assert Memory(0, steady).growth(60) == 0
    growing = [(float(second), 1000.0 + second * 10) for second in range(120)]
    assert Memory(0, growing).growth(60) > 0.2
