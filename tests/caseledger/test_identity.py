"""Keys, tokens and the read log of servers in processes of their own."""

import time
from collections.abc import Iterator

import httpx
import pytest

from caseledger.settings import Settings
from caseledger.wiring import System, open_system
from domain.callers import Caller, Role
from given import A, registered
from issuing import Issuer
from ledger.read_log import ReadFilter
from processes import Begin
from running import wait_until

HISTORY = f'{{ enterprise(uscc: "{A}") {{ history {{ totalCount }} }} }}'


@pytest.fixture
def ledger(settings: Settings) -> Iterator[System]:
    """The ledger beside the servers, with an enterprise in it."""
    with open_system(settings) as system:
        made = system.ledger.record(Caller(Role.REGULATOR, "test", "MIIT"), "r", [registered()])
        assert made.refusals == ()
        system.runner.catch_up()
        yield system


def ask(url: str, bearer: str) -> int:
    # A connection of its own each time, so that any of the workers may answer.
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.post(f"{url}/graphql", json={"query": HISTORY}, headers=headers, timeout=30).status_code


def test_reads_and_last_uses_are_written_beside_and_at_the_latest_at_the_end(ledger: System, begin: Begin) -> None:
    key, info = ledger.keys.create("auditor")
    process = begin("serve", "--port", "0")
    url = process.says(r"http://127\.0\.0\.1:\d+")
    assert ask(url, key) == 200
    wait_until(lambda: ledger.read_log.count(ReadFilter(A)) == 1)
    assert [ask(url, key) for _ in range(20)] == [200] * 20
    assert process.end() == 0
    found = ledger.read_log.found(ReadFilter(A), 100, None)
    assert len(found) == 21
    assert {each.reader for each in found} == {f"auditor:{info.id}"}
    (listed,) = ledger.keys.list()
    assert listed.last_used_at is not None


def test_a_key_that_was_revoked_elsewhere_is_refused_by_every_process_within_five_seconds(
    ledger: System, begin: Begin
) -> None:
    key, info = ledger.keys.create("auditor")
    urls = [begin("serve", "--port", "0").says(r"http://127\.0\.0\.1:\d+") for _ in range(2)]
    assert [ask(url, key) for url in urls] == [200, 200]
    ledger.keys.revoke(info.id)
    revoked = time.monotonic()
    while 200 in (codes := {ask(url, key) for url in urls}):
        assert time.monotonic() - revoked < 5
        time.sleep(0.1)
    assert codes == {401}


def test_a_served_ledger_takes_the_tokens_of_its_issuer_and_logs_none(ledger: System, begin: Begin) -> None:
    with Issuer() as issuer:
        process = begin("serve", "--port", "0", CASELEDGER_OIDC_ISSUER=issuer.url, CASELEDGER_OIDC_AUDIENCE="ours")
        url = process.says(r"http://127\.0\.0\.1:\d+(?=\n)")
        good, bad = issuer.token(aud="ours"), issuer.token()
        assert (ask(url, good), ask(url, bad)) == (200, 401)
        assert process.end() == 0
    said = "".join(process.out + process.err)
    assert '"why": "claim aud"' in said
    assert all(part not in said for token in (good, bad) for part in token.split("."))
    (read,) = ledger.read_log.found(ReadFilter(A), 100, None)
    assert read.reader.startswith("auditor:oidc-")
