"""What is told of requests: lines of the log, and numbers, by what the program knows of them."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from api import observing
from api.measures import Measures
from api.observing import MOST_LINES, Asked, RequestLog, Watch
from api.trusted import digest, shipped
from given import A, B, interviewed, registered, renamed
from ledger.observed import Outcome
from running import System
from subscribing import EVENTS, holding

TOLD: Final[dict[str, Any]] = {"id": "1", "route": "graphql", "operation": "creditStatus", "status": 200, "ms": 100.0}


def lines_of(asked: Asked, seconds: float, everything: bool = False) -> list[dict[str, Any]]:
    with capture_logs() as logs:
        RequestLog(0.5, everything).note(asked, seconds)
    return [dict(each) for each in logs]


def asked(**more: Any) -> Asked:
    return Asked(**{"route": "graphql", "operation": "creditStatus", "status": 200, "id": "1", **more})


def test_a_request_that_was_answered_in_time_has_no_line_unless_all_have_one() -> None:
    assert lines_of(asked(), 0.1) == []
    assert lines_of(asked(), 0.1, True) == [TOLD | {"event": "a request was answered", "log_level": "debug"}]


@pytest.mark.parametrize(
    ("more", "event", "level"),
    [
        ({"status": 415, "codes": ["BAD_MEDIA_TYPE"]}, "a request was refused", "info"),
        ({"codes": ["FORBIDDEN"]}, "a request was refused", "info"),
        ({"status": 503, "codes": ["UNAVAILABLE"]}, "a request failed", "warning"),
        ({"codes": ["INTERNAL"]}, "a request failed", "warning"),
    ],
)
def test_one_that_was_refused_or_failed_has_a_line(more: Mapping[str, Any], event: str, level: str) -> None:
    assert lines_of(asked(**more), 0.1) == [TOLD | dict(more) | {"event": event, "log_level": level}]


def test_one_that_was_slow_has_a_line_and_a_stream_is_never_slow() -> None:
    slow = TOLD | {"ms": 700.0, "event": "a request was slow", "log_level": "warning"}
    assert lines_of(asked(), 0.7) == [slow]
    assert lines_of(asked(is_stream=True), 0.7) == []


def test_more_requests_than_so_many_a_second_are_counted_and_have_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr(observing, "monotonic", lambda: now[0])
    log = RequestLog()
    with capture_logs() as logs:
        for _ in range(MOST_LINES + 7):
            log.note(asked(status=400), 0)
        assert len(logs) == MOST_LINES
        now[0] += 1
        log.note(asked(status=400), 0)
    assert logs[MOST_LINES] == {"number": 7, "event": "requests have no line in the log", "log_level": "warning"}
    assert len(logs) == MOST_LINES + 2


def counted(system: System) -> dict[tuple[str, ...], float]:
    """Every sample of /metrics, by its name and the values of its labels."""
    families = text_string_to_metric_families(system.http.get("/metrics").text)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_trusted_document_and_what_was_kept_beside(system: System) -> None:
    system.record(registered())
    trusted = {
        "documentId": digest(shipped()["creditStatus"]),
        "variables": {"uscc": A},
        "operationName": "CreditStatus",
    }
    for _ in range(3):
        assert system.http.post("/graphql", json=trusted, headers=system.bearer("miit")).status_code == 200
    for name in ("张三", "Name13800138000"):
        system.post(f"query {name if name.isascii() else 'Q'} {{ ledger {{ head }} }}")
    with holding(system) as client:
        client.subscribe("{ ledger { head } }", id_="1")
        assert client.receive()["type"] == "next"
    found = counted(system)
    of_requests = {key[1:]: value for key, value in found.items() if key[0] == "caseledger_request_seconds_count"}
    assert of_requests == {("false", "creditStatus"): 1, ("true", "creditStatus"): 2, ("false", "other"): 3}
    assert found["caseledger_kept_answers",] == 1
    assert found["caseledger_kept_answers_bytes",] > 100


def test_refusals_are_counted_by_code_those_that_are_data_too(system: System) -> None:
    system.post("{ ledger { nothing } }")
    system.post("{ ledger { head } }", key=None)
    system.http.post("/graphql", content="x")
    system.http.get("/nothing")
    system.refused(renamed(uscc="91"), renamed(uscc=B))
    found = counted(system)
    codes = {key[1]: value for key, value in found.items() if key[0] == "caseledger_refusals_total"}
    assert codes["BAD_DOCUMENT"] == codes["BAD_MEDIA_TYPE"] == codes["HTTP_404"] == codes["INVALID"] == 1
    assert set(codes) <= {"BAD_DOCUMENT", "BAD_MEDIA_TYPE", "HTTP_404", "INVALID", "UNKNOWN_ENTERPRISE", "FORBIDDEN"}


def test_subscriptions_and_the_pool_are_shown_as_they_are(system: System) -> None:
    with holding(system) as client:
        client.subscribe(EVENTS)
        client.results(1)
        found = counted(system)
        assert found["caseledger_streams",] == found["caseledger_subscriptions",] == 1
        assert found["caseledger_pool_connections", "open"] >= 1
        assert found["caseledger_pool_connections", "idle"] <= found["caseledger_pool_connections", "open"]
        assert found["caseledger_pool_connections", "waiting"] == 0


def test_appends_and_batches_are_measured_where_they_are_made(system: System) -> None:
    before = counted(system)
    system.send(registered(), once="one")
    system.send(registered(), once="one")
    system.send(interviewed())
    system.settle()
    found = counted(system)

    def more(*key: str) -> float:
        return found[key] - before[key]

    assert more("caseledger_appends_total", Outcome.APPENDED) == 2
    assert more("caseledger_append_seconds_count") == more("caseledger_group_appends_count") == 2
    assert more("caseledger_group_appends_sum") == 2
    assert more("caseledger_projected_events_total") == 2
    assert (
        found["caseledger_projection_version", "register"] == found["caseledger_projection_program_version", "register"]
    )


def test_an_answer_that_failed_names_its_line_in_the_log(system: System) -> None:
    with system.pool.connection() as database:
        database.execute("SELECT 1")
    with capture_logs() as logs:
        ok = system.post("{ ledger { head } }")
        bad = system.post("{ ledger { nothing } }")
    assert "x-request-id" not in ok.headers
    assert "x-request-id" not in bad.headers
    assert [each["codes"] for each in logs if "codes" in each] == [["BAD_DOCUMENT"]]


def test_what_is_not_measured_yet_is_there_with_zero() -> None:
    families = {each.name: each for each in Measures().registry().collect()}
    outcomes = {sample.labels.get("outcome") for sample in families["caseledger_appends"].samples}
    assert outcomes == set(Outcome)


def test_a_watch_without_traces_tells_of_a_kept_answer_only_what_it_took() -> None:
    measures = Measures()
    with capture_logs() as logs:
        Watch(measures, RequestLog()).answered_from_kept({"headers": []}, "creditStatus", None, 0.001)  # type: ignore[arg-type]
    assert logs == []
