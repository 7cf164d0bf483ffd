"""What one process measures, in the metrics of prometheus-client.

A scrape reaches one of several workers. So each worker keeps its numbers in files of a folder that all share
(prometheus-client's multiprocess mode), and whichever is asked adds up what all have. Gauges are then sums over those that
live; a counter goes on where the worker that had the same place before it left off.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from ledger.observed import Observer, Outcome

REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
GROUP_APPENDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus-client looks for the folder."""


def leave(folder: Path, place: int) -> None:
    """Takes away the gauges of a process that has ended, so that sums are over those that live."""
    mark_process_dead(place, str(folder))  # type: ignore[no-untyped-call]  # the library has no types there


def share(folder: Path, place: int) -> None:
    """Lets this process keep its numbers in a folder, in the files of its place; before any metric is made.

    No other process may have the same place at the same time.
    """
    os.environ[FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]  # the library has no types there


class _Labelled(dict[tuple[str, bool], Histogram]):
    """The histogram of each operation: on the hot path the library's own look-up takes as long as the counting."""

    def __init__(self, parent: Histogram) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, key: tuple[str, bool]) -> Histogram:
        operation, kept = key
        found = self[key] = self._parent.labels(operation, "true" if kept else "false")
        return found


class Measures(Observer):
    """The metrics of one process. `shared`: the folder of all workers, after `share`; None for one process alone."""

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self._own = CollectorRegistry()
        self._named: dict[str, Gauge] = {}
        self._gauges: list[tuple[Gauge, Callable[[], float]]] = []
        self._requests = self._histogram(
            "caseledger_request_seconds",
            "GraphQL requests by trusted document, or other; kept: whether a kept answer was served.",
            REQUEST_SECONDS,
            ("operation", "kept"),
        )
        self._of = _Labelled(self._requests)
        self._refusals = self._counter("caseledger_refusals", "Requests that were refused or failed, by code.", "code")
        self._appends = self._counter("caseledger_appends", "Appends, by what came of them.", "outcome")
        self._append = self._histogram(
            "caseledger_append_seconds", "From an append's arrival until it was durable.", REQUEST_SECONDS
        )
        self._group = self._histogram("caseledger_group_appends", "Appends of one transaction.", GROUP_APPENDS)
        self._commit = self._histogram("caseledger_group_seconds", "One transaction of appends.", BATCH_SECONDS)
        self._events = self._counter("caseledger_projected_events", "Events applied to the read models.")
        self._batch = self._histogram(
            "caseledger_projection_batch_seconds", "One batch of events applied to the read models.", BATCH_SECONDS
        )
        for outcome in Outcome:
            self._appends.labels(outcome.value)

    def gauge(self, name: str, help_: str, read: Callable[[], float], **labels: str) -> None:
        """A number that is read when it is sampled. One name may have several, each under labels of its own."""
        if name not in self._named:
            self._named[name] = Gauge(name, help_, list(labels), registry=self._own, multiprocess_mode="livesum")
        gauge = self._named[name]
        self._gauges.append((gauge.labels(**labels) if labels else gauge, read))

    def sample(self) -> None:
        """Reads the gauges. Of several workers each does so beside its requests, for whichever is scraped."""
        for gauge, read in self._gauges:
            gauge.set(read())

    def registry(self) -> CollectorRegistry:
        """What is to be shown: the numbers of this process, or of all workers."""
        self.sample()
        if self._shared is None:
            return self._own
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._shared))  # type: ignore[no-untyped-call]  # the library has no types there
        return registry

    def answered(self, operation: str, kept: bool, seconds: float) -> None:
        """One GraphQL request. `operation` is the name of a trusted document, or `other`: there are few of them."""
        self._of[operation, kept].observe(seconds)

    def refused(self, codes: Iterable[str]) -> None:
        for code in codes:
            self._refusals.labels(code).inc()

    def appended(self, outcome: Outcome, events: int, seconds: float) -> None:
        self._appends.labels(outcome.value).inc()
        if outcome is Outcome.APPENDED:
            self._append.observe(seconds)

    def committed(self, appends: int, seconds: float) -> None:
        self._group.observe(appends)
        self._commit.observe(seconds)

    def projected(self, events: int, upto: int, seconds: float) -> None:
        self._events.inc(events)
        self._batch.observe(seconds)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, registry=self._own)

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, help_, labels, registry=self._own, buckets=buckets)
