"""Work beside the requests: what may be written a little later is written in a thread of its own.

def test_what_waits_is_written() -> None:
    with background([log.flush]):
        log.note(read)
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


@contextmanager
def background(work: Sequence[Callable[[], None]], seconds: float = PAUSE_SECONDS) -> Iterator[None]:
    """Does each piece of work again and again while the block runs, and once more when it has ended.

    What fails is logged by its type and tried again after the pause; the last time it is logged alone.
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(seconds):
            _do(work)
        _do(work)

    thread = threading.Thread(target=run, name="background", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _do(work: Sequence[Callable[[], None]]) -> None:
    for each in work:
        try:
            each()
        except Exception as fault:
            log.warning("work beside the requests failed", work=each.__qualname__, fault=type(fault).__name__)
