"""Spans: made where the standard environment asks for them, under one another, and with nothing of what was sent."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from api.observing import Asked
from api.trusted import digest, shipped
from caseledger import traces
from caseledger.settings import Settings
from caseledger.traces import Traces, tracing
from caseledger.wiring import open_system
from given import A, registered
from ledger.observed import Outcome
from processes import Begin

PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PHONE: Final = "13800138000"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def made(exporter: InMemorySpanExporter) -> Traces:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Traces(provider)


def asked(**more: Any) -> Asked:
    return Asked(
        **{"route": "graphql", "operation": "record", "role": "regulator", "key": "abc", "status": 200, **more}
    )


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_what_is_appended_for_a_request_is_under_its_span_and_that_under_the_caller_s(
    made: Traces, exporter: InMemorySpanExporter
) -> None:
    with made.request(asked(id="r1"), [(b"traceparent", PARENT.encode()), (b"authorization", b"Bearer x")]):
        made.appended(Outcome.APPENDED, 3, 0.25)
    made.committed(2, 0.01)
    made.projected(5, 9, 0.01)
    append, request, group, batch = exporter.get_finished_spans()
    assert request.context and append.parent and request.parent
    assert append.parent.span_id == request.context.span_id
    assert f"{request.parent.trace_id:032x}-{request.parent.span_id:016x}" == PARENT[3:-3]
    assert append.start_time and append.end_time
    assert append.end_time - append.start_time == pytest.approx(250_000_000, rel=0.2)
    assert [(each.name, each.parent) for each in (group, batch)] == [("append group", None), ("projection batch", None)]
    assert attributes(append) == {"caseledger.outcome": "appended", "caseledger.events": 3}
    assert attributes(batch) == {"caseledger.events": 5, "caseledger.position": 9}
    assert attributes(request) == {
        "http.response.status_code": 200,
        "caseledger.request": "r1",
        "caseledger.operation": "record",
        "caseledger.role": "regulator",
    }
    assert request.name == "graphql record"


def test_a_request_that_raises_is_an_error_without_its_text(made: Traces, exporter: InMemorySpanExporter) -> None:
    told = asked(status=500, codes=["INTERNAL"])
    with pytest.raises(ValueError, match=PHONE), made.request(told, [(b"traceparent", PHONE.encode())]):
        raise ValueError(PHONE)
    (span,) = exporter.get_finished_spans()
    assert PHONE not in span.to_json()
    assert (span.status.is_ok, span.events, span.parent) == (False, (), None)
    assert attributes(span)["caseledger.codes"] == ("INTERNAL",)


def test_a_kept_answer_has_a_span_that_is_over(made: Traces, exporter: InMemorySpanExporter) -> None:
    made.kept(asked(), [], 0.001)
    (span,) = exporter.get_finished_spans()
    assert attributes(span)["caseledger.kept"] is True


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, "none"),
        ({"OTEL_SERVICE_NAME": "x"}, "none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "none"),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "none"),
    ],
)
def test_the_standard_environment_says_whether_and_where_to(environment: dict[str, str], wanted: str) -> None:
    assert traces._wanted(environment) == wanted


def test_an_exporter_that_is_not_known_is_said_and_none_is_used() -> None:
    with capture_logs() as logs, tracing({"OTEL_TRACES_EXPORTER": "zipkin"}) as found:
        assert found is None
    assert logs[0]["known"] == ["otlp", "console", "none"]


def test_without_the_extra_it_is_said_and_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "find_spec", lambda _: None)
    with capture_logs() as logs, tracing({"OTEL_TRACES_EXPORTER": "otlp"}) as found:
        assert found is None
    assert logs[0]["event"].endswith("pip install 'caseledger[otel]'")


def test_nothing_of_it_is_imported_where_none_is_wanted(environment: dict[str, str]) -> None:
    look = (
        "import sys, api.app, caseledger.serving\n"
        "from caseledger.traces import tracing\n"
        "with tracing({}): print([name for name in sys.modules if name.partition('.')[0] == 'opentelemetry'])"
    )
    ended = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


class Receiver(HTTPServer):
    """Takes what is sent by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    def spans(self) -> list[Any]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span for each in found for of in each.resource_spans for scope in of.scope_spans for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_server_sends_its_spans_and_nothing_that_was_sent_to_it(
    begin: Begin, settings: Settings, receiver: Receiver
) -> None:
    with open_system(settings) as system:
        key, info = system.keys.create(role="regulator", authority="MIIT")
    where = f"http://127.0.0.1:{receiver.server_port}"
    process = begin("serve", "--port", "0", OTEL_EXPORTER_OTLP_ENDPOINT=where, OTEL_BSP_SCHEDULE_DELAY="100")
    url = process.says(r"http://\S+:\d+", 120)
    fact = registered()
    sent = {"idempotencyKey": PHONE, "facts": [{fact.name: {**fact.fields, "name": f"企业{PHONE}"}}]}
    asked = {"documentId": digest(shipped()["record"]), "variables": {"input": sent}}
    query = {"query": f'query Q{PHONE} {{ enterprise(uscc: "{A}") {{ name }} }}'}
    headers = {"authorization": f"Bearer {key}", "traceparent": PARENT, "baggage": f"phone={PHONE}"}
    for body in (asked, query, query):
        assert httpx.post(f"{url}/graphql?{PHONE}", json=body, headers=headers, timeout=30).status_code == 200
    assert process.end() == 0
    everything = b"".join(receiver.bodies).decode("utf-8", "replace")
    assert [word for word in (PHONE, "企业", key, key.partition(f"{info.id}_")[2], info.id) if word in everything] == []
    spans = receiver.spans()
    of_caller = [each for each in spans if each.trace_id.hex() == PARENT.split("-")[1]]
    assert sorted(each.name for each in of_caller) == ["append", "graphql other", "graphql other", "graphql record"]
    (record,) = [each for each in of_caller if each.name == "graphql record"]
    (append,) = [each for each in of_caller if each.name == "append"]
    assert append.parent_span_id == record.span_id
    assert names(spans) >= {"append group", "projection batch"}


def names(spans: Sequence[Any]) -> set[str]:
    return {each.name for each in spans}
