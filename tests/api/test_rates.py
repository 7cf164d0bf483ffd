"""Rates: a bucket of two seconds' worth for each holder, which fills at the rate."""

import pytest

from api import rates
from api.rates import Rates


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_two_seconds_worth_may_come_at_once_and_no_more(clock: Clock) -> None:
    found = Rates(clock)
    assert [found.take("a", 5) for _ in range(11)] == [0] * 10 + [1]


def test_the_bucket_fills_at_the_rate(clock: Clock) -> None:
    found = Rates(clock)
    for _ in range(10):
        found.take("a", 5)
    clock.now += 0.19
    assert found.take("a", 5) == 1
    clock.now += 0.01
    assert [found.take("a", 5) for _ in range(2)] == [0, 1]
    clock.now += 100
    assert [found.take("a", 5) for _ in range(11)] == [0] * 10 + [1]


def test_who_is_refused_loses_nothing_by_asking(clock: Clock) -> None:
    found = Rates(clock)
    for _ in range(2):
        found.take("a", 1)
    assert [found.take("a", 1) for _ in range(50)] == [1] * 50
    clock.now += 1
    assert found.take("a", 1) == 0


def test_each_holder_has_a_bucket_of_its_own(clock: Clock) -> None:
    found = Rates(clock)
    assert [found.take(name, 1) for name in ("a", "a", "a", "b", "b", "b")] == [0, 0, 1, 0, 0, 1]


def test_the_longest_unused_bucket_is_forgotten_first(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_HOLDERS", 2)
    found = Rates(clock)
    for name in ("a", "a", "b", "b", "a", "c"):
        found.take(name, 1)
    assert len(found._full_at) == 2
    assert [found.take("b", 1), found.take("c", 1)] == [1, 0]
