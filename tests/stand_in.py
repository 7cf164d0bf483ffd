"""An application in the place of the real one, for tests of how it is served."""

import os
import time
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.observing import Watch
from caseledger.wiring import System

SERVE: Final = """
import sys
from caseledger.serving import serve
from caseledger.settings import read_settings
from stand_in import stand_in
if __name__ == "__main__":
    serve(read_settings(), port=0, workers=int(sys.argv[1]), factory=stand_in)
"""
"""A program that serves it by so many workers."""


def stand_in(system: System, watch: Watch) -> Starlette:
    """`/pid` says which process answers, `/slow` takes two seconds, `/broken` fails with somebody's name."""
    return Starlette(routes=[Route("/pid", pid), Route("/slow", slow), Route("/broken", broken)])


def pid(_: Request) -> Response:
    return PlainTextResponse(str(os.getpid()))


def slow(_: Request) -> Response:
    time.sleep(2)
    return PlainTextResponse("done")


def broken(_: Request) -> Response:
    raise RuntimeError("Zhang San, 13800138000")
