"""The end of a command by signals: SIGTERM or SIGINT, so that whatever it does ends cleanly."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Stopped(BaseException):
    """SIGTERM or SIGINT came."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM or SIGINT raises Stopped in the block, once; further ones wait for nothing and do nothing."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        # One is enough: what follows is the clean end.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
