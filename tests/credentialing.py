"""A decision's credential made by hand, and changed, without any database."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from jwcrypto.jwk import JWK  # type: ignore[import-untyped]  # the library has no types
from sd_jwt.verifier import SDJWTVerifier  # type: ignore[import-untyped]  # the library has no types

from domain.events import FiredRule, GateDecided
from domain.recorded import tags_of
from domain.vocabulary import Gate, Outcome
from given import NOW, A
from ledger.credential_keys import CredentialKey
from ledger.credentials import issued
from ledger.entry import draft, seal
from ledger.merkle import Frontier, leaf_hash, node_hash
from ledger.notes import Checkpoint, Note, Signer
from ledger.tree import Receipt, Signed

ISSUER: Final = "https://ledger.example"
KEY: Final = CredentialKey.generate()
SIGNER: Final = Signer.generate("caseledger/test")
STATUS: Final = f"{ISSUER}/graphql?documentId=sha256%3A00"
DECISION: Final = GateDecided(
    decision_id="decision-00000000-0000-4000-8000-000000000001",
    gate=Gate.COOPERATION,
    uscc=A,
    request={"uscc": A, "carrier": "CHINA_TELECOM"},
    as_of=date(2026, 5, 20),
    known_at=1,
    rulebook="2026.1",
    outcome=Outcome.REFUSE,
    reasons=(FiredRule(rule="LIC-1", outcome=Outcome.REFUSE, positions=()),),
    requested_by="carrier:CHINA_TELECOM:abcdefgh",
)


def receipt(event: Any = DECISION, signer: Signer = SIGNER) -> Receipt:
    """The receipt of an event at position 2 of a log of two entries."""
    made = draft(event, tags_of(event), date(2026, 5, 20), "carrier:CHINA_TELECOM:abcdefgh")
    entry, first = seal(made, 2, NOW), leaf_hash(b"{}")
    root = node_hash(first, leaf_hash(entry))
    text = Checkpoint(signer.name, 2, root).text
    note = Note(text, (signer.sign(text),)).encoded.decode()
    assert Frontier(0, ()).extend([first, leaf_hash(entry)])[0].root == root
    return Receipt(2, entry, (first,), Signed(2, root, note, NOW))


def read_by_others(text: str, keys: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """What the reference library of SD-JWT reads by one of these JSON Web Keys, and the issuer and header it looked at."""
    seen: list[Any] = []

    def key_of(issuer: str, header: dict[str, Any]) -> Any:
        seen.append((issuer, header))
        return JWK(**next(key for key in keys if key["kid"] == header["kid"]))

    return SDJWTVerifier(text, key_of).get_verified_payload(), seen


def credential(key: CredentialKey = KEY, event: Any = DECISION, signer: Signer = SIGNER) -> str:
    return issued(key, ISSUER, receipt(event, signer), lambda _: STATUS)


def part(text: str, place: int) -> Any:
    """The header (0) or the claims (1) of a credential."""
    found = text.split(".")[place]
    return json.loads(urlsafe_b64decode(found + "=" * (-len(found) % 4)))


def encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(claims: Any, key: CredentialKey = KEY, **header: Any) -> str:
    """A credential of these claims, which its issuer really signed."""
    return key.signed({"typ": "dc+sd-jwt", **header}, json.dumps(claims).encode()) + "~"


def changed(**claims: Any) -> str:
    """A credential of which some claims were changed before it was signed."""
    return signed({**part(credential(), 1), **claims})


def changed_receipt(**members: Any) -> str:
    return changed(receipt={**part(credential(), 1)["receipt"], **members})
