"""Traces: spans of requests, appends and batches of the read models, by OpenTelemetry.

They are made where the extra `otel` is installed and its standard environment names where they go
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or OTEL_TRACES_EXPORTER=otlp or console); all else that
the SDK reads from OTEL_* holds as well. Otherwise nothing of it is imported. What a span says of its subject is what the log
says of a request, without the key's id: nothing that a client sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from time import time_ns
from typing import TYPE_CHECKING, Final

import structlog

from ledger.observed import Observer, Outcome

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from api.observing import Asked

SERVICE: Final = "caseledger"
EXPORTERS: Final = ("otlp", "console", "none")
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_MILLISECONDS: Final = 2_000
"""Longest wait at the end for spans that are still to be sent."""

log = structlog.get_logger(__name__)


@contextmanager
def tracing(environment: Mapping[str, str] = os.environ) -> Iterator[Traces | None]:
    """What makes spans while the block runs; None where none are wanted or can be made."""
    exporter = _wanted(environment)
    if exporter == "none":
        yield None
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        log.warning("OTEL_* asks for traces, and the extra is not installed: pip install 'caseledger[otel]'")
        yield None
        return
    provider = _provider(exporter)
    try:
        yield Traces(provider)
    finally:
        provider.force_flush(FLUSH_MILLISECONDS)
        # Without waiting longer for a receiver that is away.
        provider.shutdown()


def _wanted(environment: Mapping[str, str]) -> str:
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "none"
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if not named:
        return "otlp" if any(environment.get(each) for each in ENDPOINTS) else "none"
    if named not in EXPORTERS:
        log.warning("OTEL_TRACES_EXPORTER is none that is known; no traces are made", known=list(EXPORTERS))
        return "none"
    return named


def _provider(exporter: str) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before it.
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: SERVICE}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
    return provider


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


class Traces(Observer):
    """Makes spans: of requests, and under them of what was appended for them; of groups and batches by themselves."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = provider.get_tracer(SERVICE)
        self._propagator = TraceContextTextMapPropagator()
        self._server = SpanKind.SERVER

    @contextmanager
    def request(self, asked: Asked, headers: Sequence[tuple[bytes, bytes]]) -> Iterator[None]:
        """A span for as long as the block lasts, under the one that the headers name; what the block does is under it."""
        with self._tracer.start_as_current_span(
            "request",
            self._context(headers),
            kind=self._server,
            # The text of what was raised may hold what somebody sent.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                _describe(span, asked)

    def kept(self, asked: Asked, headers: Sequence[tuple[bytes, bytes]], seconds: float) -> None:
        """A span of a request that was answered from what is kept."""
        begun = _begun(seconds)
        span = self._tracer.start_span("request", self._context(headers), kind=self._server, start_time=begun)
        span.set_attribute("caseledger.kept", True)
        _describe(span, asked)
        span.end()

    def appended(self, outcome: Outcome, events: int, seconds: float) -> None:
        self._ended("append", seconds, {"caseledger.outcome": outcome.value, "caseledger.events": events})

    def committed(self, appends: int, seconds: float) -> None:
        self._ended("append group", seconds, {"caseledger.appends": appends})

    def projected(self, events: int, upto: int, seconds: float) -> None:
        self._ended("projection batch", seconds, {"caseledger.events": events, "caseledger.position": upto})

    def _ended(self, name: str, seconds: float, attributes: Mapping[str, str | int]) -> None:
        self._tracer.start_span(name, start_time=_begun(seconds), attributes=attributes).end()

    def _context(self, headers: Sequence[tuple[bytes, bytes]]) -> Context:
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name == b"traceparent"}
        return self._propagator.extract(carried)


def _begun(seconds: float) -> int:
    return time_ns() - int(seconds * 1e9)


def _describe(span: Span, asked: Asked) -> None:
    from opentelemetry.trace import StatusCode

    span.update_name(" ".join(filter(None, (asked.route, asked.operation))))
    told: dict[str, AttributeValue] = {
        "http.response.status_code": asked.status,
        "caseledger.request": asked.id,
        "caseledger.operation": asked.operation,
        "caseledger.role": asked.role,
        "caseledger.codes": list(asked.codes),
    }
    span.set_attributes({name: value for name, value in told.items() if value})
    if asked.failed:
        span.set_status(StatusCode.ERROR)
