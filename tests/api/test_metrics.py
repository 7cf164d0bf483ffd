"""What Prometheus reads: the ledger's head and how far each projection is."""

from prometheus_client.parser import text_string_to_metric_families

from given import registered
from ledger.addresses import target_of
from ledger.webhooks import Wanted, Webhooks
from projections.tables import TABLES
from running import System


def measured(system: System) -> dict[tuple[str, str], float]:
    answer = system.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, sample.labels.get("projection", "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics_show_the_head_and_each_projection_s_position_and_lag(system: System) -> None:
    system.known(registered())
    head = float(system.head)
    found = measured(system)
    assert found["caseledger_head_position", ""] == found["caseledger_appended_events_total", ""] == head
    for name in TABLES:
        assert found["caseledger_projection_position", name] == head
        assert found["caseledger_projection_lag_events", name] == 0
        assert found["caseledger_projection_stopped", name] == 0
        assert found["caseledger_projection_parked_enterprises", name] == 0


def test_metrics_show_what_lags_and_what_is_parked(system: System) -> None:
    system.known(registered())
    system.runner.stop()
    with system.pool.connection() as database:
        database.execute("INSERT INTO parked VALUES ('register', 'one', 1, 'T', 'F'), ('register', 'two', 1, 'T', 'F')")
        database.execute("UPDATE projections SET position = position - 2, stopped_at = 1 WHERE name = 'history'")
    found = measured(system)
    assert found["caseledger_projection_lag_events", "history"] == 2
    assert found["caseledger_projection_stopped", "history"] == 1
    assert found["caseledger_projection_parked_enterprises", "register"] == 2


def test_metrics_show_how_far_each_webhook_is_and_what_became_of_its_deliveries(system: System) -> None:
    webhooks = Webhooks(system.pool, system.sealer, system.keys)
    made, _ = webhooks.add(target_of("https://receiver.example/", False), system.callers["miit"].holder, Wanted())
    system.known(registered())
    with system.pool.connection() as database:
        database.execute("UPDATE webhooks SET delivered = 7, dead = 2")
    families = text_string_to_metric_families(system.http.get("/metrics").text)
    of_it = [each for family in families for each in family.samples if each.labels.get("webhook") == made.webhook.id]
    assert {(each.name, each.labels.get("result")): each.value for each in of_it} == {
        ("caseledger_webhook_lag_events", None): 1,
        ("caseledger_webhook_deliveries_total", "delivered"): 7,
        ("caseledger_webhook_deliveries_total", "dead"): 2,
    }
