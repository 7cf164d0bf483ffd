"""What Prometheus reads: what the processes measured, and the ledger and its read models, the same from whichever is asked."""

from collections.abc import Iterator, Mapping, Sequence
from threading import Timer
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.errors import AWAY
from api.measures import Measures
from ledger.deadlines import Deadline
from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.webhooks import Counted, deliveries_by_webhook
from projections.parking import Parked, Parking, Reached

LOOK_SECONDS: Final = 2.0
"""Longest time for the questions to the database: whoever scrapes waits for few seconds only."""


def measurements(pool: Pool, measures: Measures, versions: Mapping[str, int]) -> bytes:
    """The measurements of this moment, in Prometheus' text format; `versions`: this program's, of its projections.

    While the database is away they are those of the processes alone, and say so.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(pool, versions))
    return generate_latest(measures.registry()) + generate_latest(registry)


class _Ledger(Collector):
    def __init__(self, pool: Pool, versions: Mapping[str, int]) -> None:
        self._pool = pool
        self._versions = versions

    def describe(self) -> list[Metric]:
        """Nothing beforehand: names are checked when they are collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("caseledger_database_up", "1 where the database answers, else 0.")
        deadline = Deadline(LOOK_SECONDS)
        over = Timer(LOOK_SECONDS, deadline.expire)
        over.start()
        try:
            found = deadline.run(lambda: list(self._looked()))
        except AWAY:
            found = []
        finally:
            over.cancel()
        up.add_metric([], float(bool(found)))
        yield up
        yield from found

    def _looked(self) -> Iterator[Metric]:
        parking = Parking(self._pool)
        reached, parked = parking.reached(), parking.parked()
        counted = deliveries_by_webhook(self._pool)
        # Asked last: a projection is never ahead of it.
        head = PostgresRecorder(self._pool).head()
        yield GaugeMetricFamily("caseledger_head_position", "Position of the last event.", head)
        yield CounterMetricFamily("caseledger_appended_events", "Events ever appended.", head)
        yield from _projections(reached, parked, head)
        program = _of_projections("program_version", "Version that this program makes.")
        for name, version in self._versions.items():
            program.add_metric([name], version)
        yield program
        yield from _of_webhooks(counted, head)


def _projections(reached: list[Reached], parked: list[Parked], head: int) -> Iterator[Metric]:
    position = _of_projections("position", "Position that a projection has reached.")
    lag = _of_projections("lag_events", "Events still to apply.")
    stopped = _of_projections("stopped", "1 where an event stopped it, else 0.")
    standing = _of_projections("parked_enterprises", "Enterprises that stand still.")
    version = _of_projections("version", "Version of the program that filled its tables.")
    for each in reached:
        position.add_metric([each.name], each.position)
        lag.add_metric([each.name], head - each.position)
        stopped.add_metric([each.name], float(each.stopped is not None))
        standing.add_metric([each.name], sum(one.projection == each.name for one in parked))
        version.add_metric([each.name], each.version)
    yield from (position, lag, stopped, standing, version)


def _of_projections(what: str, help_: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"caseledger_projection_{what}", help_, labels=["projection"])


def _of_webhooks(counted: Sequence[Counted], head: int) -> Iterator[Metric]:
    results = CounterMetricFamily(
        "caseledger_webhook_deliveries", "Deliveries that ended, by how.", labels=["webhook", "result"]
    )
    behind = GaugeMetricFamily("caseledger_webhook_lag_events", "Events still to look at.", labels=["webhook"])
    for each in counted:
        results.add_metric([each.webhook, "delivered"], each.delivered)
        results.add_metric([each.webhook, "dead"], each.dead)
        behind.add_metric([each.webhook], head - each.position)
    yield from (results, behind)
