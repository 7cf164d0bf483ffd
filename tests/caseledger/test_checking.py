"""`caseledger check-credential` and `rotate-credential-key`."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caseledger.settings import Settings
from commanding import Ran
from credentialing import KEY, SIGNER, changed, credential, part, signed
from gating import READY, cooperation, decided
from given import listed
from running import System, started


@pytest.fixture
def files(ran: Ran, tmp_path: Path) -> Path:
    """A folder with a credential, its issuer's keys and its log's key; no database is anywhere."""
    (tmp_path / "credential").write_text(credential() + "\n")
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.public]}))
    (tmp_path / "log.key").write_text(f"{SIGNER.verifier}\n")
    (tmp_path / "empty.json").write_text('{"keys": []}')
    (tmp_path / "open.key").write_text("clk_x")
    (tmp_path / "open.key").chmod(0o644)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_a_credential_is_checked_without_any_ledger_and_said_in_two_languages(ran: Ran) -> None:
    assert ran("check-credential", "credential", "--key", "jwks.json", "--log-key", "log.key") == 0, ran.err
    zh, en = ran.out.splitlines()
    assert zh.startswith("凭证成立：https://ledger.example 于 ")
    assert "关口 合作 COOPERATION（CHINA_TELECOM），结果 拒绝 REFUSE，触发规则 LIC-1；" in zh
    assert en.startswith("The credential holds: https://ledger.example recorded the decision decision-0000")
    assert en.endswith(f"signed by {SIGNER.verifier}.")
    assert ran.err == ""


@pytest.mark.usefixtures("files")
def test_without_the_logs_key_it_holds_and_says_what_was_not_looked_at(ran: Ran) -> None:
    assert ran("check-credential", "credential", "--key", "jwks.json") == 0
    assert "whose checkpoint that is was not looked at: give --log-key." in ran.out
    found = ran.json("check-credential", "credential", "--key", "jwks.json")
    assert (found["holds"], found["outcome"], found["verifier"], found["overtaken"]) == (True, "REFUSE", None, None)
    assert (found["carrier"], found["rules"], found["kid"]) == ("CHINA_TELECOM", ["LIC-1"], KEY.kid)


@pytest.mark.usefixtures("files")
def test_a_credential_comes_by_standard_input_and_keys_from_several_sets(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = {**KEY.public, "kid": "other"}
    (tmp_path / "older.json").write_text(json.dumps({"keys": [other]}))
    piped = io.TextIOWrapper(io.BytesIO(credential().encode()))
    monkeypatch.setattr("sys.stdin", piped)
    assert ran("check-credential", "-", "--key", "older.json", "--key", "jwks.json") == 0


WRONG = {
    "a changed claim": (changed(outcome="PERMIT"), "The claim outcome is “PERMIT”, and “REFUSE” in the entry"),
    "cut off": (credential()[:-80] + "~", "something was changed or cut off"),
    "another token": (signed(part(credential(), 1), typ="JWT"), "of the type “JWT”"),
}


@pytest.mark.parametrize("what", WRONG)
def test_one_that_does_not_hold_is_said_so_in_one_sentence_with_code_1(ran: Ran, files: Path, what: str) -> None:
    text, said = WRONG[what]
    (files / "credential").write_text(text)
    assert ran("check-credential", "credential", "--key", "jwks.json") == 1
    assert ran.err.startswith("The credential does not hold. ")
    assert said in ran.err
    assert (ran.out, ran.err.count("\n")) == ("", 1)
    assert ran("check-credential", "credential", "--key", "jwks.json", "--json") == 1
    assert json.loads(ran.out)["holds"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["credential"], "Give the issuer's public keys by --key"),
        (["nowhere", "--key", "jwks.json"], "nowhere cannot be read"),
        (["jwks.json", "--key", "jwks.json"], "This is no credential: one reads"),
        (["cut", "--key", "jwks.json"], "This credential is cut off"),
        (["credential", "--key", "nowhere"], "The keys nowhere cannot be read"),
        (["credential", "--key", "log.key"], "“log.key” gives no keys of an issuer. A JSON Web Key Set reads"),
        (["credential", "--key", "empty.json"], "has no key of P-256 for ES256"),
        (["credential", "--key", "http://ledger.example/keys"], "is not asked: a URL here is https://…"),
        (["credential", "--key", "http://127.0.0.1:1/keys"], "does not answer (ConnectError)"),
        (["credential", "--key", "jwks.json", "--log-key", "jwks.json"], "--log-key is a ledger's verifier key"),
        (["credential", "--key", "jwks.json", "--api-key", "open.key"], "--api-key is for --online"),
        (["credential", "--key", "jwks.json", "--log-key", "log.key", "--online", "http://x.example"], "is not asked"),
        (
            [
                "credential",
                "--key",
                "jwks.json",
                "--log-key",
                "log.key",
                "--online",
                "http://127.0.0.1:1",
                "--api-key",
                "open.key",
            ],
            "open.key has mode 0644",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_one_sentence_with_code_2(
    ran: Ran, files: Path, arguments: list[str], said: str
) -> None:
    (files / "cut").write_text(credential()[:-1])
    assert ran("check-credential", *arguments) == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1


@pytest.fixture(scope="module")
def ledger(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(*READY)
        yield system


class Online:
    """A decision's credential in a file, and the API keys of a ledger that is served."""

    def __init__(self, ledger: System, ran: Ran, folder: Path) -> None:
        self.ran = ran
        self.url = ledger.url
        asked = "query ($id: ID!) { decision(id: $id) { credential } }"
        made = decided(ledger, cooperation(), key="telecom")["id"]
        (folder / "credential").write_text(ledger.ask(asked, {"id": made})["decision"]["credential"])
        for name in ("telecom", "mobile"):
            (folder / f"{name}.key").write_text(f"{ledger.secrets[name]}\n")
            (folder / f"{name}.key").chmod(0o600)
        (folder / "wrong.key").write_text("clk_wrong")
        (folder / "wrong.key").chmod(0o600)

    def __call__(self, *more: str) -> int:
        return self.ran("check-credential", "credential", "--online", self.url, *more)


@pytest.fixture
def online(ledger: System, ran: Ran, tmp_path: Path) -> Online:
    return Online(ledger, ran, tmp_path)


def test_online_it_stands_until_the_same_request_is_answered_otherwise(online: Online, ledger: System) -> None:
    ran = online.ran
    assert online("--api-key", "telecom.key") == 0, ran.err
    zh, en = ran.out.splitlines()
    assert "至今有效：" in zh
    assert "It stands: the same request is answered the same as of" in en
    assert ran.err.startswith(f"The keys are taken on the word of {ledger.url}")
    ledger.known(listed("2026-05-02"))
    assert online("--api-key", "telecom.key") == 1
    zh, en = ran.out.splitlines()
    assert "已被取代：" in zh
    assert "It was OVERTAKEN: the same request is answered REVIEW, rules CRD-2, as of" in en
    assert online("--api-key", "telecom.key", "--json") == 1
    found = json.loads(ran.out)
    assert (found["holds"], found["overtaken"], found["now"]["outcome"]) == (True, True, "REVIEW")
    assert found["verifier"] == str(ledger.verifier)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Give --api-key, a file of a key that may see the decision."),
        (["--api-key", "wrong.key"], 2, "answers 401: “The key or token is not valid"),
        (["--api-key", "nowhere.key"], 2, "The API key nowhere.key cannot be read"),
        (["--api-key", "mobile.key"], 1, "it is another ledger's, or this API key may not see it."),
    ],
)
def test_who_may_not_see_the_decision_is_told_so(online: Online, arguments: list[str], code: int, said: str) -> None:
    assert online(*arguments) == code
    assert said in online.ran.err


def test_a_credential_of_another_ledger_does_not_hold_online(online: Online, tmp_path: Path) -> None:
    (tmp_path / "credential").write_text(credential())
    assert online("--api-key", "telecom.key") == 1
    assert "is not among those given" in online.ran.err
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.public]}))
    (tmp_path / "log.key").write_text(str(SIGNER.verifier))
    elsewhere = changed(status={"caseledger": {"uri": "https://elsewhere.example/graphql?x"}})
    (tmp_path / "credential").write_text(elsewhere)
    given = ("--key", "jwks.json", "--log-key", "log.key", "--api-key", "telecom.key")
    assert online(*given) == 1
    assert "It names no place at its issuer's" in online.ran.err


def test_the_key_is_rotated_and_withdrawn_by_a_command(placed: Ran) -> None:
    one: Any = placed.json("rotate-credential-key")
    two: Any = placed.json("rotate-credential-key")
    assert (one["older"], two["older"]) == (0, 1)
    assert placed("rotate-credential-key") == 0
    assert placed.err.endswith("what 2 older keys signed stays verifiable.\n")
    assert placed("rotate-credential-key", "--withdraw") == 0
    assert placed.err.endswith("nothing that older keys signed is to be believed.\n")


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["rotate-credential-key"]])
def test_a_key_of_credentials_that_cannot_be_used_is_said_in_one_sentence(
    placed: Ran, settings: Settings, command: list[str]
) -> None:
    settings.home.mkdir()
    settings.credential_key.mkdir()
    assert placed(*command) == 2
    assert f"{settings.credential_key}" in placed.err.splitlines()[-1]
    assert "Traceback" not in placed.err
