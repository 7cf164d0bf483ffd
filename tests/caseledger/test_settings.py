from pathlib import Path

import pytest

from caseledger.errors import SettingsError
from caseledger.settings import KNOWN, Settings, read_settings
from ledger.notes import Cosigner
from ledger.trust import Trust

URL = "postgresql://ledger:hunter2@db.example:5432/cases"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_without_settings_the_ledger_is_in_a_home_of_the_folder(file: Path) -> None:
    assert read_settings({}, file) == Settings(Path(".caseledger"), None, None, "caseledger")


def test_settings_come_from_the_environment(file: Path) -> None:
    given = {
        "CASELEDGER_DATABASE_URL": URL,
        "CASELEDGER_HOME": "/srv/ledger",
        "CASELEDGER_READ_URL": "postgres://replica/cases",
        "CASELEDGER_SCHEMA": "cases_2026",
        "PATH": "/bin",
    }
    assert read_settings(given, file) == Settings(Path("/srv/ledger"), URL, "postgres://replica/cases", "cases_2026")


def test_settings_come_from_the_file_and_the_environment_wins(file: Path) -> None:
    file.write_text('CASELEDGER_HOME="/srv/one"\nCASELEDGER_SCHEMA=one\nOTHER=1\n')
    read = read_settings({"CASELEDGER_SCHEMA": "two"}, file)
    assert (read.home, read.schema) == (Path("/srv/one"), "two")


def test_a_dollar_sign_in_the_file_is_kept_as_it_is(file: Path) -> None:
    file.write_text("CASELEDGER_DATABASE_URL=postgresql://me:pa${HOME}x@h/d\n")
    assert read_settings({"HOME": "/root"}, file).database_url == "postgresql://me:pa${HOME}x@h/d"


def test_an_empty_setting_is_as_one_that_is_not_set(file: Path) -> None:
    empty = dict.fromkeys(KNOWN, " ")
    assert read_settings(empty, file) == read_settings({}, file)


def test_the_tokens_of_an_issuer_are_taken_where_one_is_named(file: Path) -> None:
    issuer = {"CASELEDGER_OIDC_ISSUER": "https://id.example/realms/gov"}
    assert read_settings({}, file).trust is None
    assert read_settings(issuer, file).trust == Trust("https://id.example/realms/gov", "caseledger")
    named = {
        "CASELEDGER_OIDC_AUDIENCE": "ledger",
        "CASELEDGER_OIDC_ROLE_CLAIM": "r",
        "CASELEDGER_OIDC_CARRIER_CLAIM": "c",
        "CASELEDGER_OIDC_AUTHORITY_CLAIM": "a",
        "CASELEDGER_OIDC_SCOPE_CLAIM": "s",
    }
    read = read_settings({**issuer, **named}, file)
    assert read.trust == Trust("https://id.example/realms/gov", "ledger", "r", "c", "a", "s")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:1", "https://id.example/"]
)
def test_an_issuer_is_at_https_or_on_this_machine(file: Path, url: str) -> None:
    trust = read_settings({"CASELEDGER_OIDC_ISSUER": url}, file).trust
    assert trust is not None
    assert trust.issuer == url


@pytest.mark.parametrize(
    "given",
    [
        {"CASELEDGER_OIDC_ISSUER": "http://id.example"},
        {"CASELEDGER_OIDC_ISSUER": "http://127.0.0.1.example"},
        {"CASELEDGER_OIDC_ISSUER": "http://localhost@id.example"},
        {"CASELEDGER_OIDC_ISSUER": "https://u:p@id.example"},
        {"CASELEDGER_OIDC_ISSUER": "https://id.example?x"},
        {"CASELEDGER_OIDC_ISSUER": "id.example"},
        {"CASELEDGER_OIDC_AUDIENCE": "ledger"},
    ],
)
def test_an_issuer_that_anybody_could_stand_in_for_is_refused(file: Path, given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"CASELEDGER_OIDC_ISSUER is the URL of an issuer"):
        read_settings(given, file)


def test_the_signing_key_is_kept_in_the_home_unless_its_file_is_given(file: Path) -> None:
    assert read_settings({"CASELEDGER_HOME": "here"}, file).signing_key == Path("here/signing.key")
    assert read_settings({"CASELEDGER_SIGNING_KEY_FILE": "there/key"}, file).signing_key == Path("there/key")


@pytest.mark.parametrize("where", ["environment", "file"])
def test_an_unknown_name_is_refused_with_the_legal_ones(file: Path, where: str) -> None:
    file.write_text("CASELEDGER_DATABSE_URL=x\n" if where == "file" else "")
    given = {"CASELEDGER_DATABSE_URL": "x"} if where == "environment" else {}
    with pytest.raises(SettingsError) as refused:
        read_settings(given, file)
    assert str(refused.value) == f"There is no setting CASELEDGER_DATABSE_URL; there are {', '.join(KNOWN)}."


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "CASELEDGER_DATABASE_URL",
            "mysql://u:hunter2@h/d",
            "CASELEDGER_DATABASE_URL is no PostgreSQL URL: it is written",
        ),
        ("CASELEDGER_DATABASE_URL", "postgresql+psycopg://u:hunter2@h/d", "is no PostgreSQL URL"),
        ("CASELEDGER_DATABASE_URL", "hunter2", "CASELEDGER_DATABASE_URL"),
        ("CASELEDGER_READ_URL", "postgresql://u:hunter2@[h/d", "CASELEDGER_READ_URL is no PostgreSQL URL"),
        ("CASELEDGER_DATABASE_URL", "postgresql://u:hunter2@h/d?nosuch=1", "DATABASE_URL is no PostgreSQL URL"),
        ("CASELEDGER_SCHEMA", "pg_cases", "CASELEDGER_SCHEMA is 1 to 50 of a-z, 0-9 and _ and begins with neither"),
        ("CASELEDGER_SCHEMA", "Cases", "got “Cases”"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_without_its_secret(
    file: Path, name: str, value: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        read_settings({name: value}, file)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_password_is_never_shown(file: Path) -> None:
    read = read_settings({"CASELEDGER_DATABASE_URL": URL, "CASELEDGER_READ_URL": URL}, file)
    assert "hunter2" not in repr(read)
    assert read.place == "database cases on db.example as ledger"


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"CASELEDGER_HOME=\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env cannot be read \(UnicodeDecodeError\)"):
        read_settings({}, file)


WITNESS = f"{Cosigner.generate('one.example').verifier} http://127.0.0.1:8100"


def test_witnesses_are_given_as_lines_or_by_a_file_of_lines(file: Path, tmp_path: Path) -> None:
    (tmp_path / "witnesses").write_text(f"# ours\n{WITNESS}\n")
    for given in (WITNESS, f"{WITNESS},", str(tmp_path / "witnesses")):
        read = read_settings({"CASELEDGER_WITNESSES": given, "CASELEDGER_WITNESS_SECONDS": "2.5"}, file)
        assert ([at.url for at in read.witnesses], read.witness_seconds) == (["http://127.0.0.1:8100"], 2.5)
    assert (read_settings({}, file).witnesses, read_settings({}, file).witness_seconds) == ((), 10.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CASELEDGER_WITNESSES", "nowhere", r"a file of such lines; “nowhere” cannot be read \(FileNotFoundError\)"),
        ("CASELEDGER_WITNESSES", "key url", "a file of such lines. A verifier key reads NAME"),
        ("CASELEDGER_WITNESS_SECONDS", "0", "such as 10; got “0”"),
        ("CASELEDGER_WITNESS_SECONDS", "often", "got “often”"),
    ],
)
def test_witnesses_that_are_none_are_refused(file: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is .*{message}"):
        read_settings({name: value}, file)
