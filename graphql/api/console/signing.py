"""Signing in by a key and out again, and the language of the pages."""

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from api.console.rendering import page
from api.console.visits import LANGUAGE_COOKIE, SESSION_COOKIE, Visit, text_of
from ledger.sessions import SESSION_SECONDS, Sessions

YEAR_SECONDS = 365 * 86_400


async def sign_in(visit: Visit, sessions: Sessions) -> Response:
    if visit.request.method != "POST":
        asked = visit.request.query_params
        why = "sign in.over" if "over" in asked else "sign in.needed" if "needed" in asked else None
        return page(visit, "sign_in.html", why=why, wrong=False)
    form = await visit.form()
    key = text_of(form, "key")
    token = await run_in_threadpool(sessions.begin, key) if key else None
    if token is None:
        return page(visit, "sign_in.html", 401, why=None, wrong=True)
    if visit.token:
        await run_in_threadpool(sessions.end, visit.token)
    return visit.remember(RedirectResponse("/", 303), SESSION_COOKIE, token, SESSION_SECONDS)


async def sign_out(visit: Visit, sessions: Sessions) -> Response:
    await visit.form()
    if visit.token:
        await run_in_threadpool(sessions.end, visit.token)
    reply = RedirectResponse("/sign-in", 303, {"clear-site-data": '"storage"'})
    reply.delete_cookie(SESSION_COOKIE)
    return reply


async def language(visit: Visit) -> Response:
    wanted = visit.request.path_params["language"]
    back = visit.request.query_params.get("back", "/")
    # A place of this console, never another host.
    there = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    return visit.remember(RedirectResponse(there, 303), LANGUAGE_COOKIE, "en" if wanted == "en" else "zh", YEAR_SECONDS)
