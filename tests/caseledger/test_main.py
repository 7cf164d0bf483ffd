import json
import re
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from caseledger import main
from caseledger.settings import Settings
from commanding import Ran
from domain.callers import Role
from given import registered, renamed
from projections.register import Register

COMMANDS = (
    ["serve"],
    ["keys"],
    ["keys", "create"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["import"],
    ["status"],
    ["demo"],
    ["verify"],
    ["export"],
    ["erase"],
    ["hold"],
    ["rotate-master-key"],
    ["witness"],
    ["webhooks"],
    ["webhooks", "add"],
    ["webhooks", "list"],
    ["webhooks", "pause"],
    ["webhooks", "resume"],
    ["webhooks", "rotate"],
    ["webhooks", "remove"],
    ["webhooks", "deliveries"],
    ["webhooks", "resend"],
)
KEY = re.compile(r"clk_[a-z2-7]{8}_[A-Za-z0-9_-]{43}\n")


def is_one_sentence(said: str) -> bool:
    return said.count("\n") == 1 and said[0].isupper() and said.endswith(".\n") and "Traceback" not in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(ran: Ran, command: list[str]) -> None:
    assert ran(*command, "--help") == 0
    assert ran.out.startswith(f"Usage: caseledger {' '.join(command)}")
    assert ran.err == ""


def test_without_a_command_the_help_says_what_there_is(ran: Ran) -> None:
    assert ran() == 2
    assert all(command[0] in ran.err for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vanish"], "No such command 'vanish'. See `caseledger --help`."),
        (["status", "--colour"], "No such option: --colour. See `caseledger status --help`."),
        (["keys", "create"], "Missing option '--role'. See `caseledger keys create --help`."),
        (["import"], "Missing argument 'FILE'. See `caseledger import --help`."),
        (["serve", "--port", "66000"], "Invalid value for '--port'"),
        (["serve", "--workers", "0"], "Invalid value for '--workers'"),
        (["import", "x.csv", "--format", "dbf"], "--format is one of cloudevents, gongshi, jsonl; got dbf"),
        (["import", "nothing.jsonl"], "nothing.jsonl cannot be read: No such file or directory."),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(ran: Ran, arguments: list[str], said: str) -> None:
    assert ran(*arguments) == 2
    assert ran.out == ""
    assert ran.err.startswith(said)
    assert ran.err.count("\n") == 1
    assert list(Path().iterdir()) == []


# Keys


def test_a_key_is_printed_alone_and_listed_without_its_secret(placed: Ran) -> None:
    assert placed("keys", "create", "--role", "regulator", "--name", "王处", "--scope", "personal:read") == 0
    key = placed.out
    assert KEY.fullmatch(key)
    id_ = key[4:12]
    assert id_ in placed.err
    assert key.strip() not in placed.err
    (listed,) = placed.json("keys", "list")["keys"]
    assert listed == {
        "id": id_,
        "role": "regulator",
        "name": "王处",
        "carrier": None,
        "authority": None,
        "scopes": ["personal:read"],
        "createdAt": listed["createdAt"],
        "revokedAt": None,
        "expiresAt": None,
        "lastUsedAt": None,
    }
    assert placed("keys", "list") == 0
    assert f"{id_}  regulator  王处" in placed.out
    assert key[13:-1] not in placed.out


def test_a_revoked_key_is_listed_as_such(placed: Ran) -> None:
    placed("keys", "create", "--role", "carrier", "--carrier", "CHINA_TELECOM")
    id_ = placed.out[4:12]
    assert placed("keys", "revoke", id_) == 0
    assert placed.err == f"The carrier key {id_} is revoked.\n"
    (listed,) = placed.json("keys", "list")["keys"]
    assert listed["revokedAt"] >= listed["createdAt"]


def test_a_key_expires_when_it_is_told_to(placed: Ran) -> None:
    assert placed("keys", "create", "--role", "auditor", "--expires", "90") == 0
    (listed,) = placed.json("keys", "list")["keys"]
    made, ends = (datetime.fromisoformat(listed[name]) for name in ("createdAt", "expiresAt"))
    assert abs(ends - made - timedelta(days=90)) < timedelta(minutes=1)


def test_without_keys_the_list_says_so(placed: Ran) -> None:
    assert placed("keys", "list") == 0
    assert placed.out == "There are no keys.\n"
    assert placed.json("keys", "list") == {"keys": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--role", "minister"], "A role is one of regulator, carrier, auditor, intake, public; got"),
        (["create", "--role", "carrier"], "A key of the role carrier needs --carrier"),
        (["create", "--role", "auditor", "--scope", "all"], "A scope is one of personal:read, personal:erase; got"),
        (["create", "--role", "auditor", "--expires", "0"], "A key expires after 1 to 3650 days, or on a date from"),
        (["create", "--role", "auditor", "--expires", "2020-01-01"], "A key expires after 1 to 3650 days, or on"),
        (["create", "--role", "auditor", "--expires", "soon"], "A date is a calendar date YYYY-MM-DD"),
        (["revoke", "nothere"], "There is no key with the id “nothere”"),
    ],
)
def test_a_key_that_cannot_be_is_code_2(placed: Ran, arguments: list[str], said: str) -> None:
    assert placed("keys", *arguments) == 2
    assert placed.out == ""
    assert placed.err.startswith(said)


# Import, status, demo


def test_an_import_that_rejects_rows_is_code_1(placed: Ran, tmp_path: Path) -> None:
    rows = [registered(), renamed(uscc="9111000000000001")]
    file = tmp_path / "facts.jsonl"
    file.write_text("\n".join(json.dumps({row.name: row.fields}) for row in rows))
    assert placed("import", str(file)) == 1
    assert placed.out.startswith("1 facts recorded, 0 were in before, 1 rejected, in ")
    assert placed.err == f"The rejected rows are in {file}.rejected.jsonl, each with its line, field and reason.\n"
    file.write_text(json.dumps({rows[0].name: rows[0].fields}))
    found = placed.json("import", str(file), "--historical")
    seconds = found.pop("seconds")
    assert found == {"recorded": 0, "replayed": 1, "rejected": 0, "passed": 0, "dryRun": False}
    assert seconds > 0


def test_a_file_of_another_format_is_code_2(placed: Ran, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uscc;name\n1;2\n")
    assert placed("import", str(tmp_path / "a.csv")) == 2
    assert "is not JSON Lines (it begins with “uscc;name”)" in placed.err
    assert placed.json("status")["head"] == 4


def test_status_shows_database_head_and_projections(placed: Ran) -> None:
    found = placed.json("status")
    assert found["head"] == 4
    assert found["postgresql"].startswith("18.")
    assert found["database"].startswith("database caseledger on ")
    register = {"name": "register", "position": 0, "lag": 4, "version": Register.version}
    assert register | {"program_version": Register.version} in found["projections"]
    assert placed("status") == 0
    assert re.search(r"^head +4$", placed.out, re.MULTILINE)
    assert re.search(rf"^register +0 +4 +{Register.version} *$", placed.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("other", "said"), [(-1, "`caseledger serve` makes it anew beside"), (1, "the newer program brings it on")]
)
def test_status_says_what_to_do_about_tables_of_another_version(
    placed: Ran, settings: Settings, database: str, other: int, said: str
) -> None:
    assert placed("rebuild") == 0
    version = Register.version + other
    with psycopg.connect(database, options=f"-c search_path={settings.schema}") as owner:
        owner.execute("UPDATE projections SET version = %s WHERE name = 'register'", [version])
    (register,) = [each for each in placed.json("status")["projections"] if each["name"] == "register"]
    assert (register["version"], register["program_version"]) == (version, Register.version)
    assert placed("status") == 0
    assert f"register is of version {version} and this program has {Register.version}: {said}" in placed.out
    assert placed.out.count("this program has") == 1
    assert placed("rebuild", "register") == 0
    assert placed("status") == 0
    assert "this program has" not in placed.out


def test_status_lists_what_is_parked_and_what_is_stopped(placed: Ran, settings: Settings, database: str) -> None:
    assert (placed.json("status")["stopped"], placed.json("status")["parked"]) == ([], [])
    with psycopg.connect(database, options=f"-c search_path={settings.schema}") as owner:
        owner.execute("INSERT INTO parked VALUES ('register', '91110000100012345L', 3, 'NumberFiled', 'KeyError')")
        owner.execute("INSERT INTO projections VALUES ('history', 1, now(), 2, 'RulebookAdopted', 'ValueError')")
    (parked,) = placed.json("status")["parked"]
    why = "the NumberFiled at position 3 cannot be applied to the read model register (KeyError)"
    assert (parked["uscc"], parked["position"], parked["why"]) == ("91110000100012345L", 3, why)
    assert [each["projection"] for each in placed.json("status")["stopped"]] == ["history"]
    assert placed("status") == 0
    assert "history is stopped since the RulebookAdopted at position 2 cannot be applied" in placed.out
    assert re.search(rf"^91110000100012345L +3 +\S+ \S+ +{re.escape(why)}", placed.out, re.MULTILINE)


def test_rebuild_reports_and_swaps_or_on_a_dry_run_only_reports(placed: Ran, settings: Settings, database: str) -> None:
    assert placed("rebuild") == 0
    assert "0 enterprises differ, 0 are parked." in placed.err
    assert "register, credit_changes, " in placed.err
    assert "swapped in." in placed.err
    with psycopg.connect(database, options=f"-c search_path={settings.schema}") as owner:
        owner.execute("UPDATE history SET uscc = '91110000100012345L' WHERE position = 1")
    tried = placed.json("rebuild", "history", "--dry-run")
    differs = [{"uscc": None, "tables": ["history"]}, {"uscc": "91110000100012345L", "tables": ["history"]}]
    assert (tried["projections"], tried["swapped"], tried["differing"]) == (["history"], False, differs)
    assert placed("rebuild", "history", "--dry-run") == 0
    assert re.search(r"^91110000100012345L +history", placed.out, re.MULTILINE)
    assert "not swapped in: this was a dry run." in placed.err
    assert placed.json("rebuild")["differing"] == differs
    assert placed.json("rebuild")["differing"] == []
    assert placed("rebuild", "nothing") == 2
    assert placed.err.startswith("There is no projection “nothing”; there are history, register, ")


def test_a_demonstration_prints_a_key_for_each_role(placed: Ran) -> None:
    assert placed("demo") == 0
    assert re.findall(r"^(\w+) .* clk_\w{8}_[\w-]{43} *$", placed.out, re.MULTILINE) == [str(role) for role in Role]
    assert "invented enterprises were recorded" in placed.err
    assert placed("demo") == 2
    assert placed.err.startswith("This ledger has ")
    assert {each["lag"] for each in placed.json("status")["projections"]} == {0}


# What cannot be used


def test_a_wrong_database_url_is_one_sentence_without_the_password(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("CASELEDGER_DATABASE_URL", f"postgresql://ledger:hunter2@127.0.0.1:{port}/cases")
        assert ran("status") == 2
    assert ran.err.startswith("The database cases on 127.0.0.1 as ledger cannot be used: ")
    assert "Connection refused" in ran.err
    assert "hunter2" not in ran.err
    assert ran.err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_a_database_that_is_not_there_is_named(
    placed: Ran, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (settings.database_url or "").replace("dbname=caseledger", "dbname=nowhere")
    monkeypatch.setenv("CASELEDGER_DATABASE_URL", url)
    assert placed("status") == 2
    assert "database “nowhere” does not exist".replace("“", '"').replace("”", '"') in placed.err


def test_a_home_that_cannot_be_made_is_one_sentence(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CASELEDGER_HOME", str(tmp_path / "file" / "home"))
    assert ran("status") == 2
    assert ran.err.startswith(f"The home {tmp_path}/file/home cannot be written (Not a directory).")
    assert is_one_sentence(ran.err)


def test_an_unknown_setting_is_one_sentence(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASELEDGER_DATABSE", "x")
    assert ran("status") == 2
    assert ran.err.startswith("There is no setting CASELEDGER_DATABSE; there are CASELEDGER_DATABASE_URL, ")


def test_settings_are_read_from_the_file_of_the_folder(ran: Ran, settings: Settings) -> None:
    Path(".env").write_text(
        f"CASELEDGER_DATABASE_URL='{settings.database_url}'\nCASELEDGER_SCHEMA={settings.schema}\n", encoding="utf-8"
    )
    assert ran.json("status")["schema"] == settings.schema


def test_what_nobody_foresaw_is_logged_where_and_not_what(
    placed: Ran, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Zhang San, 13800138000")

    monkeypatch.setattr(main, "open_system", fail)
    assert placed("status") == 1
    log = settings.home / "caseledger.log"
    assert placed.err == f"Internal error, see the log {log}; `caseledger --debug …` shows more.\n"
    assert "Zhang San" not in log.read_text()
    assert log.read_text().endswith("RuntimeError\n")
    assert "test_main.py" in log.read_text()
    with pytest.raises(RuntimeError, match="Zhang San"):
        placed("--debug", "status")


def test_the_installed_command_runs_and_bears_a_reader_that_goes_away(environment: dict[str, str]) -> None:
    command = f"{sys.executable} -m caseledger.main"
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} status --json | true"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in piped.stderr
    whole = subprocess.run([*command.split(), "status", "--json"], env=environment, capture_output=True, text=True)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert json.loads(whole.stdout)["head"] == 4
