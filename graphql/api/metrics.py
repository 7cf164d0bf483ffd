"""What is measured, as Prometheus reads it: the ledger and its projections, the same from whichever process is asked."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger.migrations import Pool
from ledger.recorder import PostgresRecorder
from ledger.webhooks import Counted, deliveries_by_webhook
from projections.parking import Parking


def measurements(pool: Pool) -> bytes:
    """The measurements of this moment, in Prometheus' text format. Raises what psycopg does while the database is away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(pool))
    return generate_latest(registry)


class _Ledger(Collector):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def describe(self) -> list[Metric]:
        """Nothing beforehand: names are checked when they are collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        parking = Parking(self._pool)
        reached, parked = parking.reached(), parking.parked()
        counted = deliveries_by_webhook(self._pool)
        # Asked last: a projection is never ahead of it.
        head = PostgresRecorder(self._pool).head()
        yield GaugeMetricFamily("caseledger_head_position", "Position of the last event.", head)
        yield CounterMetricFamily("caseledger_appended_events", "Events ever appended.", head)
        position = GaugeMetricFamily(
            "caseledger_projection_position", "Position that a projection has reached.", labels=["projection"]
        )
        lag = GaugeMetricFamily("caseledger_projection_lag_events", "Events still to apply.", labels=["projection"])
        stopped = GaugeMetricFamily(
            "caseledger_projection_stopped", "1 where an event stopped it, else 0.", labels=["projection"]
        )
        standing = GaugeMetricFamily(
            "caseledger_projection_parked_enterprises", "Enterprises that stand still.", labels=["projection"]
        )
        for each in reached:
            position.add_metric([each.name], each.position)
            lag.add_metric([each.name], head - each.position)
            stopped.add_metric([each.name], float(each.stopped is not None))
            standing.add_metric([each.name], sum(one.projection == each.name for one in parked))
        yield from (position, lag, stopped, standing)
        yield from _of_webhooks(counted, head)


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
