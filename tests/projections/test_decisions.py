"""The decisions that were recorded, by what they are asked for."""

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import pytest

from agreement import MIIT, fresh, log
from domain.callers import Caller, Role
from gating import access, cooperation, filing, licence
from given import A, B, filed, licensed, listed, registered
from ledger.ledger import Ledger
from projecting import SIZES, applied, connected
from projections.decisions import Decisions, asking_carrier
from projections.projection import Database

TELECOM: Final = Caller(Role.CARRIER, "one", carrier="CHINA_TELECOM")
MOBILE: Final = Caller(Role.CARRIER, "two", carrier="CHINA_MOBILE")

_keys = (f"decided-{number}" for number in count(1))


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Database]:
    with connected(database) as connection:
        yield connection


def decide(ledger: Ledger, request: Any, caller: Caller = MIIT) -> None:
    made = ledger.decide_gate(caller, next(_keys), request, "2026-05-20")
    assert made.refusals == ()


@pytest.mark.parametrize("size", SIZES)
def test_every_decision_has_a_row_and_nothing_else_has(connection: Database, size: int) -> None:
    ledger = fresh().ledger
    ledger.record(MIIT, next(_keys), [registered(), licensed(), filed(), listed("2026-05-01"), registered(uscc=B)])
    decide(ledger, licence(route="COMMITMENT"))
    decide(ledger, access(), TELECOM)
    decide(ledger, filing(uscc=B))
    decide(ledger, cooperation(carrier="CHINA_MOBILE"), MOBILE)
    applied(connection, Decisions(), log(ledger), size)
    rows = connection.execute("SELECT position, uscc, gate, outcome, carrier FROM decisions ORDER BY position")
    assert rows.fetchall() == [
        (6, A, "LICENCE", "REVIEW", None),
        (7, A, "ACCESS", "REVIEW", "CHINA_TELECOM"),
        (8, B, "NUMBER_FILING", "REFUSE", None),
        (9, A, "COOPERATION", "REVIEW", "CHINA_MOBILE"),
    ]


@pytest.mark.parametrize(
    ("requested_by", "carrier"),
    [
        (TELECOM.signature, "CHINA_TELECOM"),
        ("carrier:CHINA_TELECOM:key:1", "CHINA_TELECOM"),
        (MIIT.signature, None),
        ("auditor:1", None),
        ("carriers:CHINA_TELECOM:1", None),
        ("ledger", None),
        ("", None),
    ],
)
def test_the_asking_carrier_is_named_where_a_carrier_asked(requested_by: str, carrier: str | None) -> None:
    assert asking_carrier(requested_by) == carrier
