"""Subscriptions under load: without gap or repeat through writers, cuts and restarts, and with clients that do not read."""

import asyncio
import json
import threading
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Final, cast

import pytest
from websockets.exceptions import ConnectionClosed

from api.context import Place
from api.streams import TOO_SLOW, Session, StreamLimits, Streams
from domain.callers import Caller, Role
from given import registered
from ledger.master_keys import new_key
from projections.feeds import Feeds
from running import ADOPTED, System, code, fresh, running, started, wait_until
from subscribing import EVENTS, NARROW, Socket, holding, narrow, streaming

WIDE: Final = "subscription ($after: Position! = 0) { events(after: $after) { position a: data b: data c: data d: data e: data } }"
LOG: Final = 5_000
"""Events of the log that slow clients are sent: more than all buffers between take."""
KEPT: Final = 100
"""How many events its server keeps for who follows."""


def written(system: System, first: int, number: int) -> None:
    for place in range(first, first + number):
        system.record(registered(uscc=code(place), name="x" * 150))


@pytest.mark.parametrize("transport", ["websocket", "event stream"])
def test_who_is_cut_off_again_and_again_gets_every_event_once_while_writers_write(
    system: System, transport: str
) -> None:
    writers = [threading.Thread(target=written, args=(system, 1_000 * each, 60)) for each in range(3)]
    for writer in writers:
        writer.start()
    chance, found, wanted = Random(7), list[int](), ADOPTED + 180
    while len(found) < wanted:
        some = min(chance.randint(1, 40), wanted - len(found))
        after = {"after": found[-1] if found else 0}
        if transport == "websocket":
            with holding(system, close_timeout=0.1) as client:
                client.subscribe(EVENTS, after)
                found += [each["position"] for each in client.results(some)]
        else:
            with streaming(system.url, EVENTS, after, headers=system.bearer("miit")) as stream:
                found += [each["position"] for each in stream.results(some)]
    for writer in writers:
        writer.join()
    assert found == list(range(1, wanted + 1))


def test_a_subscription_sees_what_another_process_writes_and_goes_on_after_a_restart(database: str) -> None:
    master = new_key().text
    with fresh(database) as schema:
        with running(database, schema, master=master) as system:
            signer = system.signer
            with running(database, schema, signer, master=master) as other, holding(other) as client:
                client.subscribe(EVENTS)
                client.results(ADOPTED)
                written(system, 1, 3)
                assert [each["position"] for each in client.results(2)] == [ADOPTED + 1, ADOPTED + 2]
        with running(database, schema, signer, master=master) as again, holding(again) as client:
            client.subscribe(EVENTS, {"after": ADOPTED + 2})
            written(again, 9, 1)
            assert [each["position"] for each in client.results(2)] == [ADOPTED + 3, ADOPTED + 4]


@pytest.fixture(scope="module")
def full(database: str) -> Iterator[System]:
    """A long log, and a server that has little patience."""
    with started(database, limits=StreamLimits(queue=KEPT, stalled_seconds=1)) as system:
        for first in range(ADOPTED, LOG, 1_000):
            some = range(first, min(first + 1_000, LOG))
            system.record(*(registered(uscc=code(n), name="x" * 150) for n in some))
        system.settle()
        yield system


def is_cut(system: System) -> bool:
    """Whether the one who is connected is to be cut off, or was."""
    return all(session.ending.done() for session in list(system.streams._sessions))


def read_on(client: Socket) -> tuple[list[int], ConnectionClosed]:
    """The positions that are still to be had, and how the socket was closed."""
    found = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            found.append(client.receive()["payload"]["data"]["events"]["position"])
    return found, closed.value


def test_a_slow_client_that_reads_again_is_told_from_where_to_resume(full: System) -> None:
    with holding(full, max_queue=1, sock=narrow(full.url)) as client:
        client.subscribe(WIDE)
        wait_until(lambda: full.streams.connections == 1)
        wait_until(lambda: is_cut(full))
        found, closed = read_on(client)
        assert found == list(range(1, len(found) + 1))
        assert len(found) < LOG
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (TOO_SLOW, f"Too slow; resume with after: {len(found)}")
    with holding(full) as client:
        client.subscribe(WIDE, {"after": len(found)})
        assert [each["position"] for each in client.results(3)] == [len(found) + n for n in (1, 2, 3)]


def test_a_client_that_never_reads_is_let_go_of_and_has_all_up_to_where_it_was_cut_off(
    full: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.websocket.CLOSE_SECONDS", 0.5)
    with holding(full, max_queue=1, sock=narrow(full.url)) as client:
        client.subscribe(WIDE)
        wait_until(lambda: full.streams.connections == 1)
        wait_until(lambda: full.streams.connections == 0)
        found, _ = read_on(client)
    assert found == list(range(1, len(found) + 1))
    assert 0 < len(found) < LOG


def test_a_slow_event_stream_that_is_read_again_ends_with_from_where_to_resume(full: System) -> None:
    with streaming(full.url, WIDE, headers=full.bearer("miit"), options=[NARROW]) as stream:
        wait_until(lambda: full.streams.connections == 1)
        wait_until(lambda: is_cut(full))
        *events, last, complete = stream.events()
    (error,) = json.loads(last["data"])["errors"]
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    assert len(events) < LOG
    assert error["extensions"] == {"code": "TOO_SLOW", "resumeAfter": len(events)}
    assert complete["event"] == "complete"


def test_an_event_stream_that_is_never_read_is_let_go_of_and_gone_on_with(
    full: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.event_stream.LAST_SECONDS", 0.5)
    with streaming(full.url, WIDE, headers=full.bearer("miit"), options=[NARROW]) as stream:
        wait_until(lambda: full.streams.connections == 1)
        wait_until(lambda: full.streams.connections == 0)
        found = [each["position"] for each in stream.results(20)]
    assert found == list(range(1, 21))
    with streaming(full.url, WIDE, headers=full.bearer("miit") | {"last-event-id": "20"}) as stream:
        assert [each["position"] for each in stream.results(3)] == [21, 22, 23]


def test_who_is_being_sent_something_is_cut_off_after_it_and_told_that_it_has_it() -> None:
    assert asyncio.run(_cut_while_sending()) == "The server is being restarted; connect again and resume with after: 98"


async def _cut_while_sending() -> str:
    feeds = cast(Feeds, SimpleNamespace(end=lambda: None, position=98))
    streams = Streams(feeds, lambda _: None, StreamLimits())
    session, place = Session(Caller(role=Role.AUDITOR, holder="reader"), None), Place()
    place.begin(97)
    session.running[id(place)] = place
    with streams.connected(session):
        with session.sending():
            streams.end()
            await asyncio.sleep(0.05)
            assert not session.ending.done()
            place.delivered = 98
        return (await asyncio.wait_for(session.ending, 5)).text.en
