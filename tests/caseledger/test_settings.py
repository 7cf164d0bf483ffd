from pathlib import Path

import pytest

from api.limits import DocumentLimits, RequestLimits
from api.streams import StreamLimits
from caseledger.errors import SettingsError
from caseledger.settings import KNOWN, Limits, Settings, read_settings
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


def test_the_key_of_credentials_is_kept_in_the_home_unless_its_file_is_given(file: Path) -> None:
    assert read_settings({"CASELEDGER_HOME": "here"}, file).credential_key == Path("here/credential.key")
    assert read_settings({"CASELEDGER_CREDENTIAL_KEY_FILE": "there/key"}, file).credential_key == Path("there/key")


@pytest.mark.parametrize("url", ["https://ledger.example", "https://Ledger.example:8443/", "http://localhost:8000"])
def test_who_issues_credentials_is_a_place_without_a_path(file: Path, url: str) -> None:
    read = read_settings({"CASELEDGER_PUBLIC_URL": url}, file)
    assert read.public_url == url.lower().removesuffix("/")
    assert read_settings({}, file).public_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "url", ["http://ledger.example", "https://h/path", "https://me@h", "https://h?x", "ledger.example"]
)
def test_an_issuer_of_credentials_that_no_one_could_find_is_refused(file: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="CASELEDGER_PUBLIC_URL is where others reach this ledger"):
        read_settings({"CASELEDGER_PUBLIC_URL": url}, file)


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


LIMITS = {
    "CASELEDGER_LIMIT_BODY": "100",
    "CASELEDGER_LIMIT_TOKENS": "101",
    "CASELEDGER_LIMIT_DEPTH": "10",
    "CASELEDGER_LIMIT_ALIASES": "102",
    "CASELEDGER_LIMIT_COST": "1000000000",
    "CASELEDGER_LIMIT_SECONDS": "2.5",
    "CASELEDGER_LIMIT_RATE": "103",
    "CASELEDGER_LIMIT_PUBLIC_RATE": "104",
    "CASELEDGER_LIMIT_CONNECTIONS": "105",
}


def test_limits_are_those_of_the_api_unless_they_are_set(file: Path) -> None:
    usual, api = read_settings({}, file).limits, RequestLimits()
    named = DocumentLimits(usual.tokens, usual.depth, usual.aliases, usual.cost)
    assert RequestLimits(named, usual.body, usual.seconds, usual.rate, usual.public_rate) == api
    assert read_settings(LIMITS, file).limits == Limits(100, 101, 10, 102, 1_000_000_000, 2.5, 103, 104, 105)


def test_subscriptions_are_limited_as_the_api_does_unless_set(file: Path) -> None:
    read, api = read_settings({}, file), StreamLimits()
    assert (read.subscriptions_per_connection, read.subscriptions_per_key, read.subscriptions, read.subscription_queue) == (
        api.per_connection, api.per_key, api.per_process, api.queue,
    )  # fmt: skip
    assert read_settings({"CASELEDGER_SUBSCRIPTIONS_PER_KEY": "7"}, file).subscriptions_per_key == 7


def test_only_trusted_documents_and_pages_of_named_origins_where_it_is_set(file: Path) -> None:
    given = {"CASELEDGER_DOCUMENTS": "only", "CASELEDGER_CORS_ORIGINS": "https://a.example, http://127.0.0.1:3000"}
    read, usual = read_settings(given, file), read_settings({"CASELEDGER_DOCUMENTS": "any"}, file)
    assert (read.trusted_only, read.origins) == (True, ("https://a.example", "http://127.0.0.1:3000"))
    assert (usual.trusted_only, usual.origins) == (False, ())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CASELEDGER_DOCUMENTS", "none", "is any, or only: .*; got “none”"),
        (
            "CASELEDGER_CORS_ORIGINS",
            "console.example",
            "such as https://console.example, or \\* for all; got “console.example”",
        ),
        ("CASELEDGER_CORS_ORIGINS", "https://a.example/path", "got “https://a.example/path”"),
        ("CASELEDGER_LIMIT_DEPTH", "0", "is a number from 1 to 100, such as 12; got “0”"),
        ("CASELEDGER_LIMIT_DEPTH", "101", "is a number from 1 to 100"),
        ("CASELEDGER_LIMIT_COST", "1000000001", "is a number from 1 to 1000000000, such as 100000"),
        ("CASELEDGER_LIMIT_RATE", "ten", "is a number from 1 to 100000, such as 10000; got “ten”"),
        ("CASELEDGER_LIMIT_SECONDS", "0", "is a number of seconds from 0.1 to 99999, such as 10; got “0”"),
    ],
)
def test_a_limit_that_is_none_is_refused(file: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} .*{message}"):
        read_settings({name: value}, file)
