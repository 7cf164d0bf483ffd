"""An application in the place of the real one, for tests of how it is served."""

import os
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from caseledger.wiring import System


def stand_in(system: System) -> Starlette:
    """`/pid` says which process answers, `/slow` takes two seconds, `/broken` fails with somebody's name."""
    return Starlette(routes=[Route("/pid", pid), Route("/slow", slow), Route("/broken", broken)])


def pid(_: Request) -> Response:
    return PlainTextResponse(str(os.getpid()))


def slow(_: Request) -> Response:
    time.sleep(2)
    return PlainTextResponse("done")


def broken(_: Request) -> Response:
    raise RuntimeError("Zhang San, 13800138000")
