import gzip
import io
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from caseledger import import_command
from caseledger.errors import ImportStopped, Unreadable
from caseledger.import_command import import_file
from caseledger.importing import Importer, Rejected
from caseledger.json_lines import items_of
from caseledger.lines import Line
from caseledger.settings import Settings
from caseledger.wiring import System
from domain.callers import Caller
from domain.commands import Code, refusal
from domain.events import InterviewHeld
from domain.recorded import Recorded
from given import A, B, Stated, interviewed, licensed, punished, registered, renamed, site_inspected
from ledger.entry import canonical, data_of, opened
from ledger.imports import IMPORTER, ImportedLines
from ledger.ledger import Ledger, Recording
from ledger.recorder import PostgresRecorder
from ledger.sealing import Discarding
from memory import MemoryRecorder

ADOPTED = 4
REAL = Path(__file__).parents[3] / "shared" / "data" / "real_enforcement_2k.jsonl.gz"
needs_real = pytest.mark.skipif(not REAL.exists(), reason=f"the real histories are not at {REAL}")


def line(fact: Stated) -> str:
    return json.dumps({fact.name: fact.fields}, ensure_ascii=False)


def write(path: Path, facts: Iterable[Stated | str]) -> str:
    path.write_text("".join(f"{fact if isinstance(fact, str) else line(fact)}\n" for fact in facts), encoding="utf-8")
    return str(path)


def events(system: System, tag: str | None = None) -> list[Recorded]:
    """What is recorded besides the rulebook, in order."""
    query = DCBQuery(items=[DCBQueryItem(tags=[tag])]) if tag else None
    return [opened(found.event.data) for found in system.ledger.recorder.read(query, after=ADOPTED)]


def rejected(path: Path) -> list[dict[str, Any]]:
    file = Path(f"{path}.rejected.jsonl")
    return [json.loads(row) for row in file.read_text().splitlines()] if file.exists() else []


class Run:
    """Imports as the command does, and gives the summary that it prints."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self._settings = settings
        self._capsys = capsys

    def __call__(self, name: str | Path, *, historical: bool = True, dry_run: bool = False) -> tuple[int, int, int]:
        whole = import_file(self._settings, str(name), historical=historical, dry_run=dry_run, machine=True)
        found = json.loads(self._capsys.readouterr().out)
        assert whole is (found["rejected"] == 0)
        assert found["dryRun"] is dry_run
        return found["recorded"], found["replayed"], found["rejected"]


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(settings, capsys)


# The real histories


@needs_real
def test_the_real_histories_go_in_whole_and_once(system: System, run: Run, tmp_path: Path) -> None:
    shutil.copy(REAL, tmp_path)
    file = tmp_path / REAL.name
    with gzip.open(REAL, "rt", encoding="utf-8") as lines:
        stated = [next(iter(json.loads(row).items())) for row in lines]
    assert len(stated) == 10_987
    assert run(file) == (10_987, 0, 0)
    assert rejected(file) == []
    recorded = events(system)
    assert Counter(event.type for event in recorded) == Counter(name[0].upper() + name[1:] for name, _ in stated)
    for code in sorted({fields["uscc"] for _, fields in stated})[::200]:
        of_the_file = [(name, fields) for name, fields in stated if fields["uscc"] == code]
        assert [as_stated(event) for event in events(system, f"enterprise:{code}")] == of_the_file
    assert run(file) == (0, 10_987, 0)
    assert len(events(system)) == 10_987


def as_stated(event: Recorded) -> tuple[str, dict[str, Any]]:
    """An event as the line of a file that states it."""
    data = json.loads(canonical(data_of(event.event)))
    fields = {name: value for name, value in data.items() if not (name == "basis" and value == [])}
    fields["effectiveOn"] = event.effective_on.isoformat()
    return event.type[0].lower() + event.type[1:], fields | ({"historical": True} if event.historical else {})


def cases(system: System) -> list[str]:
    return [event.event.case_id for event in events(system) if isinstance(event.event, InterviewHeld)]


@needs_real
@pytest.mark.parametrize("events_before", [1, 3_000])
def test_an_import_that_was_killed_goes_on_where_it_was(
    system: System, run: Run, environment: dict[str, str], tmp_path: Path, events_before: int
) -> None:
    shutil.copy(REAL, tmp_path)
    command = [sys.executable, "-m", "caseledger.main", "import", "--historical", str(tmp_path / REAL.name)]
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while len_of(system) < events_before:
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    recorded, replayed, wrong = run(tmp_path / REAL.name)
    assert replayed >= events_before
    assert (recorded + replayed, wrong) == (10_987, 0)
    assert len_of(system) == 10_987


def len_of(system: System) -> int:
    return system.ledger.recorder.head() - ADOPTED


# What is in already


def test_a_file_that_has_grown_adds_what_is_new(system: System, run: Run, tmp_path: Path) -> None:
    facts = [registered(), *(interviewed(caseId=str(case)) for case in range(1_500))]
    assert run(write(tmp_path / "a.jsonl", facts[:1_203])) == (1_203, 0, 0)
    assert run(write(tmp_path / "a.jsonl", facts)) == (298, 1_203, 0)
    assert cases(system) == [str(case) for case in range(1_500)]


def test_a_row_that_was_put_right_is_the_only_one_added(system: System, run: Run, tmp_path: Path) -> None:
    rows = [interviewed(caseId=str(case)) for case in range(30)]
    wrong = interviewed(caseId="11", authority="CA-99")
    file = write(tmp_path / "a.jsonl", [registered(), *rows[:11], wrong, *rows[12:]])
    assert run(file) == (30, 0, 1)
    write(tmp_path / "a.jsonl", [registered(), *rows])
    assert run(file) == (1, 30, 0)
    assert rejected(tmp_path / "a.jsonl") == []
    assert cases(system)[-1] == "11"


def test_a_line_is_the_same_whatever_its_blanks_and_order(system: System, run: Run, tmp_path: Path) -> None:
    assert run(write(tmp_path / "a.jsonl", [registered(), renamed()])) == (2, 0, 0)
    fact = registered()
    turned = json.dumps({fact.name: dict(reversed(fact.fields.items()))}, indent=None, separators=(" , ", " : "))
    assert run(write(tmp_path / "b.jsonl", [turned, "", "  ", f"\t{line(renamed())}\r"])) == (0, 2, 0)


def test_a_content_that_comes_twice_goes_in_twice_and_no_third_time(system: System, run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [registered(), site_inspected("2020-01-01"), site_inspected("2020-01-01")])
    assert run(file) == (3, 0, 0)
    assert run(file) == (0, 3, 0)
    assert [event.type for event in events(system)] == ["EnterpriseRegistered", "SiteInspected", "SiteInspected"]


def test_a_line_is_in_whether_it_was_imported_as_historical_or_not(system: System, run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [registered(), historically(False), historically(None)])
    assert run(file, historical=True) == (2, 0, 1)
    assert run(file, historical=False) == (0, 2, 1)


def test_two_imports_of_one_file_at_once_add_its_lines_once(
    settings: Settings, system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "a.jsonl", [registered(), *(interviewed(caseId=str(case)) for case in range(2_000))])
    both = [
        Thread(
            target=import_file, args=(settings, file), kwargs={"historical": True, "dry_run": False, "machine": True}
        )
        for _ in range(2)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
    found = [json.loads(summary) for summary in capsys.readouterr().out.splitlines()]
    assert sorted(each["recorded"] for each in found) == [0, 2_001]
    assert len_of(system) == 2_001


def test_what_was_imported_can_be_read_when_the_import_ends(
    system: System, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(write(tmp_path / "a.jsonl", [registered()])) == (1, 0, 0)
    assert system.runner.position() == system.ledger.recorder.head()
    # Beside one that is large, a process follows.
    monkeypatch.setattr(import_command, "MUCH", 1)
    assert run(write(tmp_path / "b.jsonl", [renamed()])) == (1, 0, 0)
    assert system.runner.position() == system.ledger.recorder.head()


def test_a_rehearsal_leaves_the_read_models_where_they_are(system: System, run: Run, tmp_path: Path) -> None:
    reached = system.runner.position()
    assert run(write(tmp_path / "a.jsonl", [registered()]), dry_run=True) == (1, 0, 0)
    assert system.runner.position() == reached


# Bad rows


def historically(said: bool | None) -> Stated:
    """A licence without a decision, which says that it is historical, that it is not, or neither."""
    fact = licensed(licenceNo=str(said))
    fields = {name: value for name, value in fact.fields.items() if name != "historical"}
    return Stated(fact.name, fields if said is None else {**fields, "historical": said})


def test_a_bad_row_is_reported_with_line_field_and_reason_and_the_rest_goes_in(
    system: System, run: Run, tmp_path: Path
) -> None:
    rows: list[Stated | str] = [
        registered(),
        '{"enterpriseRegistered": {"uscc": ',
        registered(uscc="9111000000000001", province="99"),
        "",
        '{"enterpriseVanished": {}}',
        line(renamed(uscc=B)),
        '{"enterpriseRenamed": 5}',
        '{"": {}}',
        json.dumps({"enterpriseRenamed": {}, "annualReportFiled": {}}),
        "[1, 2]",
        renamed(name="新"),
        b'{"enterpriseRenamed": {"name": "\xff"}}'.decode("latin-1"),
        punished(documentNo="1", fine="-5"),
    ]
    file = tmp_path / "a.jsonl"
    assert run(write(file, rows)) == (2, 0, 10)
    assert [(each["line"], each["code"], each["field"]) for each in rejected(file)] == [
        (2, "INVALID", ""),
        (3, "INVALID", "enterpriseRegistered.uscc"),
        (5, "INVALID", "enterpriseVanished"),
        (6, "UNKNOWN_ENTERPRISE", "enterpriseRenamed.uscc"),
        (7, "INVALID", "enterpriseRenamed"),
        (8, "INVALID", ""),
        (9, "INVALID", ""),
        (10, "INVALID", ""),
        (12, "INVALID", "enterpriseRenamed.uscc"),
        (13, "INVALID", "penaltyImposed.fine"),
    ]
    second = rejected(file)[1]
    assert second["reason"].startswith("A unified social credit code has 18 characters; got 16")
    assert second["reasonZh"].startswith("统一社会信用代码应为 18 位")
    assert [each["field"] for each in second["others"]] == ["enterpriseRegistered.province"]
    assert second["sent"] == {"enterpriseRegistered": registered(uscc="9111000000000001", province="99").fields}
    assert "not JSON" in rejected(file)[0]["reason"]
    assert rejected(file)[0]["sent"] == '{"enterpriseRegistered": {"uscc":'
    assert [event.type for event in events(system)] == ["EnterpriseRegistered", "EnterpriseRenamed"]
    assert Path(f"{file}.rejected.jsonl").stat().st_mode & 0o077 == 0


def test_only_a_fact_that_says_neither_is_made_historical(system: System, run: Run, tmp_path: Path) -> None:
    decided = historically(None)
    named = Stated(decided.name, {**decided.fields, "licenceNo": "D", "decisionId": "decision-none"})
    rows = [registered(), historically(True), historically(False), historically(None), named]
    assert run(write(tmp_path / "a.jsonl", rows)) == (3, 0, 2)
    assert [each["field"] for each in rejected(tmp_path / "a.jsonl")] == ["licenceGranted.decisionId"] * 2
    assert [each["code"] for each in rejected(tmp_path / "a.jsonl")] == ["DECISION_REQUIRED", "NOT_FOUND"]
    assert [event.historical for event in events(system)] == [False, True, True]


def test_without_historical_a_fact_of_the_past_needs_its_decision(system: System, run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [registered(), historically(None)])
    assert run(file, historical=False) == (1, 0, 1)
    assert rejected(tmp_path / "a.jsonl")[0]["code"] == "DECISION_REQUIRED"


def test_what_goes_in_is_what_recording_each_row_by_itself_records(system: System, run: Run, tmp_path: Path) -> None:
    chance = random.Random(7)
    rows = [chance.choice(CHOICES)(chance) for _ in range(400)]
    alone = Ledger(cast(PostgresRecorder, MemoryRecorder()), Discarding())
    refused = []
    for number, row in enumerate(rows, start=1):
        if refusals := alone.record(IMPORTER, str(number), [row]).refusals:
            refused.append((number, refusals[0].code, refusals[0].path.removeprefix("facts.0.")))
    assert 100 < len(refused) < 300
    assert run(write(tmp_path / "a.jsonl", rows)) == (400 - len(refused), 0, len(refused))
    assert [(each["line"], each["code"], each["field"]) for each in rejected(tmp_path / "a.jsonl")] == refused
    expected = [opened(found.event.data) for found in alone.recorder.read()]
    assert [event.event for event in events(system)] == [event.event for event in expected]


CHOICES: list[Callable[[random.Random], Stated]] = [
    lambda chance: registered(uscc=chance.choice([A, B])),
    lambda chance: renamed(uscc=chance.choice([A, B])),
    lambda chance: punished("2020-05-01", uscc=chance.choice([A, B]), documentNo=str(chance.randrange(60))),
    lambda chance: interviewed("2016-05-01", uscc=chance.choice([A, B])),
    lambda chance: punished("2020-05-01", documentNo="9", fine=chance.choice(["x", "10.00"])),
]


class Outrun(Ledger):
    """A ledger in which other writers always come before a large request."""

    most = 100

    def record(
        self, caller: Caller, key: str, facts: Sequence[tuple[str, Any]], stands_for: bytes | None = None
    ) -> Recording:
        if len(facts) > self.most:
            conflict = refusal(Code.CONFLICT, "", "总被抢先", "Other writers came first")
            return Recording(refusals=(conflict,))
        return super().record(caller, key, facts, stands_for)


def unexpected(rejected: Rejected) -> None:
    raise AssertionError(rejected)


def test_a_batch_that_others_outrun_goes_in_by_smaller_ones(system: System) -> None:
    lines = [Line(n, line(fact).encode()) for n, fact in enumerate([registered(), *[renamed()] * 499], start=1)]
    importer = Importer(Outrun(system.ledger.recorder, system.sealer), ImportedLines(system.pool), unexpected)
    tallies = list(importer.run(items_of(lines)))
    assert (tallies[-1].recorded, len_of(system)) == (500, 500)


def test_an_import_that_is_always_outrun_stops_and_says_so(system: System) -> None:
    ledger = Outrun(system.ledger.recorder, system.sealer)
    ledger.most = 0
    importer = Importer(ledger, ImportedLines(system.pool), unexpected)
    with pytest.raises(ImportStopped, match=r"Other writers came first\. What is in stays: import it again"):
        list(importer.run(items_of([Line(1, line(registered()).encode()), Line(2, line(renamed()).encode())])))
    assert len_of(system) == 0


def test_a_rehearsal_weighs_every_fact_and_records_nothing(system: System, run: Run, tmp_path: Path) -> None:
    facts = [registered(), *(punished(documentNo=str(each % 1_100)) for each in range(1_300)), renamed(uscc=B)]
    file = write(tmp_path / "a.jsonl", facts)
    assert run(file, dry_run=True) == (1_101, 0, 201)
    rehearsed = rejected(tmp_path / "a.jsonl")
    assert len_of(system) == 0
    assert run(file) == (1_101, 0, 201)
    assert [each["line"] for each in rejected(tmp_path / "a.jsonl")] == [each["line"] for each in rehearsed]
    assert run(file, dry_run=True) == (0, 1_101, 201)


# Files


def test_gzip_is_known_by_its_first_bytes_and_not_by_its_name(system: System, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "facts"
    file.write_bytes(gzip.compress(f"{line(registered())}\n{line(renamed())}".encode()))
    assert run(file) == (2, 0, 0)


def test_a_byte_order_mark_is_no_part_of_the_first_line(system: System, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + line(registered()).encode())
    assert run(file) == (1, 0, 0)


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_read_and_its_bad_rows_go_beside(
    system: System, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    text = f"{line(registered())}\n{line(renamed(uscc=B))}\n".encode()
    sent = gzip.compress(text) if packed else text
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(sent))))
    assert run("-") == (1, 0, 1)
    assert rejected(tmp_path / "stdin")[0]["line"] == 2


def test_of_a_gzip_file_that_was_cut_the_lines_before_the_cut_go_in(
    system: System, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(1)
    facts = [registered(), *(interviewed(caseId=f"{chance.getrandbits(200):x}") for _ in range(1_500))]
    file = tmp_path / "a.jsonl.gz"
    write(tmp_path / "a.jsonl", facts)
    whole = gzip.compress((tmp_path / "a.jsonl").read_bytes())
    file.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(Unreadable, match="ends too early: the lines before the cut are in"):
        run(file)
    capsys.readouterr()
    assert 1_200 < len_of(system) < 1_501
    assert cases(system) == [fact.fields["caseId"] for fact in facts[1 : len_of(system)]]
    before = len_of(system)
    file.write_bytes(whole)
    assert run(file) == (1_501 - before, before, 0)


def test_a_damaged_gzip_file_is_told_from_one_that_was_cut(system: System, run: Run, tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(f"{line(registered())}\n".encode()))
    packed[20:24] = b"\xff\xff\xff\xff"
    (tmp_path / "a.gz").write_bytes(packed)
    with pytest.raises(Unreadable, match="is a damaged gzip file"):
        run(tmp_path / "a.gz")
    assert len_of(system) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"uscc,name\n911,x\n", "it begins with “uscc,name”", id="CSV"),
        pytest.param(b'[{"enterpriseRegistered": {}}]', "a JSON array: write one fact a line instead", id="array"),
        pytest.param(b'{\n  "enterpriseRegistered": {\n  }\n}\n', "it begins with “{”", id="pretty-printed"),
        pytest.param(b"PAR1" + bytes(range(256)) * 9, "a Parquet file", id="Parquet"),
        pytest.param(b"<html>\n</html>\n", "it begins with “<html>”", id="HTML"),
        pytest.param(b"\0" * 4_000, "it begins with", id="zeros"),
        pytest.param(gzip.compress(b"a;b\n1;2\n"), "it begins with “a;b”", id="packed CSV"),
    ],
)
def test_a_file_of_another_format_is_refused_and_changes_nothing(
    system: System, run: Run, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Unreadable) as refused:
        run(tmp_path / "a")
    assert "is not JSON Lines" in str(refused.value)
    assert said in str(refused.value)
    assert len_of(system) == 0
    assert rejected(tmp_path / "a") == []


def test_an_empty_file_adds_nothing(system: System, run: Run, tmp_path: Path) -> None:
    assert run(write(tmp_path / "a.jsonl", [])) == (0, 0, 0)


def test_a_line_that_is_too_long_is_cut_and_the_next_is_whole(system: System, run: Run, tmp_path: Path) -> None:
    long = json.dumps({"enterpriseRenamed": {"name": "x" * (9 * 1024 * 1024)}})
    assert run(write(tmp_path / "a.jsonl", [registered(), long, renamed()])) == (2, 0, 1)
    assert rejected(tmp_path / "a.jsonl")[0]["line"] == 2
    assert len(rejected(tmp_path / "a.jsonl")[0]["sent"]) == 1_000


@pytest.mark.parametrize("levels", [33, 900, 100_000])
def test_a_line_that_is_nested_without_end_is_a_bad_row(system: System, run: Run, tmp_path: Path, levels: int) -> None:
    nested = f'{{"enterpriseRenamed": {"[" * levels}{"]" * levels}}}'
    assert run(write(tmp_path / "a.jsonl", [registered(), nested, renamed(name="[" * 99)])) == (2, 0, 1)
    assert rejected(tmp_path / "a.jsonl")[0]["field"] == ""


@pytest.mark.parametrize("name", ["nothing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_refused_before_the_ledger_is_opened(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    with pytest.raises(Unreadable, match="cannot be read"):
        import_file(Settings(home), str(tmp_path / name), historical=False, dry_run=False, machine=False)
    assert not home.exists()


def test_a_folder_that_cannot_be_written_is_told_with_the_first_bad_row(
    system: System, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.jsonl", [registered(), renamed(uscc=B)])
    monkeypatch.setattr(import_command, "SUFFIX", "/no/such/folder")
    with pytest.raises(Unreadable, match=r"Rejected rows cannot be written to .* import a copy of the file"):
        run(file)
