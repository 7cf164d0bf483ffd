"""Standard Webhooks: how what is sent is signed, so that a receiver knows whose it is, unaltered, and not of old.

What is signed is `ID.TIMESTAMP.BODY`, by HMAC-SHA256 under a secret that reads `whsec_BASE64`. While a secret is being
changed there are two signatures, either of which will do (https://www.standardwebhooks.com).
"""

import hmac
import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
SECRET_SIZE: Final = 32


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_SIZE)


def secret_text(secret: bytes) -> str:
    """The secret as a receiver is given it."""
    return PREFIX + b64encode(secret).decode()


def signed(id_: str, at: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of a message, signed under each of the keys."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((id_.encode(), timestamp.encode(), body))
    signatures = (b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
