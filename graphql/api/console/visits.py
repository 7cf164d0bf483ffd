"""A visit: one request of a browser, who is signed in, and in which language the page speaks.

The session is a cookie that no script reads and that no other site's page sends. What changes anything comes by POST with
a token that only pages of this session hold (`csrf`), from this very origin.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from hmac import compare_digest, new
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response

from api.received import BadRequest, body_of
from domain.callers import Caller
from domain.identifiers import legal_date_of
from domain.matrix import FIELDS, Reach
from domain.text import Language, Text

SESSION_COOKIE: Final = "caseledger_session"
LANGUAGE_COOKIE: Final = "caseledger_language"
LARGEST_FORM: Final = 256 * 1024
"""Bytes of a form."""
MOST_FIELDS: Final = 500
FORM: Final = "application/x-www-form-urlencoded"
NO_FORM: Final = Text("表单无法读取；请返回重试", "The form cannot be read; go back and try again")

Form = ImmutableMultiDict[str, str]
Ask = Callable[..., Awaitable[dict[str, Any]]]


class Forged(Exception):
    """A form that did not come from a page of this session."""


@dataclass(slots=True)
class Visit:
    """`ask` puts a shipped operation, by its name and variables, under the visitor's rights (`asking.ask`)."""

    request: Request
    caller: Caller
    language: Language
    token: str | None
    ask: Ask

    @property
    def signed_in(self) -> bool:
        return self.token is not None

    @property
    def csrf(self) -> str:
        """What a form of this session bears; empty where nobody is signed in."""
        return new(self.token.encode(), b"csrf", sha256).hexdigest() if self.token else ""

    @property
    def is_part(self) -> bool:
        """Whether a part of a page is asked for, to be put into the one that is there."""
        return "hx-request" in self.request.headers and "hx-history-restore-request" not in self.request.headers

    @property
    def today(self) -> date:
        return legal_date_of(datetime.now(UTC))

    def said(self, text: Text) -> str:
        return text.said_in(self.language)

    def may(self, field: str) -> bool:
        """Whether the visitor sees anything of a field of the schema."""
        return self.caller.reach(FIELDS[field]) is not Reach.NONE

    async def form(self) -> Form:
        """What was sent. Raises Forged where it is not from a page of this session, and BadRequest for what is no form."""
        self.require_same_origin()
        body = await body_of(self.request, LARGEST_FORM, FORM)
        try:
            sent = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        except ValueError:
            raise BadRequest(400, "BAD_REQUEST", NO_FORM) from None
        form = Form(sent)
        if self.token and not compare_digest(str(form.get("csrf", "")).encode(), self.csrf.encode()):
            raise Forged
        return form

    def require_same_origin(self) -> None:
        """Raises Forged for what a page of another origin sends, as every browser of today says."""
        headers = self.request.headers
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Forged
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise Forged

    def remember(self, response: Response, name: str, value: str, seconds: int) -> Response:
        """Sets a cookie that no script reads and no other site's page sends."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            httponly=True,
            samesite="strict" if name == SESSION_COOKIE else "lax",
            secure=self.request.url.scheme == "https",
        )
        return response


def text_of(form: Mapping[str, Any], name: str) -> str | None:
    """A field of a form or an address, without blanks around it; None where it is empty."""
    value = form.get(name)
    return value.strip() or None if isinstance(value, str) else None
