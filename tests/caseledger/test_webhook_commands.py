"""`caseledger webhooks`, and servers that deliver: one that was killed loses nothing and repeats under the same id."""

import re
from typing import Final

import psycopg
import pytest
from standardwebhooks.webhooks import Webhook as Verifying
from starlette.responses import Response

from caseledger.settings import Settings
from caseledger.wiring import open_system
from commanding import Ran
from domain.callers import Caller, Role
from given import A, registered, renamed
from ledger.read_log import ReadFilter
from processes import Begin
from receiving import Held, Message, Receiver
from running import wait_until

SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/]{43}=\n")
PUBLIC: Final = "https://1.1.1.1/hook"
"""An address that is public and is never sent to: no server runs here."""


@pytest.fixture
def key(placed: Ran) -> str:
    """The id of a regulator's key."""
    placed("keys", "create", "--role", "regulator", "--authority", "MIIT")
    return placed.out[4:12]


def added(ran: Ran, key: str, *options: str, url: str = PUBLIC) -> str:
    """The id of a new webhook."""
    made = ran.json("webhooks", "add", url, "--key", key, *options)
    assert SECRET.fullmatch(made["secret"] + "\n")
    return str(made["webhook"]["id"])


def record(settings: Settings, *names: str) -> int:
    """Records an enterprise and its names; the head."""
    with open_system(settings) as system:
        caller = Caller(Role.REGULATOR, "test")
        for fact in (registered(), *(renamed(name=each) for each in names)):
            head = system.ledger.record(caller, f"{fact.name} {fact.fields}", [fact]).head
    return head


# The commands


def test_a_webhook_is_listed_without_its_secret_which_is_printed_alone_once(placed: Ran, key: str) -> None:
    options = ("--types", "PenaltyImposed,caseledger.ListEntryMade", "--usccs", A, "--name", "市场监管")
    assert placed("webhooks", "add", PUBLIC, "--key", key, *options) == 0
    secret = placed.out
    assert SECRET.fullmatch(secret)
    assert secret.strip() not in placed.err
    (found,) = placed.json("webhooks", "list")["webhooks"]
    assert found == {
        "id": found["id"], "name": "市场监管", "url": PUBLIC, "key": key, "types": ["ListEntryMade", "PenaltyImposed"],
        "usccs": [A], "state": "active", "createdAt": found["createdAt"], "position": 4, "waiting": 0, "dead": 0,
        "delivered": 0, "deliveredAt": None, "failingSince": None,
    }  # fmt: skip
    assert placed("webhooks", "list") == 0
    assert found["id"] in placed.out
    assert secret.strip() not in placed.out


def test_a_secret_is_kept_sealed_and_survives_a_change_of_the_master_key(
    placed: Ran, key: str, settings: Settings, database: str
) -> None:
    made = placed.json("webhooks", "add", PUBLIC, "--key", key)
    assert placed("rotate-master-key") == 0
    with psycopg.connect(database, options=f"-c search_path={settings.schema}") as conn:
        (sealed,) = conn.execute("SELECT secret FROM webhooks").fetchone() or (b"",)
    with open_system(settings) as system:
        plain = system.sealer.open_secret(sealed, made["webhook"]["id"])
    assert len(plain) == 32
    assert plain not in sealed
    assert Verifying(made["secret"])._whsecret == plain


def test_whom_a_webhook_shows_events_from_now_on_is_in_the_read_log(placed: Ran, key: str, settings: Settings) -> None:
    ids = [added(placed, key), added(placed, key, "--usccs", A)]
    with open_system(settings) as system:
        found = system.read_log.found(ReadFilter(), 10, None)
    assert {(each.reader, each.field, each.operation, each.uscc, each.every) for each in found} == {
        (f"regulator:MIIT:{key}", "Webhook.events", ids[0], None, True),
        (f"regulator:MIIT:{key}", "Webhook.events", ids[1], A, False),
    }


def test_a_webhook_is_paused_resumed_given_another_secret_and_removed(placed: Ran, key: str) -> None:
    id_ = added(placed, key)
    for command, said, state in (
        ("pause", f"The webhook {id_} is paused.", "paused"),
        ("resume", f"The webhook {id_} goes on after position 4; 0 deliveries wait.", "active"),
    ):
        assert placed("webhooks", command, id_) == 0
        assert placed.err == f"{said}\n"
        assert [each["state"] for each in placed.json("webhooks", "list")["webhooks"]] == [state]
    assert placed("webhooks", "rotate", id_) == 0
    assert SECRET.fullmatch(placed.out)
    placed("keys", "revoke", key)
    assert [each["state"] for each in placed.json("webhooks", "list")["webhooks"]] == ["ended"]
    assert placed("webhooks", "resume", id_) == 0
    assert (
        placed.err == f"The webhook {id_} stays ended: its key {key} is good no more; add another under a good key.\n"
    )
    assert placed("webhooks", "remove", id_) == 0
    assert placed("webhooks", "list") == 0
    assert placed.out == "There are no webhooks.\n"


def test_where_nothing_was_sent_the_list_says_so(placed: Ran, key: str) -> None:
    added(placed, key)
    for command in (["deliveries"], ["deliveries", "--failed"], ["deliveries", "--delivery", "msg_0"]):
        assert placed("webhooks", *command) == 0
        assert placed.out.startswith("There are no ")


WRONG: Final = (
    (["add", "https://127.0.0.1/", "--key", "KEY"], "The host “127.0.0.1” leads to this machine, a private network"),
    (["add", "https://2130706433/", "--key", "KEY"], "The host “2130706433” leads to this machine"),
    (["add", "https://[::ffff:10.0.0.1]/", "--key", "KEY"], "The host “::ffff:10.0.0.1” leads to this machine"),
    (["add", "https://localhost/", "--key", "KEY"], "The host “localhost” leads to this machine"),
    (["add", "http://1.1.1.1/", "--key", "KEY"], "A webhook's URL is https; got “http://1.1.1.1/”."),
    (["add", "somewhere", "--key", "KEY"], "A webhook's URL is https://HOST[:PORT]/PATH without a user"),
    (["add", PUBLIC], "Missing option '--key'."),
    (["add", PUBLIC, "--key", "nobodyxx"], "There is no key with the id “nobodyxx”"),
    (["add", PUBLIC, "--key", "KEY", "--types", "Nothing"], "A type is one of EnterpriseRegistered, "),
    (["add", PUBLIC, "--key", "KEY", "--usccs", "123"], "A unified social credit code"),
    (["add", PUBLIC, "--key", "KEY", "--after", "99"], "--after is 0 to 4, the head; got 99"),
    (["add", PUBLIC, "--key", "INTAKE", "--types", "InspectionHeld"], "A key of the role intake sees no InspectionHeld"),
    (["add", PUBLIC, "--key", "REVOKED"], "is revoked or expired; name one that is good"),
    (["pause", "wh_none"], "There is no webhook with the id “wh_none”; `caseledger webhooks list` shows all"),
    (["resend"], "resend takes either DELIVERY or --event POSITION [--webhook ID]."),
    (["resend", "msg_1", "--event", "3"], "resend takes either DELIVERY or --event POSITION [--webhook ID]."),
    (["resend", "msg_1"], "There is no delivery with the id “msg_1”"),
    (["resend", "--event", "3"], "No active webhook was told of the event at position 3; name one by --webhook"),
    (["resend", "--event", "5", "--webhook", "WEBHOOK"], "position is 1 to 4, up to which the webhook is; got 5"),
    (["resend", "--event", "3", "--webhook", "PAUSED"], "is paused; one that is active is sent something again"),
)  # fmt: skip


def test_wrong_usage_is_one_sentence_and_code_2(placed: Ran, key: str) -> None:
    places = {"KEY": key}
    for name, role in (("INTAKE", "intake"), ("REVOKED", "auditor")):
        placed("keys", "create", "--role", role)
        places[name] = placed.out[4:12]
    placed("keys", "revoke", places["REVOKED"])
    places |= {"WEBHOOK": added(placed, key), "PAUSED": added(placed, key)}
    placed("webhooks", "pause", places["PAUSED"])
    for arguments, said in WRONG:
        assert placed("webhooks", *(places.get(each, each) for each in arguments)) == 2, arguments
        assert said in placed.err
        assert placed.err.count("\n") == 1


# With a server


def test_a_server_that_was_killed_loses_nothing_and_repeats_what_was_under_way_under_its_id(
    placed: Ran, key: str, settings: Settings, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASELEDGER_WEBHOOK_ADDRESSES", "any")
    held: list[Message] = []
    answers = Held()

    async def answer(message: Message) -> Response:
        if message.event["type"] == "caseledger.EnterpriseRenamed" and not held:
            held.append(message)
            return await answers.answer()
        return Response(status_code=204)

    with Receiver(answer) as receiver:
        id_ = added(placed, key, url=receiver.url)
        head = record(settings, "甲一", "甲二", "甲三")
        first = begin("serve", "--port", "0", CASELEDGER_WEBHOOK_ADDRESSES="any")
        first.says("listening on")
        wait_until(lambda: held != [])
        first.process.kill()
        first.process.wait()
        answers.let_go()
        second = begin("serve", "--port", "0", CASELEDGER_WEBHOOK_ADDRESSES="any")
        second.says("listening on")
        wait_until(lambda: len(receiver.got) == 5)
        assert receiver.positions == [5, 6, 6, 7, head]
        assert receiver.got[1].id == receiver.got[2].id
        wait_until(lambda: placed.json("webhooks", "list")["webhooks"][0]["delivered"] == 4)
        sent = placed.json("webhooks", "deliveries", "--webhook", id_)["deliveries"]
        assert [(each["position"], each["state"], each["status"], each["result"]) for each in sent] == [
            (position, "delivered", 204, "DELIVERED") for position in (head, 7, 6, 5)
        ]
        assert [each["event"] for each in sent[::-1]] == [
            message.event["id"] for message in receiver.got if message is not receiver.got[1]
        ]
        (attempt,) = placed.json("webhooks", "deliveries", "--delivery", sent[0]["id"])["attempts"]
        assert (attempt["number"], attempt["status"], attempt["result"]) == (1, 204, "DELIVERED")
        assert placed("webhooks", "resend", sent[0]["id"]) == 0
        assert placed.err == f"A running server sends {sent[0]['id']} again.\n"
        wait_until(lambda: receiver.positions[5:] == [head])
        assert receiver.got[5].id == sent[0]["id"]
        assert second.end() == 0
