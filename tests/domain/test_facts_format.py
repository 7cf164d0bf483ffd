"""Facts as bytes: everything that the rules read, and nothing personal."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import domain
from domain import facts_format
from domain.events import EVENTS, Event
from domain.facts import Fact, Facts
from domain.facts_format import dumped, facts_version, loaded
from domain.shape import fields_of, parse
from given import EVERY_EVENT, A, d, given, interviewed, registered, renamed, voided

DOMAIN = Path(domain.__file__).parent
PERSONAL = {
    name: [field for field in fields_of(cls) if field.personal]
    for name, cls in EVENTS.items()
    if any(field.personal for field in fields_of(cls))
}


def every_event() -> list[Event]:
    made = []
    for name, fact in EVERY_EVENT.items():
        cls = EVENTS[name[0].upper() + name[1:]]
        own = {field.sent_as for field in fields_of(cls)}
        event, flaws = parse(cls, {field: value for field, value in fact.fields.items() if field in own})
        assert event, flaws
        made.append(event)
    return made


def facts_of(*events: Event) -> Facts:
    facts = Facts()
    for position, event in enumerate(events, 1):
        facts.add(Fact(d("2020-01-01"), position, event, A, position % 2 == 0, 99 if position % 3 == 0 else None))
    facts.position = len(events) + 7
    return facts


def shown(facts: Facts) -> list[dict[str, Any]]:
    """Every fact without its personal fields."""
    hidden = {name: {field.name for field in fields} for name, fields in PERSONAL.items()}
    return [
        {
            **fact._asdict(),
            "event": (
                type(fact.event),
                {
                    field: getattr(fact.event, field)
                    for field in fact.event.__struct_fields__
                    if field not in hidden.get(type(fact.event).__name__, ())
                },
            ),
        }
        for fact in facts.all()
    ]


def test_every_event_comes_back_as_it_went() -> None:
    facts = facts_of(*every_event())
    back = loaded(dumped(facts))
    assert back.size == len(EVERY_EVENT)
    assert shown(back) == shown(facts)
    assert (back.position, back.size) == (facts.position, facts.size)


def test_what_comes_back_can_be_folded_on() -> None:
    book = given(registered(), renamed("2019-01-01"), interviewed("2020-01-01"))
    back = loaded(dumped(book.enterprise()))
    book.add(voided(2))
    back.evolve(book.history[-1])
    assert shown(back) == shown(book.enterprise())
    assert back.position == 4


def test_no_facts_are_facts_too() -> None:
    back = loaded(dumped(Facts()))
    assert (back.position, back.size) == (0, 0)


def test_personal_fields_are_left_out_of_the_bytes() -> None:
    events = [event for event in every_event() if type(event).__name__ in PERSONAL]
    said = [getattr(event, field.name) for event in events for field in PERSONAL[type(event).__name__]]
    assert sorted(PERSONAL) == ["ComplaintReceived", "EnterpriseRegistered"]
    assert said == ["张三", "13800001111", "推销贷款"]
    data = dumped(facts_of(*events))
    assert [text for text in said if text.encode() in data] == []
    for fact in loaded(data).all():
        assert [getattr(fact.event, field.name) for field in PERSONAL[type(fact.event).__name__]] in (
            [None],
            [None, None],
        )


def test_every_personal_field_may_be_missing() -> None:
    assert [field.sent_as for fields in PERSONAL.values() for field in fields if field.required] == []


def test_nothing_in_the_domain_reads_a_personal_field_but_to_tell_whose_it_is() -> None:
    names = {field.name for fields in PERSONAL.values() for field in fields}
    read = [
        f"{path.name}:{node.lineno} {node.attr}"
        for path in DOMAIN.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if path.name != "subjects.py" and isinstance(node, ast.Attribute) and node.attr in names
    ]
    assert read == []


def test_the_version_is_the_same_in_every_process() -> None:
    program = "from domain.facts_format import facts_version; print(facts_version())"
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(DOMAIN.parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert said == {facts_version()}


def test_the_version_follows_from_what_events_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = facts_version()
    monkeypatch.delitem(EVENTS, "EnterpriseRenamed")
    assert facts_version() != before


def test_the_version_follows_from_which_fields_are_personal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = facts_version()
    monkeypatch.setattr(facts_format, "_personal", lambda cls: {})
    assert facts_version() != before
