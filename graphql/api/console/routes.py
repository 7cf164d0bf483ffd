"""The console's addresses, and what stands around every page: who visits, what is refused, and how that is said."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.console import asked_gates, decisions, downloads, draws, enterprise, lists, recording, search, signing, work
from api.console.asking import NotAnswered, ask
from api.console.rendering import page
from api.console.visits import LANGUAGE_COOKIE, SESSION_COOKIE, Forged, Visit
from api.errors import AWAY
from api.http import GraphQLEndpoint
from api.received import BadRequest
from domain.callers import Caller
from domain.text import Language
from ledger.sessions import Sessions

Handler = Callable[[Visit], Awaitable[Response]]
KNOWN_CODES: Final = ("FORBIDDEN", "NOT_FOUND", "STALE", "NOT_YET_KNOWN", "UNAVAILABLE")
"""Codes that the console says in words of its own; others come with their messages."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Console:
    endpoint: GraphQLEndpoint
    sessions: Sessions

    @property
    def routes(self) -> list[Route]:
        """Every address of the console."""
        begin, end = partial(signing.sign_in, sessions=self.sessions), partial(signing.sign_out, sessions=self.sessions)
        return [
            self._route("/", search.home),
            self._route("/sign-in", begin, "GET", "POST"),
            self._route("/sign-out", end, "POST"),
            self._route("/language/{language}", signing.language),
            self._route("/lists", lists.published),
            self._route("/lists.csv", downloads.published),
            self._route("/ask", asked_gates.ask_gate, "GET", "POST"),
            self._route("/decisions", decisions.listed),
            self._route("/decisions/{id}", decisions.one),
            self._route("/record", recording.choose),
            self._route("/record/{name}", recording.record, "GET", "POST"),
            self._route("/draws", draws.listed, "GET", "POST"),
            self._route("/draws/{id}", draws.one),
            self._route("/draws/{id}/pool", draws.members),
            self._route("/work", work.work_list),
            self._route("/ledger", work.ledger),
            self._route("/enterprises/{uscc}", enterprise.file),
            self._route("/enterprises/{uscc}/history", enterprise.history),
            self._route("/enterprises/{uscc}/history.csv", downloads.history),
            self._route("/events/{position:int}", enterprise.event),
        ]

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        async def answer(request: Request) -> Response:
            return await self._answered(request, handler)

        return Route(path, answer, methods=methods or ("GET",))

    async def _answered(self, request: Request, handler: Handler) -> Response:
        language: Language = "en" if request.cookies.get(LANGUAGE_COOKIE) == "en" else "zh"
        visit = self._visit(request, Caller(), None, language)
        try:
            token = request.cookies.get(SESSION_COOKIE)
            caller = await run_in_threadpool(self.sessions.caller, token) if token else None
            if token and caller is None and request.url.path != "/sign-in":
                return _over()
            if caller:
                visit = self._visit(request, caller, token, language)
            return await handler(visit)
        except NotAnswered as refused:
            return _refused(visit, refused.code, refused.message, refused.status)
        except BadRequest as bad:
            waits = {"retry-after": str(bad.retry_after)} if bad.retry_after else {}
            return _refused(visit, bad.code, visit.said(bad.text), bad.status, waits)
        except Forged:
            return _refused(visit, "FORGED", "", 403)
        except HTTPException:
            raise
        except AWAY:
            return _refused(visit, "UNAVAILABLE", "", 503, {"retry-after": "1"})
        except Exception as fault:
            log.error("unexpected", fault=type(fault).__name__, exc_info=fault)
            return _refused(visit, "INTERNAL", "", 500)

    def _visit(self, request: Request, caller: Caller, token: str | None, language: Language) -> Visit:
        async def asked(name: str, **variables: object) -> dict[str, object]:
            return await ask(self.endpoint, request, caller, language, name, variables)

        return Visit(request, caller, language, token, asked)


def _over() -> Response:
    reply = RedirectResponse("/sign-in?over=1", 303)
    reply.delete_cookie(SESSION_COOKIE)
    return reply


def _refused(visit: Visit, code: str, message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    if code == "FORBIDDEN" and not visit.signed_in:
        return RedirectResponse("/sign-in?needed=1", 303)
    own = code in (*KNOWN_CODES, "FORGED", "INTERNAL")
    return page(visit, "error.html", status, headers, code=code if own else None, message=message)
