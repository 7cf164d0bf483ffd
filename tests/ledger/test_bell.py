"""A bell wakes who waits for something to read."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from ledger.bell import Bell

LONG = 60.0


def test_it_wakes_who_waits_for_another() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Bell() as bell, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(bell.wait, ours, LONG)
        bell.ring()
        assert waiting.result(timeout=10) is False
        waiting = threads.submit(bell.wait, ours, LONG)
        theirs.send(b"x")
        assert waiting.result(timeout=10) is True


def test_a_ring_that_nobody_waited_for_is_heard_once_however_often_it_was() -> None:
    with Bell() as bell:
        for _ in range(100_000):
            bell.ring()
        assert bell.wait(seconds=LONG) is False
        begun = perf_counter()
        assert bell.wait(seconds=0.05) is False
        assert perf_counter() - begun >= 0.05


def test_both_at_once_are_both_seen() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Bell() as bell:
        theirs.send(b"x")
        bell.ring()
        assert bell.wait(ours, LONG) is True
        begun = perf_counter()
        assert bell.wait(seconds=0.05) is False
        assert perf_counter() - begun >= 0.05


def test_its_descriptors_are_given_back() -> None:
    before = descriptors()
    for _ in range(3):
        with Bell() as bell:
            bell.ring()
    assert descriptors() == before


def descriptors() -> set[str]:
    return {each.name for each in Path("/dev/fd").iterdir()}
