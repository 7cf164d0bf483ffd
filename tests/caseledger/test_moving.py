"""What is exported from one ledger and imported into another: the same facts, and the same answers."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from cloudevents.core.formats.json import JSONFormat

from caseledger.demo import fill
from caseledger.demo_firms import FIRMS
from caseledger.serving import graphql_app
from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, catch_up, open_system
from commanding import Ran
from given import A, B, Stated, complained, interviewed, licensed, listed, registered, renamed, voided
from ledger.cloudevents import stated
from ledger.entry import opened
from ledger.imports import IMPORTER
from ledger.restating import field_of, positions_stated
from running import ADOPTED, Server, fresh

ASKED = "query ($usccs: [USCC!]!, $on: Date!) { creditStatuses(usccs: $usccs, asOf: $on) { uscc status timeline { from status } } }"
DAYS = [date(2019, 1, 1) + timedelta(days=130 * step) for step in range(21)]


@pytest.fixture
def others(database: str, tmp_path: Path) -> Iterator[list[Settings]]:
    """Two other ledgers, empty but for their rulebooks."""
    with fresh(database, MIGRATIONS) as one, fresh(database, MIGRATIONS) as two:
        yield [
            Settings(home=tmp_path / f"home of {schema}", database_url=database, schema=schema) for schema in (one, two)
        ]


@pytest.fixture
def other(others: list[Settings]) -> Settings:
    return others[0]


@pytest.fixture
def into(placed: Ran, other: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on another ledger, the first if none is named, and gives its summary."""

    def run(*arguments: str, code: int = 0, ledger: Settings = other) -> Any:
        with monkeypatch.context() as patch:
            patch.setenv("CASELEDGER_SCHEMA", ledger.schema)
            patch.setenv("CASELEDGER_HOME", str(ledger.home))
            assert placed(*arguments, "--json") == code, placed.err
            return json.loads(placed.out)

    return run


def record(settings: Settings, *facts: Stated) -> int:
    """Records facts of which some name positions; gives the position of the first."""
    with open_system(settings) as system:
        made = system.ledger.record(IMPORTER, "facts", list(facts))
        assert made.refusals == (), made.refusals
        return made.events[0].position


def answers(settings: Settings, usccs: list[str]) -> list[Any]:
    """What is asked of the credit of enterprises, on days of some years."""
    with open_system(settings) as system:
        catch_up(system)
        key, _ = system.keys.create("regulator", authority="MIIT")
        headers = {"Authorization": f"Bearer {key}"}
        with Server(graphql_app(system)) as server, httpx.Client(base_url=server.url, headers=headers) as http:
            asked = ({"query": ASKED, "variables": {"usccs": usccs, "on": str(on)}} for on in DAYS)
            found = [http.post("/graphql", json=each).json() for each in asked]
    assert [each for each in found if "errors" in each] == []
    return [each["data"] for each in found]


def test_another_ledger_answers_the_same_about_credit(
    placed: Ran, into: Any, settings: Settings, others: list[Settings]
) -> None:
    with open_system(settings) as system:
        fill(system)
    usccs = [firm.code for firm in FIRMS]
    expected = answers(settings, usccs)
    for name, ledger in zip(("jsonl", "cloudevents"), others, strict=True):
        assert placed("export", "--format", name, "--out", name) == 0, placed.err
        found = into("import", name, ledger=ledger)
        assert (found["rejected"], found["recorded"] >= 300) == (0, True)
        assert answers(ledger, usccs) == expected
        again = into("import", name, ledger=ledger)
        assert (again["recorded"], again["replayed"], again["passed"]) == (0, found["recorded"], found["passed"])
    assert_another_implementation_reads_them_unchanged(Path("cloudevents"))


def assert_another_implementation_reads_them_unchanged(file: Path) -> None:
    format_ = JSONFormat()
    for position, line in enumerate(file.read_bytes().splitlines(), start=1):
        ours, read = json.loads(line), format_.read(None, line)
        assert int(read.get_extension("sequence")) == position
        assert json.loads(format_.write(read)) == ours
        assert read.get_data() == ours["data"]


def a_ledger_with_voids(settings: Settings) -> None:
    """Entries that rest on positions, a void in the same request and one later, and personal data."""
    with open_system(settings) as system:
        first = system.ledger.recorder.head() + 1
        facts = (
            registered(legalRepresentative="张三"), licensed(), interviewed("2020-01-05"), renamed("2020-01-06"),
            listed("2020-02-01", basis=[first + 2, first + 3]), voided(first + 3, on="2020-02-02"),
            complained(complainantPhone="13800000000", summary="催收"),
        )  # fmt: skip
        assert system.ledger.record(IMPORTER, "1", list(facts)).refusals == ()
        later = (interviewed("2020-03-01", caseId="C-9"), voided(first + 6, on="2020-03-02"))
        assert system.ledger.record(IMPORTER, "2", list(later)).refusals == ()


def kept(settings: Settings) -> list[Any]:
    """What a ledger holds beside its rulebook, positions told from its first own fact."""
    with open_system(settings) as system:
        found = [
            opened(each.event.data) for each in system.ledger.recorder.read(after=len(system.ledger.rulebook.versions))
        ]
    first = found[0].position
    return [(each.position - first, each.type, each.effective_on, each.historical, stated(each)) for each in found]


def test_voids_and_what_entries_rest_on_are_found_under_their_positions_here(
    placed: Ran, into: Any, settings: Settings, other: Settings
) -> None:
    a_ledger_with_voids(settings)
    record(other, registered(uscc=B), interviewed(uscc=B))  # so that positions differ
    assert placed("export", "--format", "cloudevents", "--out", "out") == 0
    dry = into("import", "out", "--dry-run")
    found = into("import", "out")
    assert (found["recorded"], found["rejected"], found["passed"]) == (9, 0, ADOPTED)
    assert {**dry, "seconds": 0, "dryRun": False} == {**found, "seconds": 0}
    there, here = kept(settings), kept(other)[2:]
    assert [each[1:4] for each in here] == [each[1:4] for each in there]
    assert [positions_stated(field_of(each[1]), each[4]) for each in here] == [
        [position + 2 for position in positions_stated(field_of(each[1]), each[4])] for each in there
    ]
    text = Path("out").read_text()
    assert not any(secret in text for secret in ("张三", "13800000000", "催收", "sealed:"))


def test_an_export_in_parts_goes_in_as_a_whole_does(placed: Ran, into: Any, settings: Settings) -> None:
    a_ledger_with_voids(settings)
    for after, upto in ((0, 9), (9, 12), (12, 13)):
        name = f"part{upto}"
        assert (
            placed("export", "--format", "cloudevents", "--out", name, "--after", f"{after}", "--upto", f"{upto}") == 0
        )
    assert into("import", "part13", code=1)["rejected"] == 1
    (rejected,) = map(json.loads, Path("part13.rejected.jsonl").read_text().splitlines())
    assert (rejected["code"], rejected["line"]) == ("NOT_FOUND", 1)
    assert "was not imported here: import that first" in rejected["reason"]
    assert [into("import", part)["recorded"] for part in ("part9", "part12", "part13")] == [5, 3, 1]


def test_what_cannot_go_without_its_ledger_is_left_out_of_plain_facts_and_counted(
    placed: Ran, into: Any, settings: Settings
) -> None:
    a_ledger_with_voids(settings)
    found = placed.json("export", "--format", "jsonl", "--out", "out")
    assert (found["facts"], found["ofTheLedger"], found["voided"], found["voids"]) == (5, ADOPTED, 2, 2)
    facts = [json.loads(line) for line in Path("out").read_text().splitlines()]
    assert [next(iter(fact)) for fact in facts] == [
        "enterpriseRegistered", "licenceGranted", "interviewHeld", "listEntryMade", "interviewHeld",
    ]  # fmt: skip
    assert "basis" not in facts[3]["listEntryMade"]
    assert facts[0]["enterpriseRegistered"] == {"uscc": A, "name": ANY, "province": ANY, "effectiveOn": "2017-01-01"}
    assert into("import", "out")["recorded"] == 5


def test_a_ledger_does_not_take_its_own_events_again(placed: Ran, settings: Settings) -> None:
    record(settings, registered(), interviewed())
    assert placed("export", "--format", "cloudevents", "--out", "out") == 0
    assert placed("import", "out", "--json") == 1
    assert json.loads(placed.out)["rejected"] == ADOPTED + 2
    rejected = json.loads(Path("out.rejected.jsonl").read_text().splitlines()[0])
    assert (rejected["field"], rejected["reason"][:30]) == ("source", "This event is of this very led")


def test_an_event_goes_in_once_by_source_and_id_wherever_it_comes_again(placed: Ran) -> None:
    def event(id_: str, source: str = "/intake", name: str = "某公司") -> str:
        said = {"specversion": "1.0", "id": id_, "source": source, "type": "caseledger.EnterpriseRenamed"}
        return json.dumps({**said, "time": "2020-01-01T23:30:00Z", "data": {"uscc": A, "name": name}}) + "\n"

    data = {"uscc": A, "name": "某公司", "province": "11", "effectiveOn": "2019-01-01"}
    first = {
        "specversion": "1.0",
        "id": "0",
        "source": "/intake",
        "type": "caseledger.EnterpriseRegistered",
        "data": data,
    }
    Path("in").write_text(json.dumps(first) + "\n" + event("1") + event("1", name="另一名") + event("1", "/other"))
    found = placed.json("import", "in")
    assert (found["recorded"], found["replayed"], found["rejected"]) == (3, 1, 0)
    Path("more").write_text(event("2") + event("1"))
    assert placed.json("import", "more")["recorded"] == 1
    assert placed("export", "--format", "jsonl", "--out", "out") == 0
    assert [json.loads(line).keys() for line in Path("out").read_text().splitlines()] == [
        {"enterpriseRegistered"}, *[{"enterpriseRenamed"}] * 3,
    ]  # fmt: skip
