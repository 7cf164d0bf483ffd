"""Whose tokens are believed, and how their claims are read as a caller (OpenID Connect Core, RFC 7519).

What a token must say is closed: a role of ours, and whom a carrier or a regulator speaks for. Who it speaks for is never
taken from anywhere else, and what is missing is refused and not guessed.
"""

from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from domain import identifiers
from domain.callers import Caller, Role
from domain.identifiers import Malformed
from ledger.keys import SCOPES

AUDIENCE: Final = "caseledger"
_HOLDER_LENGTH: Final = 16


class Untrusted(Exception):
    """A token that is not believed. `why` is a fixed word for logs and holds nothing of the token."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Trust:
    """An issuer of tokens that are believed, and the names of the claims that say who their holder is."""

    issuer: str
    """The `iss` of its tokens, to the letter, and where its `/.well-known/openid-configuration` is."""
    audience: str = AUDIENCE
    """What must be among the `aud` of a token."""
    role_claim: str = "caseledger_role"
    """A role, or a list with exactly one role among its values."""
    carrier_claim: str = "caseledger_carrier"
    """The code of the carrier, which a carrier's token must have."""
    authority_claim: str = "caseledger_authority"
    """MIIT or CA-nn, which a regulator's token must have."""
    scope_claim: str = "scope"
    """Scopes between blanks, or a list of them; others than ours are passed over."""

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """Who holds a token with these claims, which were verified. Raises Untrusted."""
        role = self._role(claims)
        carrier = authority = None
        try:
            if role is Role.CARRIER:
                carrier = identifiers.carrier(claims.get(self.carrier_claim))
            elif role is Role.REGULATOR:
                authority = identifiers.authority(claims.get(self.authority_claim))
        except Malformed:
            raise Untrusted(f"{role} without whom it speaks for") from None
        scopes = frozenset(_values(claims.get(self.scope_claim))) & frozenset(SCOPES)
        return Caller(role, self._holder(claims), authority, carrier, scopes)

    def _role(self, claims: Mapping[str, Any]) -> Role:
        roles = {value for value in _values(claims.get(self.role_claim)) if value in set(Role)}
        if len(roles) != 1:
            raise Untrusted("not exactly one role")
        return Role(roles.pop())

    def _holder(self, claims: Mapping[str, Any]) -> str:
        """Who it is for the ledger, in which it stays for good: not the subject itself, which may be a name or an address."""
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Untrusted("no subject")
        digest = sha256(f"{self.issuer}\n{subject}".encode("utf-8", "surrogatepass")).digest()
        return "oidc-" + b32encode(digest).decode("ascii").lower()[:_HOLDER_LENGTH]


def _values(claim: object) -> list[str]:
    if isinstance(claim, str):
        return claim.split()
    return [value for value in claim if isinstance(value, str)] if isinstance(claim, list) else []
