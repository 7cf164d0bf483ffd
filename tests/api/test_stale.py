"""STALE: a query about an enterprise that stands still says so, with position and why; lists say which rows stand still."""

from collections.abc import Iterator

import pytest

from given import filed, registered, renamed
from ledger.streams import Streams
from running import System, code
from tampering import spoil_entry

ABOUT = {
    "enterprise": "{ enterprise(uscc: %s) { name } }",
    "node": "{ node(id: %s) { id } }",
    "creditStatus": "{ creditStatus(uscc: %s) { status } }",
    "creditStatuses": "{ creditStatuses(usccs: [%s]) { status } }",
    "obligations": "{ obligations(uscc: %s) { totalCount } }",
    "findings": "{ findings(uscc: %s) { totalCount } }",
    "penalties": "{ penalties(uscc: %s) { totalCount } }",
    "decisions": "{ decisions(uscc: %s) { totalCount } }",
    "events": "{ ledger { events(uscc: %s) { position } } }",
    "previewGate": '{ previewGate(request: {cooperation: {uscc: %s, carrier: "CHINA_TELECOM"}}) { outcome } }',
}
LIST = "{ enterprises { totalCount edges { node { uscc } } } }"


@pytest.fixture(scope="module")
def parked(shared: System) -> Iterator[System]:
    """A system in which the enterprise 2 stands still at position 7."""
    shared.known(*(registered(uscc=code(n)) for n in (1, 2, 3)))
    with shared.pool.connection() as database:
        database.execute("INSERT INTO parked VALUES ('register', %s, 7, 'EnterpriseRenamed', 'LookupError')", [code(2)])
    yield shared


def asked(query: str, name: str, n: int) -> str:
    return query % (f'"enterprise-{code(n)}"' if name == "node" else f'"{code(n)}"')


@pytest.mark.parametrize(("name", "query"), ABOUT.items(), ids=ABOUT.keys())
def test_a_question_about_a_parked_enterprise_is_stale_and_about_others_is_answered(
    parked: System, name: str, query: str
) -> None:
    (error,) = parked.post(asked(query, name, 2)).json()["errors"]
    assert error["extensions"] == {"code": "STALE", "position": 7}
    assert error["message"] == (
        f"The enterprise {code(2)} stands before position 7: the EnterpriseRenamed at position 7 cannot be applied to the "
        "read model register (LookupError); it goes on after a fix and a rebuild"
    )
    (error,) = parked.post(asked(query, name, 2), language="zh").json()["errors"]
    assert error["message"].startswith(f"企业 {code(2)} 停在位置 7 之前：")
    assert parked.ask(asked(query, name, 1))


def test_a_list_leaves_the_rows_and_says_which_stand_still(parked: System) -> None:
    answer = parked.post(LIST).json()
    assert "errors" not in answer
    assert len(answer["data"]["enterprises"]["edges"]) == 3
    assert answer["extensions"]["stale"] == {"count": 1, "first": [{"uscc": code(2), "position": 7}]}
    assert "stale" not in parked.post(asked(ABOUT["enterprise"], "enterprise", 1)).json()["extensions"]


def test_who_may_not_see_an_enterprise_or_its_events_is_not_told_of_them(parked: System) -> None:
    answer = parked.post("{ listEntries { totalCount } }", key=None).json()
    assert answer["extensions"]["stale"] == {"count": 1, "first": []}
    for key, query in [(None, ABOUT["penalties"]), ("intake", ABOUT["penalties"]), ("telecom", ABOUT["creditStatus"])]:
        (error,) = parked.post(asked(query, "", 2), key=key).json()["errors"]
        assert error["extensions"] == {"code": "STALE"}
        assert error["message"] == (
            f"The enterprise {code(2)} is not answered for now; it is after a fix and a rebuild"
        )
    assert parked.post(LIST, key="telecom").json()["extensions"]["stale"]["first"][0]["uscc"] == code(2)


def test_a_field_of_a_parked_enterprise_in_a_list_is_stale(parked: System) -> None:
    query = "{ enterprises { edges { node { history { totalCount } } } } }"
    assert parked.codes(query) == ["STALE"]


def test_a_stopped_read_model_is_stale_and_the_others_answer(system: System) -> None:
    system.known(registered())
    system.runner.stop()
    with system.pool.connection() as database:
        database.execute(
            "UPDATE projections SET position = 0, stopped_at = 1, event_type = 'RulebookAdopted', fault = 'KeyError'"
            " WHERE name = 'history'"
        )
    ((found, message),) = system.errors("{ ledger { events { position } } }")
    assert (found, message.partition(":")[0]) == ("STALE", "The read model history stands before position 1")
    assert system.ask(LIST)["enterprises"]["totalCount"] == 1


def test_an_entry_that_cannot_be_read_is_stale_until_it_can(system: System, database: str) -> None:
    system.known(registered(uscc=code(1)))
    system.runner.stop()
    at = system.record(registered(uscc=code(2)))[0].position
    spoil_entry(database, system.schema, at)
    # Who recorded it has it in memory as it was weighed; who begins reads it.
    system.ledger.streams = Streams(system.recorder)
    query = "{ creditStatus(uscc: %s) { status } }"
    (error,) = system.post(asked(query, "", 2)).json()["errors"]
    assert error["extensions"] == {"code": "STALE", "position": at}
    assert error["message"].startswith(f"The entry at position {at} cannot be read (DecodeError); ")
    system.runner.catch_up()
    assert system.codes(asked(query, "", 2)) == ["STALE"]
    assert system.ask(asked(query, "", 1))
    assert system.ask(LIST)["enterprises"]["edges"] == [{"node": {"uscc": code(1)}}]


def test_nothing_is_recorded_about_an_enterprise_whose_entry_cannot_be_read(system: System, database: str) -> None:
    at = system.known(registered())[0].position
    spoil_entry(database, system.schema, at)
    system.ledger.streams = Streams(system.recorder)
    head = system.head
    sent = {"input": {"idempotencyKey": "one", "facts": [{fact.name: fact.fields} for fact in (renamed(), filed())]}}
    query = "mutation($input: RecordInput!) { record(input: $input) { head } }"
    assert system.codes(query, sent) == ["STALE"]
    assert system.head == head
