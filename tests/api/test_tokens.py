"""Tokens of an issuer that is trusted: who is believed, as whom, and what happens while the issuer is away."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from threading import Barrier, Thread
from time import time
from typing import Any, Final

import httpx
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from api.issuer_keys import FETCH_SECONDS, MOST_WAITING, OLD_SECONDS, REFETCH_SECONDS, IssuerKeys, is_safe
from api.tokens import LONGEST, SKEW_SECONDS, Tokens
from domain.callers import Caller, Role
from given import registered
from issuing import Issuer, b64, new_key
from ledger.remembered import REMEMBERED_SECONDS
from ledger.trust import Trust
from running import System, started, wait_until
from subscribing import EVENTS, socket

HEAD: Final = "{ ledger { head } }"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as serving:
        yield serving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(issuer: Issuer, clock: Clock) -> Tokens:
    return Tokens(Trust(issuer.url), IssuerKeys(issuer.url, clock), clock)


@pytest.fixture(scope="module")
def served(database: str) -> Iterator[tuple[System, Issuer]]:
    """A system that trusts an issuer."""
    with Issuer() as issuer, started(database, trust=Trust(issuer.url)) as system:
        yield system, issuer


def ask(system: System, token: str, query: str = HEAD, scheme: str = "Bearer") -> httpx.Response:
    headers = {"authorization": f"{scheme} {token}", "accept-language": "en"}
    return system.http.post("/graphql", json={"query": query}, headers=headers)


ROLES: Final[list[tuple[dict[str, Any], Caller]]] = [
    ({"caseledger_role": "regulator", "caseledger_authority": "MIIT"}, Caller(Role.REGULATOR, authority="MIIT")),
    ({"caseledger_role": "regulator", "caseledger_authority": "CA-11"}, Caller(Role.REGULATOR, authority="CA-11")),
    (
        {"caseledger_role": "carrier", "caseledger_carrier": "CHINA_TELECOM"},
        Caller(Role.CARRIER, carrier="CHINA_TELECOM"),
    ),
    ({"caseledger_role": "auditor"}, Caller(Role.AUDITOR)),
    ({"caseledger_role": ["offline_access", "intake"]}, Caller(Role.INTAKE)),
    ({"caseledger_role": "public"}, Caller(Role.PUBLIC)),
    (
        {"scope": "openid personal:read profile"},
        Caller(Role.AUDITOR, scopes=frozenset(["personal:read"])),
    ),
    (
        {"scope": ["personal:erase", "personal:read", "x"]},
        Caller(Role.AUDITOR, scopes=frozenset(["personal:read", "personal:erase"])),
    ),
    # Whom a token speaks for counts for its role alone.
    ({"caseledger_carrier": "CHINA_TELECOM", "caseledger_authority": "MIIT"}, Caller(Role.AUDITOR)),
]


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256"])
@pytest.mark.parametrize(("claims", "caller"), ROLES)
def test_a_token_says_who_holds_it(tokens: Tokens, issuer: Issuer, claims: Any, caller: Caller, alg: str) -> None:
    found = tokens.caller(issuer.token(alg=alg, **claims))
    assert found is not None
    assert (found.role, found.authority, found.carrier, found.scopes) == (
        caller.role, caller.authority, caller.carrier, caller.scopes,
    )  # fmt: skip


def test_a_holder_is_the_same_for_a_subject_and_does_not_show_it(tokens: Tokens, issuer: Issuer) -> None:
    first, again, other = (tokens.caller(issuer.token(sub=sub, jti=jti)) for sub, jti in [("王@a.cn", "1"), ("王@a.cn", "2"), ("b", "3")])  # fmt: skip
    assert first and again and other
    assert first.holder == again.holder != other.holder
    assert first.holder.startswith("oidc-") and len(first.holder) == 21
    assert "王" not in first.signature


def test_claims_may_have_other_names(issuer: Issuer) -> None:
    names = {"role_claim": "https://x.example/r", "carrier_claim": "c", "authority_claim": "a", "scope_claim": "scp"}
    tokens = Tokens(Trust(issuer.url, "ours", **names), IssuerKeys(issuer.url))
    claims: dict[str, Any] = {
        "caseledger_role": None,
        "https://x.example/r": "carrier",
        "c": "CHINA_MOBILE",
        "scp": ["personal:read"],
    }
    caller = tokens.caller(issuer.token(aud=["theirs", "ours"], **claims))
    assert caller is not None
    assert (caller.role, caller.carrier, caller.scopes) == (Role.CARRIER, "CHINA_MOBILE", frozenset(["personal:read"]))
    assert tokens.caller(issuer.token(**claims)) is None


def flipped(token: str) -> str:
    """The same with another signature."""
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def signed_for_another(token: str) -> str:
    """The signature under other claims."""
    head, body, signature = token.split(".")
    claims = json.loads(urlsafe_b64decode(body + "=="))
    return f"{head}.{b64(json.dumps({**claims, 'caseledger_role': 'regulator'}).encode())}.{signature}"


BAD: Final[dict[str, Callable[[Issuer], str]]] = {
    "another issuer": lambda i: i.token(iss="https://other.example"),
    "the issuer with a slash": lambda i: i.token(iss=i.url + "/"),
    "no issuer": lambda i: i.token(iss=None),
    "another audience": lambda i: i.token(aud="another"),
    "no audience": lambda i: i.token(aud=None),
    "an audience that is none": lambda i: i.token(aud={"caseledger": 1}),
    "alg none": lambda i: i.without_signature(),
    "alg None": lambda i: i.without_signature("None"),
    "no signature": lambda i: i.without_signature("ES256"),
    "HS256 by the public key": lambda i: i.by_public_key_as_secret(),
    "ES256 named for an RSA key": lambda i: i.token(header={"kid": "rsa-1"}),
    "expired": lambda i: i.token(exp=int(time()) - SKEW_SECONDS - 5),
    "no expiry": lambda i: i.token(exp=None),
    "an expiry that is none": lambda i: i.token(exp="9999999999"),
    "not valid yet": lambda i: i.token(nbf=int(time()) + SKEW_SECONDS + 30),
    "made in the future": lambda i: i.token(iat=int(time()) + SKEW_SECONDS + 30),
    "an unknown kid": lambda i: i.token(header={"kid": "other"}),
    "no kid": lambda i: i.token(header={"kid": None}),
    "RS512": lambda i: i.token(alg="RS512", header={"kid": "rsa-1"}),
    "a key of another": lambda i: i.token(new_key("ec-1")),
    "another signature": lambda i: flipped(i.token()),
    "other claims": lambda i: signed_for_another(i.token()),
    "another type": lambda i: i.token(header={"typ": "logout+jwt"}),
    "what is critical and unknown": lambda i: i.token(header={"crit": ["b64"], "b64": True}),
    "no subject": lambda i: i.token(sub=None),
    "an empty subject": lambda i: i.token(sub=""),
    "no role": lambda i: i.token(caseledger_role=None),
    "a role that is none of ours": lambda i: i.token(caseledger_role="minister"),
    "two roles": lambda i: i.token(caseledger_role=["auditor", "intake"]),
    "a role in another form": lambda i: i.token(caseledger_role={"role": "auditor"}),
    "a carrier without its code": lambda i: i.token(caseledger_role="carrier"),
    "a carrier's code that is none": lambda i: i.token(caseledger_role="carrier", caseledger_carrier="telecom"),
    "a regulator without an authority": lambda i: i.token(caseledger_role="regulator"),
    "an authority that is none": lambda i: i.token(caseledger_role="regulator", caseledger_authority="CA-99"),
    "too long": lambda i: i.token(pad="x" * LONGEST),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_token_that_is_not_as_it_should_be_is_401_and_is_not_repeated(
    served: tuple[System, Issuer], bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    system, issuer = served
    assert ask(system, issuer.token()).status_code == 200
    token = BAD[bad](issuer)
    with structlog.testing.capture_logs() as logged:
        answer = ask(system, token)
    said = capsys.readouterr()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["message"].startswith("The key or token is not valid, has expired or was revoked; send a valid one")
    written = answer.text + said.out + said.err + str(logged)
    assert all(part not in written for part in token.split(".") if len(part) > 8)


def test_the_clocks_may_be_a_minute_apart(tokens: Tokens, issuer: Issuer) -> None:
    assert SKEW_SECONDS == 60
    assert tokens.caller(issuer.token(exp=int(time()) - 50))
    assert tokens.caller(issuer.token(nbf=int(time()) + 50, iat=int(time()) + 50))
    assert tokens.caller(issuer.token(exp=10**400))


def test_why_a_token_is_not_believed_is_logged_in_fixed_words_and_seldom(
    tokens: Tokens, issuer: Issuer, clock: Clock
) -> None:
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            assert tokens.caller(issuer.token(aud="another")) is None
        assert tokens.caller(issuer.token(exp=1)) is None
        clock.now += 10
        assert tokens.caller(issuer.token(aud="another")) is None
    assert [each["why"] for each in logged] == ["claim aud", "expired_token", "claim aud"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_token_records_and_reads_as_its_role(served: tuple[System, Issuer], scheme: str) -> None:
    system, issuer = served
    regulator = issuer.token(caseledger_role="regulator", caseledger_authority="CA-11", sub=f"zhang-{scheme}")
    query = """mutation { record(input: { idempotencyKey: "once", facts: [{ enterpriseRegistered: {
        uscc: "USCC", name: "N", province: "11" } }] }) { events { recordedBy } errors { code } } }"""
    fact = registered()
    answer = ask(system, regulator, query.replace("USCC", fact.fields["uscc"]), scheme).json()["data"]["record"]
    if answer["events"]:
        (event,) = answer["events"]
        assert event["recordedBy"].startswith("regulator:CA-11:oidc-")
    else:
        assert [error["code"] for error in answer["errors"]] == ["ALREADY_EXISTS"]
    assert ask(system, issuer.token(), "{ ledger { events { position } } }").json()["data"]["ledger"]["events"]
    carrier = issuer.token(caseledger_role="carrier", caseledger_carrier="CHINA_TELECOM")
    (error,) = ask(system, carrier, "{ ledger { events { position } } }").json()["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"


def test_keys_are_taken_beside_tokens(served: tuple[System, Issuer]) -> None:
    system, _ = served
    assert system.ask(HEAD, key="auditor")
    assert ask(system, "clk_aaaaaaaa_" + "A" * 43).status_code == 401
    assert ask(system, "a.b").status_code == 401


def test_without_a_trusted_issuer_no_token_is_taken(issuer: Issuer, shared: System) -> None:
    assert ask(shared, issuer.token()).status_code == 401
    assert issuer.asked == []


def test_a_token_is_remembered_a_few_seconds_and_not_beyond_its_end(
    tokens: Tokens, issuer: Issuer, clock: Clock
) -> None:
    lasting, ending = issuer.token(), issuer.token(exp=int(time()) - SKEW_SECONDS + 2)
    assert tokens.remembered(lasting) is None
    assert tokens.caller(lasting) and tokens.caller(ending)
    assert tokens.remembered(lasting) and tokens.remembered(ending)
    clock.now += 2.5
    assert tokens.remembered(ending) is None
    clock.now += REMEMBERED_SECONDS
    assert tokens.remembered(lasting) is None


# The issuer's keys


def test_keys_are_fetched_at_the_first_token_and_then_kept(tokens: Tokens, issuer: Issuer, clock: Clock) -> None:
    assert issuer.asked == []
    for number in range(5):
        clock.now += REMEMBERED_SECONDS
        assert tokens.caller(issuer.token(jti=str(number)))
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_a_key_that_is_not_known_is_asked_for_but_not_too_often(tokens: Tokens, issuer: Issuer, clock: Clock) -> None:
    assert tokens.caller(issuer.token())
    key = new_key("ec-2")
    for number in range(20):
        assert tokens.caller(issuer.token(key, jti=str(number))) is None
    assert issuer.asked.count("/jwks") == 1
    clock.now += REFETCH_SECONDS
    issuer.published.append(key.as_dict(private=False))
    assert tokens.caller(issuer.token(key))
    assert issuer.asked.count("/jwks") == 2
    clock.now += REFETCH_SECONDS
    assert tokens.caller(issuer.token(new_key("ec-3"))) is None
    assert tokens.caller(issuer.token(new_key("ec-4"))) is None
    assert issuer.asked.count("/jwks") == 3


def test_a_token_that_is_not_of_the_issuer_asks_it_for_nothing(tokens: Tokens, issuer: Issuer) -> None:
    key = new_key("other")
    assert tokens.caller(issuer.token(key, iss="https://other.example")) is None
    assert tokens.caller(issuer.without_signature()) is None
    assert issuer.asked == []


def test_a_key_that_was_taken_back_is_not_believed_once_the_keys_are_old(
    tokens: Tokens, issuer: Issuer, clock: Clock
) -> None:
    assert tokens.caller(issuer.token())
    next_key = new_key("ec-2")
    issuer.published[:] = [next_key.as_dict(private=False)]
    clock.now += OLD_SECONDS
    # Fetched beside this request, which goes on with what is known.
    assert tokens.caller(issuer.token(jti="2"))
    wait_until(lambda: issuer.asked.count("/jwks") == 2)
    wait_until(lambda: tokens.caller(issuer.token(next_key)) is not None)
    assert tokens.caller(issuer.token(jti="3")) is None
    assert issuer.asked.count("/jwks") == 2


def test_while_the_issuer_is_away_known_keys_go_on_and_others_are_401(database: str) -> None:
    with Issuer() as issuer, started(database, trust=Trust(issuer.url)) as system:
        assert ask(system, issuer.token()).status_code == 200
        issuer.go_away()
        assert ask(system, issuer.token(jti="2")).status_code == 200
        assert ask(system, issuer.token(new_key("ec-9"))).status_code == 401
        assert system.ask(HEAD, key="auditor")


def test_an_issuer_that_was_away_at_first_is_asked_again(tokens: Tokens, issuer: Issuer, clock: Clock) -> None:
    issuer.go_away()
    assert tokens.caller(issuer.token()) is None
    issuer.come_back()
    assert tokens.caller(issuer.token()) is None
    clock.now += REFETCH_SECONDS
    assert tokens.caller(issuer.token())


ANSWERS: Final[dict[str, tuple[int, bytes]]] = {
    "an error": (500, b"{}"),
    "a redirect": (302, b""),
    "no JSON": (200, b"<html>"),
    "other JSON": (200, b"[]"),
    "too deep": (200, b"[" * 100_000),
    "too long": (200, b" " * 300_000),
    "no keys": (200, b'{"keys": []}'),
    "keys that are none": (200, b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": 1}]}'),
    "another's configuration": (200, b'{"issuer": "https://other.example", "jwks_uri": "https://other.example/jwks"}'),
}


@pytest.mark.parametrize("what", ANSWERS)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
def test_an_issuer_that_answers_badly_takes_no_known_key_away(
    tokens: Tokens, issuer: Issuer, clock: Clock, what: str, path: str
) -> None:
    assert tokens.caller(issuer.token())
    issuer.answer = lambda asked: ANSWERS[what] if asked == path else issuer.usual(asked)
    clock.now += REFETCH_SECONDS
    assert tokens.caller(issuer.token(new_key("new"))) is None
    assert tokens.caller(issuer.token(jti="2"))


def test_keys_are_not_had_from_where_somebody_could_change_them(tokens: Tokens, issuer: Issuer) -> None:
    found = json.dumps({"issuer": issuer.url, "jwks_uri": "http://keys.example/jwks"}).encode()
    issuer.answer = lambda path: (200, found)
    assert tokens.caller(issuer.token()) is None
    assert is_safe("https://keys.example/jwks") and is_safe("http://[::1]:80/jwks")
    assert not any(map(is_safe, ["http://keys.example/jwks", "file:///etc/passwd", "jwks", "", "http://[", "https://"]))


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "ECDH-ES"}, {"alg": "HS256"}, {"kty": "oct", "k": "AAAA"}])
def test_keys_for_something_else_are_passed_over(tokens: Tokens, issuer: Issuer, change: dict[str, str]) -> None:
    key = new_key("ec-2")
    issuer.published.append({**key.as_dict(private=False), **change})
    assert tokens.caller(issuer.token(key)) is None
    assert tokens.caller(issuer.token())


def test_an_issuer_that_is_slow_does_not_hold_up_more_than_a_few(issuer: Issuer) -> None:
    keys = IssuerKeys(issuer.url)
    issuer.seconds = FETCH_SECONDS * 2
    began, ended = Barrier(MOST_WAITING + 3), []

    def find() -> None:
        began.wait()
        start = time()
        assert keys.find("ec-1") is None
        ended.append(time() - start)

    threads = [Thread(target=find) for _ in range(MOST_WAITING + 2)]
    for thread in threads:
        thread.start()
    began.wait()
    for thread in threads:
        thread.join()
    assert sorted(ended)[1] < FETCH_SECONDS / 2
    assert max(ended) < FETCH_SECONDS * 2
    assert len(issuer.asked) == 1


def test_the_keys_are_there_before_the_first_token(database: str) -> None:
    with Issuer() as issuer, started(database, trust=Trust(issuer.url)) as system:
        wait_until(lambda: "/jwks" in issuer.asked)
        issuer.go_away()
        assert ask(system, issuer.token()).status_code == 200


def test_those_who_come_while_the_first_keys_are_on_their_way_wait_for_them(issuer: Issuer) -> None:
    keys = IssuerKeys(issuer.url)
    issuer.seconds = 0.2
    found: list[Any] = []
    threads = [Thread(target=lambda: found.append(keys.find("ec-1"))) for _ in range(MOST_WAITING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == MOST_WAITING
    assert None not in found
    assert issuer.asked.count("/jwks") == 1


# Streams


def test_a_subscriber_whose_token_ends_is_cut_off(served: tuple[System, Issuer]) -> None:
    system, issuer = served
    token = issuer.token(exp=int(time()) - SKEW_SECONDS + 2)
    with socket(system.url, f"Bearer {token}") as opened:
        opened.subscribe(EVENTS)
        opened.results(1)
        assert opened.closed()[0] == 4401


# Whatever is sent

PART: Final = st.one_of(
    st.binary(max_size=40).map(b64),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "iss"]), inner), max_leaves=5).map(lambda v: b64(json.dumps(v).encode())),
    st.text(max_size=20),
    st.just(b64(b"[" * 3000)),
    st.just(b64(b'{"alg":"ES256","kid":"ec-1"}')),
)  # fmt: skip


@given(parts=st.lists(PART, min_size=3, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_is_sent_is_a_token_or_none(parts: list[str]) -> None:
    tokens = Tokens(Trust("https://nobody.invalid"), _NO_KEYS)
    assert tokens.caller(".".join(parts)) is None


@given(claims=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "caseledger_role", "scope"]), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=4)))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_whatever_an_issuer_claims_is_a_caller_or_none(claims: dict[str, Any]) -> None:
    with Issuer() as issuer:
        tokens = Tokens(Trust(issuer.url), IssuerKeys(issuer.url))
        found = tokens.caller(issuer.token(**claims))
    assert found is None or found.role in Role


class _NoKeys(IssuerKeys):
    def find(self, kid: str | None) -> None:
        return None


_NO_KEYS: Final = _NoKeys("https://nobody.invalid")
