"""Logs: one JSON object a line on standard error, without personal data.

Of an exception only its type and where it happened are logged: its text may hold what somebody sent.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TypeAlias

import structlog

_EventDict: TypeAlias = MutableMapping[str, Any]


def configure_logs(level: int = logging.INFO) -> None:
    """Sends structlog's and the standard library's logs to standard error."""
    shared: list[structlog.types.Processor] = [
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
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def where(error: BaseException) -> str:
    """The type of an exception and the places that it came through, the last one last; never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join([*(f"{f.filename}:{f.lineno} {f.name}" for f in frames), type(error).__qualname__])


def _where_it_failed(_logger: object, _method: str, event: _EventDict) -> _EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["failed"] = where(error)
    return event
