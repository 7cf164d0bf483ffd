"""Who was found lately is known for a few seconds, and no more than so many are."""

import pytest

from domain.callers import Caller, Role
from ledger import remembered
from ledger.remembered import REMEMBERED_SECONDS, Remembered

ONE, OTHER = Caller(Role.AUDITOR, "one"), Caller(Role.AUDITOR, "other")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_is_known_for_a_few_seconds_from_when_it_was_looked_for_and_not_beyond_its_end() -> None:
    clock = Clock()
    found = Remembered(clock)
    found.keep(b"1", ONE, clock.now, 3_600.0)
    found.keep(b"2", OTHER, clock.now, 1.5)
    assert (found.find(b"1"), found.find(b"2"), found.find(b"3")) == (ONE, OTHER, None)
    clock.now += 1.5
    assert (found.find(b"1"), found.find(b"2")) == (ONE, None)
    clock.now = 100.0 + REMEMBERED_SECONDS
    assert found.find(b"1") is None


def test_the_one_found_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_REMEMBERED", 2)
    found = Remembered(Clock())
    for digest in (b"1", b"2", b"1", b"3"):
        found.keep(digest, ONE, 100.0, 60.0)
    assert [found.find(digest) for digest in (b"1", b"2", b"3")] == [ONE, None, ONE]


def test_a_holder_is_forgotten_by_all_that_it_sent() -> None:
    found = Remembered(Clock())
    for digest, caller in ((b"1", ONE), (b"2", OTHER), (b"3", ONE)):
        found.keep(digest, caller, 100.0, 60.0)
    found.forget("one")
    assert [found.find(digest) for digest in (b"1", b"2", b"3")] == [None, OTHER, None]
