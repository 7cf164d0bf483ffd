"""Webhooks as they are kept: what the runtime role may change of them, and how many there may be."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import errors

from domain.callers import Caller, Role
from domain.identifiers import Malformed
from ledger.addresses import target_of
from ledger.deliveries import Active, Deliveries, Due, Outcome, Result
from ledger.keys import KEY_MIGRATIONS, Keys
from ledger.ledger import Ledger
from ledger.master_keys import new_key
from ledger.migrations import LEDGER_MIGRATIONS, Database, Migration, Pool
from ledger.sealing import KeyPlace, Sealer
from ledger.webhook_signing import secret_text
from ledger.webhooks import MOST_WEBHOOKS, WEBHOOK_MIGRATIONS, DeliveryFilter, Wanted, Webhooks

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TARGET = target_of("https://receiver.example/", False)


@pytest.fixture
def migrations() -> tuple[Migration, ...]:
    return (*LEDGER_MIGRATIONS, *KEY_MIGRATIONS, *WEBHOOK_MIGRATIONS)


@pytest.fixture
def key(pool: Pool) -> str:
    return Keys(pool).create("auditor")[1].id


@pytest.fixture
def webhooks(pool: Pool) -> Webhooks:
    return Webhooks(pool, Sealer(pool, KeyPlace(Path(), new_key().text)), Keys(pool), lambda: NOW)


@pytest.fixture
def line(pool: Pool, ledger: Ledger) -> Iterator[Database]:
    """A connection, to a ledger that has 11 events."""
    with pool.connection() as connection:
        yield connection


def planned(database: Database, upto: int) -> tuple[Deliveries, Active, list[Due]]:
    deliveries = Deliveries(database, timedelta(days=3))
    (to,) = deliveries.active(NOW)
    deliveries.plan(to, upto, NOW, None)
    return deliveries, to, deliveries.due(NOW, {to.id: 100}, [])


def test_attempts_are_append_only_and_a_delivery_keeps_what_it_is_of(
    line: Database, webhooks: Webhooks, key: str
) -> None:
    webhooks.add(TARGET, key, Wanted(after=0))
    deliveries, _, (due, *_) = planned(line, 11)
    deliveries.keep(due, Outcome(Result.DELIVERED, 200), NOW, NOW, 0.5)
    for change in (
        "UPDATE webhook_attempts SET result = 'x'",
        "DELETE FROM webhook_attempts",
        "DELETE FROM webhook_deliveries",
        "UPDATE webhook_deliveries SET event_id = 'x'",
        "UPDATE webhook_deliveries SET id = 'x'",
        "DELETE FROM webhooks",
        "UPDATE webhooks SET url = 'https://elsewhere.example/'",
        "UPDATE webhooks SET key_id = 'x'",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            line.execute(change.encode())


def test_of_an_enterprise_one_delivery_is_due_at_a_time_and_the_next_when_it_has_ended(
    line: Database, webhooks: Webhooks, key: str
) -> None:
    made, _ = webhooks.add(TARGET, key, Wanted(after=0))
    deliveries, to, due = planned(line, 11)
    # Two enterprises are registered; nine interviews of the first follow.
    assert [each.position for each in due] == [1, 2]
    assert deliveries.due(NOW, {to.id: 1}, [due[0].id])[0].position == 2
    deliveries.keep(due[0], Outcome(Result.DELIVERED, 200), NOW, NOW, 0.5)
    assert [each.position for each in deliveries.due(NOW, {to.id: 100}, [])] == [2, 3]
    assert [each.position for each in webhooks.deliveries(DeliveryFilter(made.webhook.id, limit=3, before=11))] == [
        10,
        9,
        8,
    ]


def test_what_is_planned_twice_at_once_is_made_once(line: Database, webhooks: Webhooks, key: str) -> None:
    made, _ = webhooks.add(TARGET, key, Wanted(after=0))
    deliveries, to, _ = planned(line, 5)
    deliveries.plan(to, 5, NOW, None)
    assert len(webhooks.deliveries(DeliveryFilter(made.webhook.id))) == 5


def test_there_may_be_a_hundred(line: Database, webhooks: Webhooks, key: str) -> None:
    made, _ = webhooks.add(TARGET, key, Wanted())
    line.execute(
        "INSERT INTO webhooks (id, name, url, key_id, secret, created_at, position)"
        " SELECT 'wh_' || n, '', '', %s, '', now(), 0 FROM generate_series(2, %s) AS n",
        [key, MOST_WEBHOOKS],
    )
    with pytest.raises(Malformed, match="There may be 100 webhooks"):
        webhooks.add(TARGET, key, Wanted())
    webhooks.remove(made.webhook.id)
    webhooks.add(TARGET, key, Wanted())


def test_no_secret_is_shown_by_what_holds_it(line: Database, webhooks: Webhooks, key: str) -> None:
    made, caller = webhooks.add(TARGET, key, Wanted(name="甲"))
    assert caller == Caller(Role.AUDITOR, key)
    assert made.secret not in repr(made)
    assert secret_text(b"x" * 32) == "whsec_eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
