"""Credentials: what one says, that independent readers take it, and that nothing that was changed is believed."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from credentialing import (
    DECISION,
    ISSUER,
    KEY,
    SIGNER,
    STATUS,
    changed,
    changed_receipt,
    credential,
    encoded,
    part,
    read_by_others,
    receipt,
    signed,
)
from domain.events import EnterpriseRenamed
from domain.rulebook import RULEBOOK
from given import NOW, A
from ledger.credential_keys import CredentialKey
from ledger.credentials import Checked, DoesNotHold, NoCredential, check, issued, public_keys
from ledger.notes import Signer

KEYS = {KEY.kid: KEY.public}
LATER = NOW + timedelta(days=3_650)
WHOLE = credential()
HEAD, PAYLOAD, SIGNATURE = WHOLE.removesuffix("~").split(".")


def checked(text: str, **how: Any) -> Checked:
    return check(text, how.pop("keys", KEYS), how.pop("now", NOW), **how)


def test_the_reference_library_of_sd_jwt_reads_what_was_stated() -> None:
    claims, seen = read_by_others(WHOLE, [KEY.public])
    assert seen == [(ISSUER, {"alg": "ES256", "kid": KEY.kid, "typ": "dc+sd-jwt"})]
    (version,) = [each for each in RULEBOOK.versions if each.version == "2026.1"]
    proof = claims.pop("receipt")
    assert claims == {
        "iss": ISSUER,
        "iat": int(NOW.timestamp()),
        "vct": f"{ISSUER}/credentials/gate-decision/1",
        "sub": A,
        "decisionId": DECISION.decision_id,
        "position": 2,
        "gate": "COOPERATION",
        "carrier": "CHINA_TELECOM",
        "outcome": "REFUSE",
        "rules": ["LIC-1"],
        "asOf": "2026-05-20",
        "knownAt": 1,
        "rulebook": {"version": "2026.1", "sha256": RULEBOOK.sha256(version)},
        "status": {"caseledger": {"uri": STATUS}},
    }
    assert sha256(b"\0" + proof["entry"].encode()).hexdigest() == proof["leafHash"]
    assert len(WHOLE) < 4_096


def test_a_plain_reader_of_jws_verifies_it_too() -> None:
    found = jws.deserialize_compact(WHOLE.removesuffix("~"), ECKey.import_key({**KEY.public}), algorithms=["ES256"])
    assert json.loads(found.payload) == part(WHOLE, 1)


def test_it_holds_by_the_issuers_key_alone_and_by_the_logs_key_besides() -> None:
    found = checked(f" {WHOLE}\n", now=LATER)
    assert (found.issuer, found.event, found.recorded.position, found.log) == (ISSUER, DECISION, 2, None)
    assert found.status_uri == STATUS
    assert checked(WHOLE, log=SIGNER.verifier).log == SIGNER.verifier


def test_the_same_decision_gives_the_same_claims_and_under_one_key_the_same_bytes() -> None:
    made = receipt()
    assert credential() != WHOLE, "another entry has another random id"
    one, two = (issued(KEY, ISSUER, made, lambda _: STATUS) for _ in range(2))
    other = issued(CredentialKey.generate(), ISSUER, made, lambda _: STATUS)
    assert one == two != other
    assert part(one, 1) == part(other, 1)


OTHER = CredentialKey.generate()
HS256 = encoded({"alg": "HS256", "typ": "dc+sd-jwt", "kid": KEY.kid})
BY_PUBLIC_KEY = f"{HS256}.{PAYLOAD}." + encoded(
    hmac.digest(json.dumps(KEY.public).encode(), f"{HS256}.{PAYLOAD}".encode(), "sha256").hex()
)
RENAMED = EnterpriseRenamed(uscc=A, name="甲")
WRONG: dict[str, tuple[str, str]] = {
    "another key under the known id": (credential(OTHER).replace(credential(OTHER).split(".")[0], HEAD), "signature"),
    "another ledger's key": (credential(OTHER), "is not among those given"),
    "cut off within the signature": (f"{HEAD}.{PAYLOAD}.{SIGNATURE[:40]}~", "something was changed or cut off"),
    "without a signature": (f"{HEAD}.{PAYLOAD}.~", "something was changed or cut off"),
    "a changed claim": (
        f"{HEAD}.{encoded({**part(WHOLE, 1), 'outcome': 'PERMIT'})}.{SIGNATURE}~",
        "something was changed or cut off",
    ),
    "alg none": (f"{encoded({'alg': 'none', 'typ': 'dc+sd-jwt'})}.{PAYLOAD}.~", "signed by “none”; nothing but ES256"),
    "HS256 with the public key": (f"{BY_PUBLIC_KEY}~", "signed by “HS256”; nothing but ES256"),
    "another type of token": (signed(part(WHOLE, 1), typ="JWT"), "of the type “JWT”"),
    "a critical extension": (
        f"{encoded({**part(WHOLE, 0), 'crit': ['x']})}.{PAYLOAD}.{SIGNATURE}~",
        "without extensions",
    ),
    "a header that is none": (f"{encoded([1])}.{PAYLOAD}.{SIGNATURE}~", "Its header cannot be read"),
    "a statement that is none": (signed({"iss": ISSUER}), "Its statement cannot be read"),
    "a disclosure": (f"{WHOLE}WyJhIl0~", "holds disclosures"),
    "another kind of credential": (
        changed(vct=f"{ISSUER}/credentials/other/1"),
        "which is none that this program knows",
    ),
    "another issuer's type": (changed(iss="https://other.example"), "which is none that this program knows"),
    "expired": (changed(exp=int(NOW.timestamp()) - 61), "It has expired"),
    "from the future": (changed(nbf=int(NOW.timestamp()) + 61), "from the future"),
    "an outcome that is not the entry's": (
        changed(outcome="PERMIT"),
        "The claim outcome is “PERMIT”, and “REFUSE” in the",
    ),
    "a carrier that is not the entry's": (changed(carrier="CHINA_MOBILE"), "The claim carrier"),
    "rules that are not the entry's": (changed(rules=[]), "The claim rules"),
    "another rulebook of that name": (changed(rulebook={"version": "2026.1", "sha256": "0"}), "The claim rulebook"),
    "the leaf of another entry": (changed_receipt(leafHash="00" * 32), "of another entry: the leaf is not"),
    "the index of another entry": (changed_receipt(leafIndex=0), "of another entry: leaf 0 is not position 2"),
    "an entry that is none": (
        changed_receipt(entry="{}", leafHash=sha256(b"\0{}").hexdigest()),
        "The entry in its receipt cannot be read",
    ),
    "a proof of something else": (changed_receipt(proof=["00" * 32]), "not in the tree of its checkpoint (2 entries)"),
    "a proof in no hex": (changed_receipt(proof=["x"]), "no list of hashes in hex"),
    "no checkpoint": (changed_receipt(checkpoint="x"), "The checkpoint of its receipt is none"),
    "half a surrogate": (changed_receipt(entry="\ud800"), "Its statement cannot be read"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_was_changed_is_not_believed_and_the_first_thing_that_is_wrong_is_said(what: str) -> None:
    text, said = WRONG[what]
    with pytest.raises(DoesNotHold) as raised:
        checked(text)
    assert said in str(raised.value)


def test_no_character_can_be_another_one() -> None:
    for place in [*range(0, len(WHOLE), 37), *range(len(WHOLE) - len(SIGNATURE) - 3, len(WHOLE))]:
        for other in {"A", "B", "-"} - {WHOLE[place]}:
            with pytest.raises((DoesNotHold, NoCredential)):
                checked(f"{WHOLE[:place]}{other}{WHOLE[place + 1 :]}")


def test_a_receipt_of_an_event_that_is_no_decision_is_refused() -> None:
    with pytest.raises(DoesNotHold, match="of another entry: position 2 is EnterpriseRenamed"):
        credential(event=RENAMED)
    entry = receipt(RENAMED).entry.decode()
    with pytest.raises(DoesNotHold, match="of another entry: position 2 is EnterpriseRenamed"):
        checked(changed_receipt(entry=entry, leafHash=sha256(b"\0" + entry.encode()).hexdigest()))


def test_a_checkpoint_of_another_log_is_refused_even_if_the_issuers_key_signed_the_claims() -> None:
    forged = credential(signer=Signer.generate(SIGNER.name))
    assert checked(forged).log is None
    with pytest.raises(DoesNotHold, match="The checkpoint of its receipt is none of caseledger/test"):
        checked(forged, log=SIGNER.verifier)


NONE = {
    "nothing": "",
    "two parts": "a.b",
    "JSON": "{}",
    "the end alone": "~",
    "cut off within the payload": WHOLE[: len(HEAD) + 40],
    "no text": "\x00" * 10,
    "far too long": "a" * 2_000_000,
}


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_credential_is_told_from_one_that_does_not_hold(what: str) -> None:
    text = NONE[what]
    with pytest.raises(NoCredential, match=r"This is no credential: one reads HEADER\.PAYLOAD\.SIGNATURE~"):
        checked(text)


def test_one_that_lost_its_end_is_said_to_be_cut_off() -> None:
    with pytest.raises(NoCredential, match="cut off"):
        checked(WHOLE.removesuffix("~"))


def test_a_key_set_gives_the_public_parts_of_its_keys_that_can_have_signed() -> None:
    private = json.loads(KEY.text) | {"kid": KEY.kid}
    others = [{"kty": "RSA"}, {**KEY.public, "use": "enc"}, {**KEY.public, "alg": "ES384"}, {**KEY.public, "kid": 1}]
    found = public_keys(json.dumps({"keys": [*others, private]}).encode())
    assert list(found) == [KEY.kid]
    assert "d" not in found[KEY.kid]
    assert checked(WHOLE, keys=found).kid == KEY.kid


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"keys": 1}', b'{"keys": [1]}', b'{"keys": []}', b"\xff", b'{"keys": [{"kty": "RSA"}]}']
)
def test_what_is_no_set_of_such_keys_is_refused(text: bytes) -> None:
    with pytest.raises(NoCredential, match="JSON Web Key Set"):
        public_keys(text)


def test_a_key_whose_numbers_are_no_point_is_said_so() -> None:
    with pytest.raises(DoesNotHold, match="cannot be verified"):
        checked(WHOLE, keys={KEY.kid: {**KEY.public, "x": "AA"}})
