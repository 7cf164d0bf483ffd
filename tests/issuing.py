"""An issuer of tokens as OpenID Connect has it: a real HTTP server on this machine, with keys that tests rotate.

with Issuer() as issuer:
    token = issuer.token(caseledger_role="auditor")
"""

import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep, time
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from ledger.trust import AUDIENCE

Key = RSAKey | ECKey
_RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
_EC: Final = ECKey.generate_key("P-256", {"kid": "ec-1"})


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def b64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class Issuer:
    """Serves its keys from `with` on. `published` is what it serves; `asked` the paths that were asked for."""

    published: list[Any] = field(default_factory=lambda: [key.as_dict(private=False) for key in (_RSA, _EC)])
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """How long each answer takes."""
    answer: Callable[[str], tuple[int, bytes]] | None = None
    """What is answered instead, by the path."""
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None
    url: str = ""

    def __enter__(self) -> "Issuer":
        self._serve(0)
        assert self._server
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()

    def go_away(self) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def come_back(self) -> None:
        self._serve(int(self.url.rpartition(":")[2]))

    def _serve(self, port: int) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                sleep(issuer.seconds)
                status, content = (issuer.answer or issuer.usual)(self.path)
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def usual(self, path: str) -> tuple[int, bytes]:
        documents = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": self.published},
        }
        found = documents.get(path)
        return (404, b"") if found is None else (200, json.dumps(found).encode())

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Of an auditor's token; a claim that is None is left out."""
        now = int(time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "u-1",
            "iat": now,
            "exp": now + 600,
            "caseledger_role": "auditor",
        }
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def token(
        self, key: Key | None = None, alg: str = "ES256", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        key = key or (_EC if alg == "ES256" else _RSA)
        head = {"alg": alg, "kid": key.kid, **(header or {})}
        return jwt.encode(
            {k: v for k, v in head.items() if v is not None}, self.claims(**claims), key, algorithms=[alg]
        )

    def without_signature(self, alg: str = "none") -> str:
        """A token that nobody signed."""
        head, body = {"alg": alg, "typ": "JWT", "kid": "ec-1"}, self.claims()
        return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}."

    def by_public_key_as_secret(self) -> str:
        """A token of HS256 whose secret is the public key as PEM: what fools who takes the algorithm from the token."""
        head = {"alg": "HS256", "typ": "JWT", "kid": "rsa-1"}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (head, self.claims()))
        return f"{signed}.{b64(hmac.digest(_RSA.as_pem(private=False), signed.encode(), 'sha256'))}"
