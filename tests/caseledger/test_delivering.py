"""Events are pushed to real receivers: in order for each enterprise, signed, again until they are taken, and to no one else."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks.webhooks import Webhook as Verifying
from standardwebhooks.webhooks import WebhookVerificationError
from starlette.responses import RedirectResponse, Response, StreamingResponse

from caseledger.delivering import AWAY
from given import complained, filed, inspected, listed, punished, registered, renamed, unlisted
from ledger.deliveries import LONGEST_PAUSE, pause_after
from receiving import LIMITS, Held, Message, Pushing, Receiver
from running import System, code, started, wait_until

FIRM, OTHER, THIRD = code(1), code(2), code(3)
numbers: Final = iter(range(1_000, 1_000_000))


@pytest.fixture(scope="module")
def shared(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(*(registered(uscc=each) for each in (FIRM, OTHER, THIRD)))
        yield system


@pytest.fixture
def pushing(shared: System) -> Iterator[Pushing]:
    pushing = Pushing(shared)
    yield pushing
    for each in pushing.webhooks.all():
        pushing.webhooks.remove(each.id)


def named(pushing: Pushing, *usccs: str) -> list[int]:
    """Gives these enterprises another name, one after the other; the positions of these events."""
    return [pushing.system.record(renamed(uscc=each, name=f"名{next(numbers)}"))[0].position for each in usccs]


def status(code: int, **headers: str) -> Response:
    return Response("no", code, headers)


# What is sent


def test_an_event_is_a_cloud_event_that_the_receiver_can_verify(pushing: Pushing) -> None:
    with Receiver() as receiver:
        id_ = pushing.add(receiver, types=("EnterpriseRenamed",))
        (position,) = named(pushing, FIRM)
        pushing.deliver()
    (message,) = receiver.got
    assert message.headers["content-type"] == "application/cloudevents+json"
    assert Verifying(pushing.secrets[id_]).verify(message.body, message.headers) == message.event
    with pytest.raises(WebhookVerificationError):
        Verifying(pushing.secrets[id_]).verify(message.body.replace(b"1.0", b"1.1"), message.headers)
    read = from_structured(HTTPMessage(message.headers, message.body), JSONFormat())
    assert (read.get_type(), read.get_subject()) == ("caseledger.EnterpriseRenamed", FIRM)
    assert (read.get_extension("sequence"), read.get_id()) == (f"{position:019d}", message.event["id"])
    (kept,) = pushing.log(id_)
    assert (kept.id, kept.event, kept.position, kept.state) == (message.id, read.get_id(), position, "delivered")


def test_only_events_of_the_types_and_enterprises_asked_for_are_sent_after_the_position_asked_for(
    pushing: Pushing,
) -> None:
    before = pushing.system.head
    with Receiver() as receiver:
        named(pushing, FIRM)
        pushing.system.record(inspected(uscc=FIRM, inspectionId="I-1"), inspected(uscc=OTHER, inspectionId="I-2"))
        pushing.add(receiver, types=("InspectionHeld",), usccs=(FIRM,), after=before)
        pushing.add(receiver)
        pushing.deliver()
        assert (receiver.types, receiver.of(FIRM)) == (["InspectionHeld"], [before + 2])


def test_while_a_secret_is_changed_either_verifies_and_after_a_day_the_new_one_alone(pushing: Pushing) -> None:
    with Receiver() as receiver:
        id_ = pushing.add(receiver)
        old, new = Verifying(pushing.secrets[id_]), Verifying(pushing.webhooks.rotate(id_).secret)
        named(pushing, FIRM)
        pushing.deliver()
        both = receiver.got[-1]
        for each in (old, new):
            each.verify(both.body, both.headers)
        named(pushing, FIRM)
        pushing.after(days=1)
        alone = receiver.got[-1]
    at = datetime.fromtimestamp(int(alone.headers["webhook-timestamp"]), UTC)
    assert alone.headers["webhook-signature"] == new.sign(alone.id, at, alone.body.decode())


def test_personal_fields_are_never_sent_even_under_a_key_that_reads_them(pushing: Pushing) -> None:
    with Receiver() as receiver:
        pushing.add(receiver, key="officer")
        pushing.system.record(complained(complaintId="C-1", complainantPhone="13800000000", summary="夜间来电"))
        pushing.deliver()
    (message,) = receiver.got
    assert message.event["withheld"] == "complainantPhone,summary"
    assert b"13800000000" not in message.body
    assert "sealed:" not in message.body.decode()


# Whom it may be sent to


def test_a_carriers_webhook_is_told_what_names_the_carrier_or_is_published_and_nothing_else(pushing: Pushing) -> None:
    with Receiver() as telecom, Receiver() as mobile, Receiver() as public:
        ids = [pushing.add(to, key=key) for to, key in ((telecom, "telecom"), (mobile, "mobile"), (public, "intake"))]
        (basis,) = pushing.system.record(punished(uscc=FIRM, documentNo="P-9"))
        pushing.system.record(
            renamed(uscc=FIRM, name="改名"),
            filed(uscc=FIRM, number="95123", carriers=["CHINA_TELECOM"], historical=True),
            complained(complaintId="C-9"),
            listed(uscc=FIRM, entryId="E-9", basis=[basis.position]),
        )
        pushing.deliver()
    assert telecom.types == ["NumberFiled", "ListEntryMade"]
    assert mobile.types == public.types == ["ListEntryMade"]
    # The ids of events that they do not see would let their hashes be guessed.
    assert all("refs" not in message.event for message in telecom.got)
    assert [len(pushing.log(id_)) for id_ in ids] == [2, 1, 1]


def test_what_the_keys_holder_sees_no_more_when_it_is_tried_again_is_withheld(pushing: Pushing) -> None:
    with Receiver(lambda _: status(500)) as receiver:
        id_ = pushing.add(receiver, key="telecom")
        (entry,) = pushing.system.record(listed(uscc=FIRM, entryId="E-10"))
        pushing.deliver()
        pushing.system.record(unlisted(uscc=FIRM, entryId="E-10"))
        pushing.after(hours=1)
        assert receiver.positions == [entry.position]
    assert [each.state for each in pushing.log(id_)] == ["withheld"]


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_webhook_ends_with_its_key(pushing: Pushing, how: str) -> None:
    keys = pushing.system.keys
    _, info = keys.create("auditor", expires_at=pushing.clock() + timedelta(hours=1))
    with Receiver() as receiver:
        pushing.system.callers["passing"] = info.caller
        id_ = pushing.add(receiver, key="passing")
        named(pushing, FIRM)
        pushing.deliver()
        if how == "revoked":
            keys.revoke(info.id)
        named(pushing, FIRM)
        pushing.after(hours=2)
        assert len(receiver.got) == 1
    assert pushing.found(id_).state == "ended"


# Order


def test_events_of_an_enterprise_come_in_order_whatever_fails_and_hold_up_no_other(pushing: Pushing) -> None:
    failures = Counter({FIRM: 3})

    def answer(message: Message) -> Response:
        failures[message.subject] -= 1
        return status(500 if failures[message.subject] >= 0 else 200)

    with Receiver(answer) as receiver:
        id_ = pushing.add(receiver)
        positions = named(pushing, *(FIRM, OTHER, FIRM, THIRD) * 5)
        pushing.deliver()
        firsts = positions[0::2]
        assert receiver.of(FIRM) == [positions[0]]
        assert (receiver.of(OTHER), receiver.of(THIRD)) == (positions[1::4], positions[3::4])
        for _ in range(3):
            pushing.after(minutes=2)
        assert receiver.of(FIRM) == [positions[0]] * 3 + firsts
    assert len({message.id for message in receiver.got if message.position == positions[0]}) == 1
    assert {each.state for each in pushing.log(id_)} == {"delivered"}


def test_events_of_no_enterprise_are_sent_too(pushing: Pushing) -> None:
    with Receiver() as receiver:
        pushing.add(receiver, types=("RulebookAdopted",), after=0)
        pushing.deliver()
        assert receiver.positions == [1, 2, 3, 4]


# What fails


def test_a_failure_is_tried_again_ever_later_and_given_up_after_three_days(pushing: Pushing) -> None:
    with Receiver(lambda _: status(500)) as receiver:
        id_ = pushing.add(receiver)
        positions = named(pushing, FIRM, FIRM)
        began = pushing.clock()
        pushing.deliver()
        tried = [began]
        while pushing.log(id_)[0].state == "waiting":
            due = pushing.log(id_)[0].next_at
            assert due is not None
            pushing.clock.now = due - timedelta(seconds=1)
            pushing.deliver()
            assert len(receiver.got) == len(tried)
            pushing.clock.now = due
            pushing.deliver()
            tried.append(due)
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(tried)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == LONGEST_PAUSE.total_seconds()
    assert tried[-1] - began == timedelta(days=3)
    first, second = pushing.log(id_)
    assert (first.state, first.attempts, first.status, first.result) == ("dead", len(tried), 500, "ANSWERED")
    # Its turn came only now, and its time is over as well.
    assert (second.state, second.attempts) == ("dead", 1)
    assert receiver.positions == [positions[0]] * len(tried) + [positions[1]]
    assert pushing.log(id_, failed=True) == [first, second]
    assert pushing.found(id_).dead == 2


def test_pauses_are_cut_short_by_chance_by_half_at_most() -> None:
    assert pause_after(3, 0.0) * 2 == pause_after(3, 1.0) == timedelta(seconds=20)
    assert pause_after(10_000, 1.0) == LONGEST_PAUSE


@pytest.mark.parametrize("code", [429, 503])
def test_a_receiver_is_let_alone_as_long_as_it_asks(pushing: Pushing, code: int) -> None:
    answers = iter([status(code, **{"retry-after": "600"})])
    with Receiver(lambda _: next(answers, None) or status(200)) as receiver:
        id_ = pushing.add(receiver)
        named(pushing, FIRM)
        pushing.deliver()
        named(pushing, OTHER)
        pushing.after(seconds=599)
        assert len(receiver.got) == 1
        pushing.after(seconds=1)
        assert len(receiver.got) == 3
    assert pushing.results(id_) == ["LATER", "DELIVERED", "DELIVERED"]


def test_one_that_is_gone_is_sent_nothing_more_until_it_is_resumed(pushing: Pushing) -> None:
    answers = iter([status(410)])
    with Receiver(lambda _: next(answers, None) or status(200)) as receiver:
        id_ = pushing.add(receiver)
        first, second = named(pushing, FIRM, FIRM)
        pushing.deliver()
        pushing.after(days=9)
        assert (receiver.positions, pushing.found(id_).state) == ([first], "gone")
        third = named(pushing, FIRM)[0]
        pushing.webhooks.resume(id_)
        pushing.deliver()
        assert receiver.positions == [first, first, second, third]


def test_what_comes_during_a_pause_is_sent_after_it(pushing: Pushing) -> None:
    with Receiver() as receiver:
        id_ = pushing.add(receiver)
        pushing.webhooks.pause(id_)
        positions = named(pushing, FIRM, OTHER)
        pushing.deliver()
        assert receiver.got == []
        pushing.webhooks.resume(id_)
        pushing.deliver()
        assert sorted(receiver.positions) == positions
        pushing.webhooks.remove(id_)
        named(pushing, FIRM)
        pushing.deliver()
        assert len(receiver.got) == 2


def test_a_redirect_is_not_followed(pushing: Pushing) -> None:
    with Receiver() as elsewhere, Receiver(lambda _: RedirectResponse(elsewhere.url, 307)) as receiver:
        id_ = pushing.add(receiver)
        named(pushing, FIRM)
        pushing.deliver()
        assert (len(receiver.got), elsewhere.got) == (1, [])
    assert pushing.results(id_) == ["REDIRECTED"]


def test_an_answer_without_end_costs_its_connection_and_nothing_else(pushing: Pushing) -> None:
    sent = 0

    async def bomb() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100_000
            yield b"x" * 100_000
            await asyncio.sleep(0)

    with Receiver(lambda _: StreamingResponse(bomb())) as receiver:
        id_ = pushing.add(receiver)
        named(pushing, FIRM, OTHER)
        pushing.deliver()
    assert pushing.results(id_) == ["DELIVERED", "DELIVERED"]
    # What the sockets of both ends hold, and no more.
    assert sent < 30_000_000


def test_one_that_does_not_answer_in_time_is_given_up(pushing: Pushing) -> None:
    held = Held()
    with Receiver(lambda _: held.answer()) as receiver:
        id_ = pushing.add(receiver)
        named(pushing, FIRM)
        pushing.deliver(seconds=0.2)
        held.let_go()
        assert len(receiver.got) == 1
    assert pushing.results(id_) == ["TIMED_OUT"]


def test_one_that_is_away_is_asked_with_one_message_at_a_time_and_catches_up_when_it_is_back(pushing: Pushing) -> None:
    away = [True]
    firms = [code(number) for number in range(100, 130)]
    pushing.system.record(*(registered(uscc=each) for each in firms))
    with Receiver(lambda _: status(500 if away[0] else 200)) as receiver:
        id_ = pushing.add(receiver)
        positions = named(pushing, *firms)
        deliverer = pushing.deliverer
        deliverer.start()
        wait_until(lambda: AWAY <= len(pushing.results(id_)) == len(receiver.got))
        begun = len(receiver.got)
        assert begun < AWAY + LIMITS.at_once
        for probe in range(1, 4):
            pushing.clock.now += timedelta(minutes=1)
            wait_until(lambda: len(pushing.results(id_)) >= begun + probe)  # noqa: B023  # it is called at once
            assert len(receiver.got) == begun + probe
        away[0] = False
        pushing.clock.now += timedelta(minutes=1)
        wait_until(lambda: sorted(set(receiver.positions)) == positions)
        wait_until(lambda: {each.state for each in pushing.log(id_)} == {"delivered"})
        deliverer.stop()


# Again


def test_a_delivery_is_sent_again_under_its_id_and_holds_up_nothing(pushing: Pushing) -> None:
    refused = [True]
    with Receiver(lambda _: status(500 if refused[0] else 200)) as receiver:
        id_ = pushing.add(receiver)
        first, second = named(pushing, FIRM, FIRM)
        pushing.deliver()
        pushing.after(days=3)
        assert [each.state for each in pushing.log(id_)] == ["dead", "dead"]
        (again,) = pushing.webhooks.resend(pushing.log(id_)[0].id)
        pushing.deliver()
        assert (again.position, pushing.log(id_)[0].state) == (first, "waiting")
        refused[0] = False
        third = named(pushing, FIRM)[0]
        pushing.deliver()
        assert receiver.positions[-1] == third
        pushing.after(minutes=1)
        assert receiver.positions[-1] == first
        assert len({message.id for message in receiver.got if message.position == first}) == 1
        pushing.webhooks.resend_event(second, None)
        pushing.deliver()
        assert receiver.positions[-1] == second
    assert {each.state for each in pushing.log(id_)} == {"delivered"}


def test_an_event_from_before_a_webhook_is_sent_when_it_is_asked_for(pushing: Pushing) -> None:
    (position,) = named(pushing, FIRM)
    with Receiver() as receiver, Receiver() as other:
        id_ = pushing.add(receiver)
        pushing.add(other)
        pushing.webhooks.resend_event(position, id_)
        pushing.deliver()
        assert (receiver.positions, other.positions) == ([position], [])


# Beside one another


def test_a_receiver_that_hangs_and_one_that_is_away_keep_the_others_from_nothing(pushing: Pushing) -> None:
    held = Held()
    with Receiver(lambda _: held.answer()) as hanging, Receiver() as live:
        first, *_ = [pushing.add(to) for to in (hanging, "http://127.0.0.1:9/away", live)]
        deliverer = pushing.deliverer
        deliverer.start()
        positions = named(pushing, *(FIRM, OTHER) * 20)
        wait_until(lambda: sorted(live.positions) == positions)
        assert hanging.got
        pushing.webhooks.pause(first)
        positions += named(pushing, *(FIRM, OTHER) * 3)
        wait_until(lambda: sorted(live.positions) == positions)
        held.let_go()
        deliverer.stop()


def test_within_a_webhook_an_enterprise_whose_messages_hang_keeps_no_other_from_anything(pushing: Pushing) -> None:
    held = Held()
    with Receiver(lambda message: held.answer() if message.subject == FIRM else status(200)) as receiver:
        pushing.add(receiver)
        deliverer = pushing.deliverer
        deliverer.start()
        positions = named(pushing, *(FIRM, OTHER, FIRM, THIRD) * 5)
        wait_until(lambda: (receiver.of(OTHER), receiver.of(THIRD)) == (positions[1::4], positions[3::4]))
        assert receiver.of(FIRM) == positions[:1]
        held.let_go()
        wait_until(lambda: receiver.of(FIRM) == positions[0::2])
        deliverer.stop()


def test_of_two_processes_one_delivers_and_the_other_takes_over(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caseledger.alone.RETRY_SECONDS", 0.1)
    first, second = pushing.deliverer, pushing.deliverer
    second._seconds = 0.1
    with Receiver() as receiver:
        pushing.add(receiver)
        first.start()
        positions = named(pushing, FIRM)
        wait_until(lambda: receiver.positions == positions)
        second.start()
        positions += named(pushing, *[OTHER, FIRM] * 10)
        wait_until(lambda: sorted(receiver.positions) == positions)
        first.stop()
        positions += named(pushing, *[THIRD, FIRM] * 10)
        wait_until(lambda: sorted(receiver.positions) == positions)
        second.stop()
        assert receiver.of(FIRM) == sorted(receiver.of(FIRM))


def test_appends_are_as_quick_with_receivers_that_are_dead(pushing: Pushing) -> None:
    held = Held()

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(4):
            pushing.system.record(*(renamed(uscc=OTHER, name=f"名{next(numbers)}") for _ in range(25)))
        return time.perf_counter() - began

    without, beside = [], []
    with Receiver(lambda _: held.answer()) as hanging:
        for to in (hanging, "http://127.0.0.1:9/away"):
            pushing.add(to)
        seconds()
        for _ in range(5):
            without.append(seconds())
            deliverer = pushing.deliverer
            deliverer.start()
            wait_until(lambda: all(each.waiting for each in pushing.webhooks.all()))
            beside.append(seconds())
            deliverer.stop()
        held.let_go()
    # The quickest of each: what else the machine does meanwhile is not what is compared.
    assert min(beside) < 3 * min(without)
