"""Logs: one JSON object a line on standard error, without personal data.

Of an exception only its type and where it happened are logged: its text may hold what somebody sent. That goes for what
nobody caught as well, whose whole trace Python would print, and for what asyncio says of tasks, which it shows with all
that they were given.
"""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from time import monotonic
from typing import Any, Final, TypeAlias

import structlog

SELDOM_SECONDS: Final = 5.0

_EventDict: TypeAlias = MutableMapping[str, Any]


def configure_logs(level: int = logging.INFO) -> None:
    """Sends structlog's and the standard library's logs to standard error."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _where_it_failed,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _without_objects],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    for name in ("psycopg.pool", "uvicorn.error"):
        logging.getLogger(name).filters = [_Seldom()]
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


class _Seldom(logging.Filter):
    """Lets one warning through in SELDOM_SECONDS: a pool says of each of its tries that the database is away, and the
    server of each request that it cannot read."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            return True
        now = monotonic()
        if now < self._next:
            return False
        self._next = now + SELDOM_SECONDS
        return True


def log_uncaught() -> None:
    """Lets what nobody catches in a thread or a finalizer be a line of the log too, for a process that serves."""
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value)
    sys.unraisablehook = lambda told: _uncaught(told.exc_type, told.exc_value)


def where(error: BaseException) -> str:
    """The type of an exception and the places that it came through, the last one last; never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join([*(f"{f.filename}:{f.lineno} {f.name}" for f in frames), type(error).__qualname__])


def _uncaught(kind: type[BaseException], error: BaseException | None) -> None:
    structlog.get_logger(__name__).error("uncaught", fault=kind.__qualname__, exc_info=error)


def _without_objects(_logger: object, _method: str, event: _EventDict) -> _EventDict:
    """Cuts what asyncio says before the first object that it shows."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and record.name.partition(".")[0] == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0].partition("(")[0].partition("<")[0].strip()
    return event


def _where_it_failed(_logger: object, _method: str, event: _EventDict) -> _EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["failed"] = where(error)
    return event
