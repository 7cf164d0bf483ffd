"""An entry as a CloudEvent: what each attribute holds, and that another implementation reads it unchanged."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat

from domain.commands import command
from domain.recorded import Recorded, tags_of
from given import EVERY_EVENT, NOW, A, complained, given, licensed, listed, registered, renamed, voided
from ledger.cloudevents import cloud_event, personal_fields, positions_named

LOG = "caseledger/0123456789ab"


def last(*facts: Any) -> Recorded:
    return given(*facts).history[-1]


def test_a_fact_has_the_attributes_of_the_specification_and_two_extensions_of_its() -> None:
    found = cloud_event(last(registered(), licensed()), LOG)
    data = found.pop("data")
    assert found == {
        "specversion": "1.0",
        "id": "id-2",
        "source": "tag:caseledger,2026:log/caseledger/0123456789ab",
        "type": "caseledger.LicenceGranted",
        "subject": A,
        "time": "2018-01-01T00:00:00+08:00",
        "dataschema": "tag:caseledger,2026:schema/LicenceGranted/1",
        "datacontenttype": "application/json",
        "recordedtime": "2026-06-01T02:00:00.000000Z",
        "sequence": "0000000000000000002",
        "recordedby": "regulator:MIIT:test",
    }
    assert data == {**licensed().fields, "provinces": (), "effectiveOn": "2018-01-01", "historical": True}


def test_a_fact_of_no_enterprise_has_no_subject() -> None:
    assert "subject" not in cloud_event(last(complained()), LOG)


@pytest.mark.parametrize(
    ("event", "withheld"),
    [
        (registered(legalRepresentative="张三"), "legalRepresentative"),
        (complained(summary="催收", complainantPhone="13800000000"), "complainantPhone,summary"),
        (complained(), None),
    ],
)
def test_personal_fields_are_named_and_never_given(event: Any, withheld: str | None) -> None:
    recorded = last(event)
    found = cloud_event(recorded, LOG)
    assert found.get("withheld") == withheld
    assert found["data"].keys() & personal_fields(type(recorded.event)) == set()
    assert not re.search("张三|催收|13800000000", json.dumps(found, ensure_ascii=False))


def test_positions_are_told_with_the_ids_of_what_is_there() -> None:
    facts = registered(), licensed(), renamed("2019-01-01"), listed("2020-01-01", basis=[2, 3])
    entry, void = last(*facts), last(*facts, voided(4))
    assert (positions_named(entry.event), positions_named(void.event)) == ((2, 3), (4,))
    assert cloud_event(entry, LOG, {2: "two", 3: "three", 4: "four"})["refs"] == "2=two 3=three"
    assert cloud_event(void, LOG, {4: "four"})["refs"] == "4=four"
    assert "refs" not in cloud_event(void, LOG)
    assert void.uscc == A
    assert cloud_event(void, LOG)["data"] == {
        "position": 4, "reason": "误录", "type": "ListEntryMade", "uscc": A, "effectiveOn": "2026-06-01",
    }  # fmt: skip


def test_sequences_order_as_text_like_positions() -> None:
    history = given(registered(), *(renamed(f"2020-01-{day:02}") for day in range(1, 13))).history
    sequences = [cloud_event(each, LOG)["sequence"] for each in history]
    assert sequences == sorted(sequences)
    assert [int(each) for each in sequences] == list(range(1, 14))


def test_a_log_name_of_any_characters_gives_a_uri() -> None:
    found = cloud_event(last(registered()), "台账 测试/1?x#y")["source"]
    assert re.fullmatch(r"tag:caseledger,2026:log/[A-Za-z0-9/%._~-]+", found)


@pytest.mark.parametrize("name", EVERY_EVENT)
def test_every_fact_is_read_by_another_implementation_unchanged(name: str) -> None:
    made, _ = command(*EVERY_EVENT[name], NOW)
    assert made
    tags = tags_of(made.event)
    recorded = Recorded(7, "id-7", type(made.event).__name__, made.effective_on, NOW, "x", False, tags, made.event)
    ids = dict.fromkeys(positions_named(recorded.event), "an-id")
    ours = json.loads(json.dumps(cloud_event(recorded, LOG, ids)))
    format_ = JSONFormat()
    read = format_.read(None, json.dumps(ours))
    assert read.get_data() == ours["data"]
    assert {**read.get_attributes(), "time": ours["time"]} == {k: v for k, v in ours.items() if k != "data"}
    assert read.get_time() == datetime.fromisoformat(ours["time"])
    assert json.loads(format_.write(read)) == ours


def test_the_page_of_formats_tells_every_attribute_and_no_other() -> None:
    facts = registered(), licensed(), listed("2020-01-01", basis=[2]), complained(summary="催收")
    events = [cloud_event(each, LOG, {2: "an-id"}) for each in given(*facts).history]
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z]+)` \|", page.split("## CloudEvents")[1].split("\n## ")[0], re.MULTILINE)
    assert sorted(told) == sorted({name for event in events for name in event})
