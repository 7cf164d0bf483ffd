"""双公示 files into a ledger: once, corrected by a void, and nothing half done."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gongshi_file import EACH, LICENCE, PENALTY, Values, licence, penalty, table, write
from caseledger import import_command
from caseledger.errors import Unreadable
from caseledger.import_command import import_file
from caseledger.settings import Settings
from caseledger.wiring import System
from commanding import Ran
from domain.callers import Caller, Role
from domain.recorded import Recorded
from given import Stated, licensed, listed, registered, renewed
from given import penalty as on_penalty
from ledger.entry import canonical, data_of
from ledger.entry import opened as read_entry
from running import code

ADOPTED = 4
REGULATOR = Caller(Role.REGULATOR, "test", "MIIT")
CARD = "11010519491231002X"


class Place:
    """A ledger, and imports into it as the command makes them."""

    def __init__(self, system: System, settings: Settings, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.system = system
        self.folder = folder
        self._settings = settings
        self._capsys = capsys
        self.err = ""

    def write(self, *rows: Values, columns: Sequence[str] = PENALTY, name: str = "a.csv", **how: Any) -> Path:
        return write(self.folder / name, table(columns, rows), **how)

    def __call__(
        self, *rows: Values, path: Path | None = None, columns: Sequence[str] = PENALTY, **how: bool
    ) -> tuple[int, int, int]:
        """Imports rows or a file: how many were recorded, were in before, and were rejected."""
        file = path or self.write(*rows, columns=columns)
        options: dict[str, Any] = {"historical": False, "dry_run": False, **how}
        self._capsys.readouterr()
        whole = import_file(self._settings, str(file), machine=True, **options)
        said, self.err = self._capsys.readouterr()
        found = json.loads(said)
        self.counts = {what: number for what, number in found["counts"].items() if number}
        rejected = Path(f"{file}.rejected.jsonl")
        self.text = rejected.read_text() if rejected.exists() else ""
        self.rejected: list[dict[str, Any]] = [json.loads(line) for line in self.text.splitlines()]
        assert whole is (not self.rejected)
        assert len(self.rejected) == found["rejected"]
        return found["recorded"], found["replayed"], found["rejected"]

    def record(self, *facts: Stated) -> int:
        """Records facts as a regulator does, and gives the head."""
        made = self.system.ledger.record(REGULATOR, str(time.monotonic()), list(facts))
        assert made.refusals == (), made.refusals
        return made.head

    def events(self) -> list[Recorded]:
        """What is recorded besides the rulebook, in order."""
        return [read_entry(found.event.data) for found in self.system.ledger.recorder.read(after=ADOPTED)]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]

    @property
    def head(self) -> int:
        return self.system.ledger.recorder.head()


@pytest.fixture
def place(system: System, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(system, settings, tmp_path, capsys)


def fields(event: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(canonical(data_of(event.event)))
    return found


# What goes in


def test_a_penalty_goes_in_after_its_enterprise_and_the_representative_is_sealed(place: Place) -> None:
    assert place(penalty(1), penalty(2), penalty(EACH)) == (3, 0, 0)
    assert place.counts == {"enterprises": 2, "penalties": 3}
    assert place.types() == [
        "EnterpriseRegistered", "PenaltyImposed", "PenaltyImposed", "EnterpriseRegistered", "PenaltyImposed",
    ]  # fmt: skip
    enterprise, first, *_ = place.events()
    assert (enterprise.effective_on, first.effective_on) == (first.effective_on, first.effective_on)
    assert fields(enterprise)["name"] == "第0呼叫中心有限公司"
    assert "法人0" not in str(fields(enterprise))
    (shown,) = place.system.sealer.open([enterprise])
    assert getattr(shown, "legal_representative", None) == "法人0"
    assert fields(first)["fine"] == "2000.00"


def test_the_same_content_adds_nothing_in_whatever_order_encoding_and_kind_of_file(place: Place) -> None:
    rows = [penalty(n) for n in range(1, 8)]
    assert place(*rows) == (7, 0, 0)
    head = place.head
    again = (
        place.write(*reversed(rows), name="turned.csv"),
        place.write(*rows, name="gb.csv.gz", encoding="gb18030", delimiter=";"),
        place.write(*rows, rows[0], name="a.xlsx"),
        place.write(*rows, columns=PENALTY[::-1], name="columns.csv"),
    )
    for path in again:
        recorded, replayed, rejected = place(path=path)
        assert (recorded, rejected) == (0, 0)
        assert replayed >= 7
    assert place.head == head


def test_a_row_goes_in_or_none_of_it(place: Place) -> None:
    long = {**penalty(1), "CF_SY": "长" * 2_001}
    assert place(long, penalty(2), {**penalty(3), "CF_NR_FK": "0"}) == (1, 0, 2)
    assert [(each["line"], each["field"]) for each in place.rejected] == [
        (2, "违法事实 CF_SY"),
        (4, "罚款金额 CF_NR_FK"),
    ]
    assert "got 2001" in place.rejected[0]["reason"]
    assert place.types() == ["EnterpriseRegistered", "PenaltyImposed"]


def test_what_was_recorded_elsewhere_is_in_already(place: Place) -> None:
    fact = {
        "uscc": code(0), "documentNo": "通管罚〔2019〕1号", "authority": "CA-12", "kinds": ["FINE", "WARNING"], "fine": "2000",
        "violation": str(penalty(1)["CF_SY"]), "basis": str(penalty(1)["CF_YJ"]), "becauseOf": "HARASSING_CALLS",
        "effectiveOn": "2019-01-08",
    }  # fmt: skip
    place.record(registered(uscc=code(0)), Stated("penaltyImposed", {**fact, "kinds": ["WARNING", "FINE"]}))
    assert place(penalty(1)) == (0, 1, 0)


def test_licences_go_in_as_historical(place: Place) -> None:
    assert place(licence(1), licence(2), columns=LICENCE) == (2, 0, 0)
    assert place.counts == {"enterprises": 2, "licences": 2}
    assert [event.historical for event in place.events()] == [False, True, False, True]
    assert place(licence(2), licence(1), columns=LICENCE) == (0, 2, 0)


def test_an_import_that_was_killed_goes_on_where_it_was(place: Place, environment: dict[str, str]) -> None:
    path = place.write(*map(penalty, range(1_500)), name="killed.csv")
    command = [sys.executable, "-m", "caseledger.main", "import", str(path)]
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while place.head < ADOPTED + 400:
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = sum(event.type == "PenaltyImposed" for event in place.events())
    recorded, replayed, rejected = place(path=path)
    assert (recorded + replayed, rejected) == (1_500, 0)
    assert replayed >= before >= 300
    assert place.head == ADOPTED + 1_500 + 1_500 // EACH


# Corrections


def test_a_row_that_says_otherwise_is_rejected_with_the_position_and_what_differs(place: Place) -> None:
    place(penalty(1), penalty(2))
    head = place.head
    changed = {**penalty(1), "CF_NR_FK": "0.3", "CF_JDRQ": "2019-02-01"}
    assert place(changed, penalty(2)) == (0, 1, 1)
    (found,) = place.rejected
    assert (found["line"], found["field"], found["code"]) == (2, "行政处罚决定书文号 CF_WSH", "ALREADY_EXISTS")
    assert found["reason"] == (
        f"Position {ADOPTED + 2} holds 通管罚〔2019〕1号 with other content (罚款金额 CF_NR_FK: 2000.00 → 3000.00; "
        "处罚决定日期 CF_JDRQ: 2019-01-08 → 2019-02-01); if this corrects it, import with --correct"
    )
    assert place.head == head


def test_a_correction_voids_the_earlier_fact_and_adds_the_new_one(place: Place) -> None:
    place(penalty(1), penalty(2))
    changed = {**penalty(1), "CF_NR_FK": "0.3"}
    assert place(changed, penalty(2), correct=True) == (1, 1, 0)
    assert place.counts == {"corrections": 1}
    void, new = place.events()[-2:]
    assert (void.type, fields(void)["position"], new.position) == ("EventVoided", ADOPTED + 2, void.position + 1)
    assert (fields(new)["documentNo"], fields(new)["fine"]) == ("通管罚〔2019〕1号（更正1）", "3000.00")
    head = place.head
    for correct in (True, False):
        assert place(changed, penalty(2), correct=correct) == (0, 2, 0)
    assert place(penalty(1), correct=False) == (0, 0, 1)
    assert place.head == head
    assert place(penalty(1), correct=True) == (1, 0, 0)
    assert fields(place.events()[-1])["documentNo"] == "通管罚〔2019〕1号（更正2）"
    assert place(penalty(1)) == (0, 1, 0)


def test_a_correction_keeps_what_a_row_does_not_say(place: Place) -> None:
    place(penalty(10))
    assert fields(place.events()[1])["becauseOf"] == "HARASSING_CALLS"
    assert place({**penalty(10), "CF_WFXW": "违规"}) == (0, 1, 0)
    assert place({**penalty(10), "CF_WFXW": "违规", "CF_YJ": "另一条"}, correct=True) == (1, 0, 0)
    assert fields(place.events()[-1])["becauseOf"] == "HARASSING_CALLS"
    place(penalty(1))
    assert place({**penalty(1), "CF_WFXW": "骚扰电话"}) == (0, 0, 1)


def test_a_fact_that_others_rest_on_is_not_corrected(place: Place) -> None:
    place(penalty(1), penalty(2))
    on = {"uscc": code(0), "authority": "CA-12", "documentNo": "通管罚〔2019〕1号"}
    publicised = place.record(on_penalty("Publicised", "2019-02-01", **on))
    basis = {"uscc": code(0), "authority": "MIIT", "basis": [ADOPTED + 3]}
    entered = place.record(listed("2019-12-01", **basis))
    rows = [{**penalty(n), "CF_NR_FK": "7"} for n in (1, 2)]
    assert place(*rows, correct=True) == (0, 0, 2)
    assert [each["code"] for each in place.rejected] == ["WRONG_STATE"] * 2
    assert f"The events at {publicised} rest on" in place.rejected[0]["reason"]
    assert f"The events at {entered} rest on" in place.rejected[1]["reason"]


def test_what_was_voided_by_hand_does_not_come_back_by_itself(place: Place) -> None:
    place(penalty(1))
    place.record(Stated("eventVoided", {"position": ADOPTED + 2, "reason": "有误"}))
    head = place.head
    assert place(penalty(1), correct=True) == (0, 1, 0)
    assert place({**penalty(1), "CF_NR_FK": "7"}) == (0, 0, 1)
    assert "(voided)" in place.rejected[0]["reason"]
    assert place.head == head
    assert place({**penalty(1), "CF_NR_FK": "7"}, correct=True) == (1, 0, 0)
    assert place.types()[-2:] == ["EventVoided", "PenaltyImposed"]


def test_a_number_of_another_enterprise_or_authority_is_no_correction(place: Place) -> None:
    place(penalty(1))
    assert place({**penalty(1), "CF_XDR_SHXYM": code(9)}, correct=True) == (0, 0, 1)
    assert f"is of CA-12 and enterprise {code(0)}" in place.rejected[0]["reason"]
    assert place({**penalty(1), "CF_CFJG": "工信部"}, correct=True) == (1, 0, 0), "numbers are of an authority"


def test_a_licence_is_corrected_by_its_own_document_alone(place: Place) -> None:
    place(licence(1), columns=LICENCE)
    later = {**licence(1), "XK_YXQZI": "2029-01-07"}
    assert place({**later, "XK_WSH": "另一文书"}, columns=LICENCE, correct=True) == (0, 0, 1)
    assert "record a renewal as licenceRenewed" in place.rejected[0]["reason"]
    assert place(later, columns=LICENCE, correct=True) == (1, 0, 0)
    assert fields(place.events()[-1])["licenceNo"] == "B2-2019000001（更正1）"
    assert place(later, columns=LICENCE) == (0, 1, 0)
    place.record(renewed("2024-01-01", uscc=code(1), licenceNo="B2-2019000001（更正1）", validTo="2035-01-01"))
    assert place(licence(1), columns=LICENCE, correct=True) == (0, 0, 1)
    assert place.rejected[0]["code"] == "WRONG_STATE"


def test_a_licence_that_others_recorded_is_in_or_rejected_but_not_corrected(place: Place) -> None:
    facts = {"licenceNo": "B2-2019000001", "authority": "MIIT", "provinces": [], "validTo": "2024-01-07"}
    place.record(
        registered("2017-01-01", uscc=code(1)),
        licensed("2019-01-08", uscc=code(1), validFrom="2019-01-08", route="COMMITMENT", **facts),
    )
    assert place(licence(1), columns=LICENCE, correct=True) == (0, 1, 0)
    assert place({**licence(1), "XK_YXQZI": "2030-01-01"}, columns=LICENCE, correct=True) == (0, 0, 1)
    assert place.rejected[0]["code"] == "ALREADY_EXISTS"


def test_an_earlier_decision_in_a_later_file_makes_an_imports_registration_earlier(place: Place) -> None:
    place({**penalty(1), "CF_JDRQ": "2021-05-06"})
    earlier = [{**penalty(2), "CF_JDRQ": "2019-03-04", "CF_FRDB": ""}, {**penalty(3), "CF_JDRQ": "2018-03-04"}]
    assert place(*earlier) == (2, 0, 0)
    assert place.counts == {"penalties": 2, "earlier": 1}
    assert place.types()[2:] == ["EventVoided", "EnterpriseRegistered", "PenaltyImposed", "PenaltyImposed"]
    again = place.events()[3]
    assert again.effective_on.isoformat() == "2018-03-04"
    (shown,) = place.system.sealer.open([again])
    assert getattr(shown, "legal_representative", None) == "法人0"


def test_a_registration_of_others_is_left_as_it_is(place: Place) -> None:
    place.record(registered("2022-01-01", uscc=code(0)))
    assert place(penalty(1)) == (0, 0, 1)
    (found,) = place.rejected
    assert found["code"] == "UNKNOWN_ENTERPRISE"
    assert f"is registered from 2022-01-01 on (position {ADOPTED + 1})" in found["reason"]


# Rehearsals, rejected rows, and the command


def test_a_rehearsal_counts_all_and_records_nothing(place: Place) -> None:
    place(penalty(1), {**penalty(2), "CF_JDRQ": "2021-01-01"})
    head = place.head
    rows = [
        {**penalty(1), "CF_NR_FK": "9"}, {**penalty(2), "CF_JDRQ": "2021-01-01"}, penalty(EACH), penalty(EACH + 1),
        {**penalty(3), "CF_JDRQ": "2016-01-01"}, {**penalty(4), "CF_CFLB": "2"},
    ]  # fmt: skip
    assert place(*rows, correct=True, dry_run=True) == (4, 1, 1)
    counts = place.counts
    assert counts == {"enterprises": 1, "penalties": 3, "corrections": 1, "earlier": 1}
    assert place.head == head
    assert place(*rows, correct=True) == (4, 1, 1)
    assert place.counts == counts


def test_of_a_person_nothing_is_printed_or_kept(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    person = {**penalty(1), "CF_XDR_MC": "王小明", "CF_XDR_LB": "自然人", "CF_XDR_SHXYM": "", "CF_XDR_ZJHM": CARD}
    hidden = {**penalty(2), "CF_XDR_MC": "李四", "CF_XDR_LB": "", "CF_XDR_SHXYM": CARD}
    wrong = {
        **penalty(3),
        "CF_FRDB": "赵六",
        "CF_FR_ZJHM": CARD,
        "CF_SY": "赵六指使员工外呼",
        "CF_CFLB": "5",
        "BZ": "赵六",
    }
    assert place(person, hidden, wrong) == (0, 0, 3)
    for secret in ("王小明", "李四", "赵六", CARD):
        assert secret not in place.text + place.err + caplog.text
    assert [set(each) for each in place.rejected[:2]] == [{"line", "field", "code", "reason", "reasonZh"}] * 2
    assert place.rejected[2]["sent"]["统一社会信用代码 CF_XDR_SHXYM"] == code(0)
    assert place.rejected[2]["sent"]["处罚类别 CF_CFLB"] == "5"


def test_a_file_that_was_cut_changes_nothing_and_leaves_no_file(place: Place) -> None:
    path = place.write(*map(penalty, range(3_000)), name="a.csv.gz")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(Unreadable, match="nothing was recorded"):
        place(path=path)
    assert place.head == ADOPTED
    assert [file.name for file in place.folder.iterdir() if file.name != "home"] == ["a.csv.gz"]


def test_a_full_disk_takes_the_file_of_rejected_rows_away_and_is_code_2(
    placed: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.csv", table(PENALTY, [{**penalty(1), "CF_CFLB": "5"}]))
    monkeypatch.setattr(import_command, "new_whole", lambda _: nullcontext(Path("/dev/full")))
    assert placed("import", str(path)) == 2
    assert "cannot be written to" in placed.err
    assert "No space left on device" in placed.err
    assert [file.name for file in tmp_path.iterdir() if "rejected" in file.name] == []


def test_the_command_says_what_went_in(placed: Ran, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", table(PENALTY, [penalty(1), {**penalty(2), "CF_CFLB": "5"}]))
    assert placed("import", str(path), "--dry-run") == 1
    assert placed.out.startswith("1 rows would be recorded (1 enterprises, 1 penalties, 0 licences, 0 corrections")
    assert placed("import", str(path), "--format", "gongshi") == 1
    assert placed.err == f"The rejected rows are in {path}.rejected.jsonl, each with its line, field and reason.\n"
    write(path, table(PENALTY, [{**penalty(1), "CF_NR_FK": "1"}]))
    found = placed.json("import", str(path), "--correct")
    assert (found["recorded"], found["counts"]["corrections"]) == (1, 1)
    write(path, table(["CF_WSH", "CF_JDRQ", "CF_CFJG"], []))
    assert placed("import", str(path)) == 2
    assert "it lacks the column" in placed.err


def test_lines_of_json_correct_nothing(placed: Ran, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"enterpriseRenamed": {}}')
    assert placed("import", str(tmp_path / "a.jsonl"), "--correct") == 2
    assert "whose rows correct nothing" in placed.err


def test_a_file_comes_through_a_pipe_too(place: Place, environment: dict[str, str]) -> None:
    for name in ("a.csv", "b.xlsx"):
        with place.write(penalty(1), {**penalty(2), "CF_CFLB": "5"}, name=name).open("rb") as sent:
            command = [sys.executable, "-m", "caseledger.main", "import", "-", "--json"]
            done = subprocess.run(
                command, stdin=sent, env=environment, cwd=place.folder, capture_output=True, text=True, check=False
            )
        found = json.loads(done.stdout)
        assert (done.returncode, found["recorded"] + found["replayed"], found["rejected"]) == (1, 1, 1)
        assert done.stderr == "The rejected rows are in stdin.rejected.jsonl, each with its line, field and reason.\n"


def test_a_bar_is_shown_on_a_terminal(place: Place, environment: dict[str, str]) -> None:
    path = place.write(*map(penalty, range(1_000)))
    mine, its = pty.openpty()
    command = [sys.executable, "-m", "caseledger.main", "import", str(path)]
    environment = {**environment, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=its) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                part = os.read(mine, 65_536)
            except OSError:
                break
            if not part:
                break
            shown += part
        assert process.stdout
        assert process.stdout.read().startswith(b"1,000 rows recorded (200 enterprises, 1,000 penalties")
    os.close(mine)
    assert "1,000 rows, 0 rejected" in shown.decode()
    assert "100%" in shown.decode()


def test_what_is_packed_goes_as_far_as_is_set(placed: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASELEDGER_LIMIT_IMPORT_BYTES", "10000")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"enterpriseRenamed": {}}\n' * 1_000))
    assert placed("import", str(tmp_path / "a.jsonl.gz")) == 2
    assert "unpacks to more than 10,000 bytes" in placed.err
