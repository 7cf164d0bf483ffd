"""The lag: what it counts, and what it does not let count."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import pytest

from benchmarks.harness import Result
from benchmarks.lag import ALMOST, RATE, Round, judged

NOT_YET = b'{"errors":[{"extensions":{"code":"NOT_YET_KNOWN"}}]}'
KNOWN = b'{"data":{"creditStatuses":[{"knownAt":7}]}}'
HEAD = b'{"data":{"record":{"head":7,"errors":[]}}}'


@contextmanager
def server(*, answers_after: float = 0.0, knows_after: int = 0) -> Iterator[int]:
    """The port of a server that takes so many seconds for a record, and so often does not know a position yet."""
    loop, asked, ends = asyncio.new_event_loop(), 0, asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client closes when it has done.
        with suppress(asyncio.IncompleteReadError):
            while True:
                writer.write(await reply(reader))

    async def reply(reader: asyncio.StreamReader) -> bytes:
        nonlocal asked
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        if b"knownAt" in body:
            asked += 1
            sent = NOT_YET if asked % (knows_after + 1) else KNOWN
        else:
            await asyncio.sleep(answers_after)
            sent = HEAD
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(sent), sent)

    async def serve(told: list[int], begun: threading.Event) -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            told.append(listening.sockets[0].getsockname()[1])
            begun.set()
            await ends.wait()

    told: list[int] = []
    begun = threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(told, begun),), daemon=True)
    thread.start()
    assert begun.wait(10)
    try:
        yield told[0]
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()


def test_every_fifth_acknowledgement_is_asked_about_until_it_is_known() -> None:
    with server(knows_after=2) as port:
        measured = Round(port, "key", None, 20)
        assert measured.p99() == max(measured.taken)
    assert len(measured.taken) == 4


def test_what_is_acknowledged_late_is_a_smaller_rate() -> None:
    with server(answers_after=0.3) as port:
        measured = Round(port, "key", 7, 10)
        measured.p99()
    assert measured.seconds >= 0.39
    assert measured.rate < ALMOST * RATE


@pytest.mark.parametrize(("lag", "load"), [(True, True), (True, False), (False, True)])
def test_a_lag_under_a_smaller_load_is_not_met(lag: bool, load: bool) -> None:
    result = Result("it", 1.0, "ms", 1.0, "that", 1.0, lag, 1, "now", "none")
    other = msgspec.structs.replace(result, met=load)
    assert judged(result, other).met is (lag and load)
