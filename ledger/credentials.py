"""A decision as a credential that can be carried away: an SD-JWT VC of one signed statement and nothing to disclose.

It is what draft-ietf-oauth-sd-jwt-vc (read at -19) asks for on top of RFC 9901: `typ` is dc+sd-jwt, `vct` names the type, and the
compact form ends in `~`. Nothing is selectively disclosable: the statement holds no personal field, and a verification record
of which a part is withheld is none. There is no `cnf` either: the record is about an enterprise, and whoever files it need
not prove to be anyone. Nor does it expire, since what was decided stays decided: whether that was overtaken is asked at `status`.

Two signatures stand for a decision. The issuer's is over all claims. The other is the log's, over the checkpoint that the
decision was acknowledged under; the receipt has the entry itself, so that who knows the log's key sees by it that the claims
are those of the entry in the tree, whoever signed them. All of it follows from the log alone: the checkpoint is the first
one that holds the entry, without cosignatures, which come later. So the same decision gives the same claims at any time.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey

from domain.events import GateDecided
from domain.recorded import Recorded
from domain.rulebook import RULEBOOK
from domain.text import shown
from ledger.credential_keys import ALGORITHM, CURVE, CredentialKey, Jwk
from ledger.entry import canonical, opened
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.notes import Checkpoint, MalformedNote, Note, UnverifiedNote, Verifier, open_checkpoint
from ledger.tree import Receipt
from ledger.upcasters import UnknownVersion

TYPE: Final = "dc+sd-jwt"
TYPE_PATH: Final = "/credentials/gate-decision/1"
"""Below the issuer's URL: its `vct`. What is said otherwise one day gets another number."""
STATUS: Final = "caseledger"
"""The member of `status` that is ours: a `uri` by which GET says what the same request is answered now."""
LONGEST: Final = 1024 * 1024
"""Characters of a credential; one has about 4,000."""
SKEW_SECONDS: Final = 60
"""How far the issuer's clock and the reader's may be apart."""
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)(~.*)?", re.DOTALL)

T = TypeVar("T")


class NoCredential(Exception):
    """What cannot be looked at as a credential; the message says what was got and what one looks like."""


class DoesNotHold(Exception):
    """A credential that must not be believed; the message says the first thing that is wrong."""


class _Header(msgspec.Struct):
    alg: str
    kid: str = ""
    typ: str = ""
    crit: list[str] | None = None


class _Receipt(msgspec.Struct, rename="camel"):
    checkpoint: str
    entry: str
    leaf_hash: str
    leaf_index: int
    proof: list[str]


class _Claims(msgspec.Struct):
    iss: str
    iat: int
    vct: str
    receipt: _Receipt
    rulebook: dict[str, str]
    status: dict[str, Any] = {}
    exp: float | None = None
    nbf: float | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A credential that holds: whose, of which decision, and under which checkpoint of the log."""

    issuer: str
    kid: str
    recorded: Recorded
    event: GateDecided
    checkpoint: Checkpoint
    log: Verifier | None
    """The log's key, by which the checkpoint was verified; None where none was given."""
    status_uri: str | None


def issued(key: CredentialKey, issuer: str, receipt: Receipt, status_uri: Callable[[str], str]) -> str:
    """The credential of the decision that a receipt proves; `issuer` is a URL without a path.

    `status_uri` gives for a decision's id where to ask whether it was overtaken.
    """
    recorded = opened(receipt.entry)
    claims = {
        **stated(recorded),
        "iss": issuer,
        "vct": f"{issuer}{TYPE_PATH}",
        "receipt": {
            "checkpoint": receipt.checkpoint.note,
            "entry": receipt.entry.decode(),
            "leafHash": leaf_hash(receipt.entry).hex(),
            "leafIndex": receipt.position - 1,
            "proof": [each.hex() for each in receipt.proof],
        },
        "status": {STATUS: {"uri": status_uri(_decision(recorded).decision_id)}},
    }
    return key.signed({"typ": TYPE}, canonical(claims)) + "~"


def stated(recorded: Recorded) -> dict[str, Any]:
    """The claims that are the entry's own."""
    event = _decision(recorded)
    version = RULEBOOK.named(event.rulebook)
    carrier = event.request.get("carrier")
    return {
        "sub": event.uscc,
        "iat": int(recorded.recorded_at.timestamp()),
        "decisionId": event.decision_id,
        "position": recorded.position,
        "gate": event.gate.value,
        **({"carrier": carrier} if carrier else {}),
        "outcome": event.outcome.value,
        "rules": [reason.rule for reason in event.reasons],
        "asOf": event.as_of.isoformat(),
        "knownAt": event.known_at,
        "rulebook": {"version": event.rulebook, **({"sha256": RULEBOOK.sha256(version)} if version else {})},
    }


def _decision(recorded: Recorded) -> GateDecided:
    if not isinstance(recorded.event, GateDecided):
        raise DoesNotHold(f"Its receipt is of another entry: position {recorded.position} is {recorded.type}.")
    return recorded.event


def public_keys(jwks: bytes) -> dict[str, Jwk]:
    """The keys of a JSON Web Key Set (RFC 7517) that can have signed a credential, by their ids. Raises NoCredential."""
    try:
        keys = msgspec.json.decode(jwks, type=dict[str, Any])["keys"]
        found = {key["kid"]: _public(key) for key in keys if _signs(key)}
    except (msgspec.MsgspecError, LookupError, TypeError, AttributeError, UnicodeDecodeError):
        raise NoCredential('A JSON Web Key Set reads {"keys": […]}; got something else.') from None
    if not found:
        raise NoCredential(f"The JSON Web Key Set has no key of {CURVE} for {ALGORITHM} that has an id (kid).")
    return found


def _signs(key: Mapping[str, Any]) -> bool:
    of_curve = (key.get("kty"), key.get("crv")) == ("EC", CURVE) and isinstance(key.get("kid"), str)
    return of_curve and key.get("use", "sig") == "sig" and key.get("alg", ALGORITHM) == ALGORITHM


def _public(key: Mapping[str, Any]) -> Jwk:
    """A key's public part alone, whatever a careless file holds besides."""
    return {name: str(key[name]) for name in ("kty", "crv", "x", "y")}


def check(text: str, keys: Mapping[str, Jwk], now: datetime, log: Verifier | None = None) -> Checked:
    """What a credential proves, by these keys of its issuer and, where it is given, the log's key.

    Raises DoesNotHold and NoCredential.
    """
    compact, header = _form(text)
    claims, plain = _verified(compact, header, keys)
    _check_type(claims)
    _check_times(claims, now.timestamp())
    recorded = _entry(claims.receipt)
    _check_claims(plain, recorded)
    status = claims.status.get(STATUS)
    uri = status.get("uri") if isinstance(status, dict) else None
    return Checked(
        issuer=claims.iss,
        kid=header.kid,
        recorded=recorded,
        event=_decision(recorded),
        checkpoint=_proved(claims.receipt, recorded, log),
        log=log,
        status_uri=uri if isinstance(uri, str) else None,
    )


def _form(text: str) -> tuple[str, _Header]:
    """The JWS of a text that has the form of a credential of ours, and its header, which is not verified yet."""
    found = _COMPACT.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        raise NoCredential(
            f"This is no credential: one reads HEADER.PAYLOAD.SIGNATURE~ in base64url; got {shown(text)}, of {len(text)} "
            "characters."
        )
    head, payload, signature, rest = found.groups()
    if rest is None:
        raise NoCredential("This credential is cut off: its last character is “~”. Fetch it again, whole.")
    header = _part(head, _Header, "header")
    if header.alg != ALGORITHM:
        raise DoesNotHold(f"It says that it is signed by {shown(header.alg)}; nothing but {ALGORITHM} is believed.")
    if header.typ != TYPE or header.crit is not None:
        raise DoesNotHold(f"It is of the type {shown(header.typ)}; a credential is of {TYPE}, without extensions.")
    if rest != "~":
        raise DoesNotHold("It holds disclosures or a key binding; a decision's credential has none.")
    return f"{head}.{payload}.{signature}", header


def _written_otherwise(signature: str) -> bool:
    """Whether the last character has bits that stand for nothing: so one credential is one text."""
    value = urlsafe_b64decode(signature + "=" * (-len(signature) % 4)) if len(signature) % 4 != 1 else b""
    return urlsafe_b64encode(value).rstrip(b"=").decode() != signature


def _part(encoded: str, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise DoesNotHold(f"Its {name} cannot be read: it was changed, or a part is missing.") from None


def _verified(compact: str, header: _Header, keys: Mapping[str, Jwk]) -> tuple[_Claims, dict[str, Any]]:
    """The claims of a JWS that the key it names signed, as they are read and as they are."""
    jwk = keys.get(header.kid)
    if jwk is None:
        raise DoesNotHold(
            f"It is signed by the key {shown(header.kid, 60)}, which is not among those given ({shown(', '.join(keys), 200)}): it is "
            "another ledger's, was withdrawn, or the keys are older than it."
        )
    _, payload, signature = compact.split(".")
    try:
        if _written_otherwise(signature):
            raise BadSignatureError
        jws.deserialize_compact(compact, ECKey.import_key({**jwk}), algorithms=[ALGORITHM])
    except BadSignatureError:
        raise DoesNotHold(
            f"The signature is not that of the key {header.kid}: something was changed or cut off."
        ) from None
    except (JoseError, ValueError, TypeError) as wrong:
        raise DoesNotHold(f"The signature cannot be verified ({type(wrong).__name__}).") from None
    return _part(payload, _Claims, "statement"), _part(payload, dict[str, Any], "statement")


def _check_type(claims: _Claims) -> None:
    if claims.vct != f"{claims.iss}{TYPE_PATH}":
        raise DoesNotHold(f"It is of the type {shown(claims.vct, 100)}, which is none that this program knows.")


def _check_times(claims: _Claims, now: float) -> None:
    if claims.exp is not None and claims.exp <= now - SKEW_SECONDS:
        raise DoesNotHold("It has expired.")
    if max(claims.iat, claims.nbf or 0) > now + SKEW_SECONDS:
        raise DoesNotHold("It is from the future: look at this machine's clock.")


def _entry(receipt: _Receipt) -> Recorded:
    entry = receipt.entry.encode()
    if leaf_hash(entry).hex() != receipt.leaf_hash:
        raise DoesNotHold("Its receipt is of another entry: the leaf is not the entry's hash.")
    try:
        return opened(entry)
    except (msgspec.MsgspecError, UnknownVersion, KeyError, ValueError, TypeError):
        raise DoesNotHold("The entry in its receipt cannot be read: it is none, or of a later program.") from None


def _check_claims(claims: Mapping[str, Any], recorded: Recorded) -> None:
    """That the claims are those of the entry."""
    for name, value in stated(recorded).items():
        if claims.get(name) != value:
            raise DoesNotHold(
                f"The claim {name} is {shown(claims.get(name))}, and {shown(value)} in the entry that its receipt proves."
            )


def _proved(receipt: _Receipt, recorded: Recorded, log: Verifier | None) -> Checkpoint:
    """The checkpoint that holds the entry by its proof."""
    note = receipt.checkpoint.encode()
    try:
        if log is None:
            signed = Checkpoint.parse(Note.parse(note).text)
        else:
            signed = open_checkpoint(note, log.name, log).checkpoint
        proof = [bytes.fromhex(each) for each in receipt.proof]
    except (MalformedNote, UnverifiedNote) as wrong:
        by = f" of {log}" if log else ""
        raise DoesNotHold(f"The checkpoint of its receipt is none{by}: {wrong}") from None
    except ValueError:
        raise DoesNotHold("The proof of its receipt is no list of hashes in hex.") from None
    index, leaf = receipt.leaf_index, bytes.fromhex(receipt.leaf_hash)
    if index != recorded.position - 1:
        raise DoesNotHold(f"Its receipt is of another entry: leaf {index} is not position {recorded.position}.")
    if not 0 <= index < signed.size or not verify_inclusion(leaf, index, signed.size, proof, signed.root):
        raise DoesNotHold(f"The entry is not in the tree of its checkpoint ({signed.size} entries) by its proof.")
    return signed
