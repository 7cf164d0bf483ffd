"""Decisions as credentials, and what their verifiers fetch: keys, issuer metadata and type metadata.

The paths and members are those of RFC 7517 and draft-ietf-oauth-sd-jwt-vc. All of it is public, and may be kept for minutes:
a verifier that meets an unknown key asks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.media import PLAIN_JSON
from api.plain import answering, given
from api.trusted import digest, shipped
from domain.text import Text
from ledger.credential_keys import CredentialKeys
from ledger.credentials import TYPE_PATH, issued
from ledger.tree import Proofs

KEPT: Final = "public, max-age=300"
KEYS_PATH: Final = "/.well-known/jwks.json"
ISSUER_PATH: Final = "/.well-known/jwt-vc-issuer"
STATUS_DOCUMENT: Final = digest(shipped()["decisionStatus"])
"""By which the credentials that are out ask whether they were overtaken: that operation's text never changes."""
_TYPE: Final = Text("准入决定", "Gate decision")
_ABOUT: Final = Text(
    "监管案件账本对一次准入、备案、接入或合作询问的决定，附其在账本中的存在证明",
    "What a ledger of regulatory cases decided of one request for a licence, a number filing, access or cooperation, with the "
    "proof that it is in the ledger",
)
_CLAIMS: Final = {
    "sub": Text("企业统一社会信用代码", "Unified social credit code of the enterprise"),
    "decisionId": Text("决定编号", "Id of the decision"),
    "position": Text("账本位置", "Position in the ledger"),
    "gate": Text("关口", "Gate"),
    "carrier": Text("基础电信企业", "Carrier"),
    "outcome": Text("结果", "Outcome"),
    "rules": Text("触发的规则", "Rules that fired"),
    "asOf": Text("判断日期", "Legal date of the decision"),
    "knownAt": Text("所知至账本位置", "Position up to which the ledger was known"),
    "rulebook": Text("规则版本及其 SHA-256", "Version of the rulebook and its SHA-256"),
    "receipt": Text("账本收据", "Receipt of the ledger"),
    "iat": Text("记录时间", "Time of recording"),
}
_OPTIONAL: Final = ("carrier",)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues credentials: `url` is a ledger's own, without a path."""

    url: str
    keys: CredentialKeys
    proofs: Proofs

    @property
    def routes(self) -> list[Route]:
        return [
            Route(KEYS_PATH, answering(self.jwks), methods=["GET"]),
            Route(ISSUER_PATH, answering(self.metadata), methods=["GET"]),
            Route(TYPE_PATH, answering(self.type_metadata), methods=["GET"]),
        ]

    def credentials(self, positions: Sequence[int]) -> dict[int, str]:
        """The credentials of the decisions at these positions, by position; two statements for all."""
        key = self.keys.current()
        return {
            receipt.position: issued(key, self.url, receipt, self._status_uri)
            for receipt in self.proofs.first_receipts(positions)
        }

    def jwks(self, request: Request) -> Response:
        """The public keys whose signatures are to be believed."""
        return _json({"keys": self.keys.published()})

    def metadata(self, request: Request) -> Response:
        return _json({"issuer": self.url, "jwks_uri": f"{self.url}{KEYS_PATH}"})

    def type_metadata(self, request: Request) -> Response:
        return _json(
            {
                "vct": f"{self.url}{TYPE_PATH}",
                "name": _TYPE.en,
                "description": _ABOUT.en,
                "display": [
                    {"locale": "zh-CN", "name": _TYPE.zh, "description": _ABOUT.zh},
                    {"locale": "en", "name": _TYPE.en, "description": _ABOUT.en},
                ],
                "claims": [_claim(name, text) for name, text in _CLAIMS.items()],
            }
        )

    def _status_uri(self, decision_id: str) -> str:
        variables = msgspec.json.encode({"id": decision_id}).decode()
        return f"{self.url}/graphql?{urlencode({'documentId': f'sha256:{STATUS_DOCUMENT}', 'variables': variables})}"


def _claim(name: str, text: Text) -> dict[str, Any]:
    display = [{"locale": "zh-CN", "label": text.zh}, {"locale": "en", "label": text.en}]
    return {"path": [name], "display": display, "mandatory": name not in _OPTIONAL, "sd": "never"}


def _json(body: dict[str, Any]) -> Response:
    return given(msgspec.json.encode(body), PLAIN_JSON, KEPT, **{"x-content-type-options": "nosniff"})
