"""What a client may be told when a query cannot be answered.

ApiError carries a code and a sentence in both languages, and is the only exception whose words reach a client:
  INVALID        an argument is malformed
  FORBIDDEN      the caller's role may not see this
  NOT_YET_KNOWN  knownAt lies beyond what is known
  STALE          an event could not be applied: the enterprise, or the read model, stands at its position
  UNAVAILABLE    the database is away, or a read cannot be logged; try again (HTTP 503)
  RETRY_LATER    more appends wait than the ledger takes in; nothing was appended, try again (HTTP 503)
  TOO_COSTLY     more rows and fields are asked for than one request may; its cost and the most are said
  TIMED_OUT      the request took too long and was ended (HTTP 504)
Everything else that is raised becomes INTERNAL, without its text. Documents that do not parse or validate are
BAD_DOCUMENT, variables that do not fit their types BAD_VARIABLES: their messages speak of the document alone.
"""

import re
from typing import Any, Final

import psycopg
import structlog
from graphql import GraphQLError
from psycopg_pool import PoolTimeout, TooManyRequests

from domain.identifiers import Malformed
from domain.text import Language, Text
from ledger.entry import UnreadableEntry
from ledger.read_log import ReadLogFull
from ledger.sequencer import Overloaded
from projections.parking import Parked

AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, TooManyRequests, ReadLogFull)
"""What is raised while the database is not there, or takes no more of the read log."""

UNAVAILABLE: Final = Text(
    "数据库暂时不可用；没有丢失任何已确认的内容，请稍后以同一 idempotencyKey 重试",
    "The database is not available at the moment; nothing acknowledged is lost: try again with the same idempotencyKey",
)
RETRY_LATER: Final = Text(
    "等待写入的请求过多；没有记录任何内容，请稍后以同一 idempotencyKey 重试",
    "Too many requests wait to be recorded; nothing was recorded: try again in a moment with the same idempotencyKey",
)
TIMED_OUT: Final = Text(
    "请求超时，已终止，数据库中的查询也已取消；请减少所问的内容。若为变更，结果未知：请以同一 idempotencyKey 重试",
    "The request took too long and was ended, in the database too; ask for less. If it was a mutation, its outcome is not "
    "known: send it again with the same idempotencyKey",
)
STATUS: Final = {"TIMED_OUT": 504}
"""The HTTP status of a fault that will pass; 503 where none is named."""
INTERNAL: Final = Text("内部错误，已记入日志", "Internal error; it is in the log")

SENT: Final = re.compile(r"[.,:;]?\s*found: .*$", re.IGNORECASE | re.DOTALL)
"""Where graphql-core's messages begin to repeat what was sent, which may be personal data."""

LONGEST_MESSAGE: Final = 500

log = structlog.get_logger(__name__)


class ApiError(Exception):
    def __init__(
        self, code: str, text: Text, argument: str = "", position: int | None = None, cost: int | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.argument = argument
        self.position = position
        self.cost = cost


def forbidden(what: str) -> ApiError:
    return ApiError(
        "FORBIDDEN",
        Text(f"当前密钥无权查看 {what}；请使用有权限的密钥", f"This key may not see {what}; use a key that may"),
    )


def invalid(argument: str, zh: str, en: str) -> ApiError:
    return ApiError("INVALID", Text(f"{argument}：{zh}", f"{argument}: {en}"), argument)


def stale(parked: Parked, told: bool = True) -> ApiError:
    """Stands still; who may not see events is told neither where nor at what."""
    about = f"企业 {parked.uscc}" if parked.uscc else f"读模型 {parked.projection}"
    which = f"The enterprise {parked.uscc}" if parked.uscc else f"The read model {parked.projection}"
    if not told:
        return ApiError(
            "STALE",
            Text(
                f"{about} 暂时不作回答；修复并重建后恢复",
                f"{which} is not answered for now; it is after a fix and a rebuild",
            ),
        )
    text = Text(
        f"{about} 停在位置 {parked.position} 之前：{parked.why.zh}；修复并重建后恢复",
        f"{which} stands before position {parked.position}: {parked.why.en}; it goes on after a fix and a rebuild",
    )
    return ApiError("STALE", text, position=parked.position)


def too_costly(cost: int, most: int) -> GraphQLError:
    """The refusal of an operation before it is executed."""
    text = Text(
        f"该请求的成本为 {cost}（请求的行数 × 字段数），最多 {most}；请减少 first、代码或字段，分批查询",
        f"This request costs {cost} (rows asked times fields), and one may cost {most}; ask for fewer rows (first), codes "
        "or fields, in parts",
    )
    return GraphQLError("too costly", original_error=ApiError("TOO_COSTLY", text, cost=cost))


def _unreadable(wrong: UnreadableEntry) -> Text:
    return Text(
        f"位置 {wrong.position} 的记录无法读取（{wrong.fault}）；依赖它的内容在修复前不作回答",
        f"The entry at position {wrong.position} cannot be read ({wrong.fault}); what rests on it is not answered until "
        "it can",
    )


def formatted(error: GraphQLError, language: Language) -> dict[str, Any]:
    """The error as a client sees it."""
    said: dict[str, Any] = {}
    code, message = _code_and_message(error, language)
    said["message"] = message
    if error.locations:
        said["locations"] = [location.formatted for location in error.locations]
    if error.path:
        said["path"] = error.path
    said["extensions"] = {"code": code}
    if isinstance(error.original_error, ApiError):
        if error.original_error.argument:
            said["extensions"]["argument"] = error.original_error.argument
        if error.original_error.cost is not None:
            said["extensions"]["cost"] = error.original_error.cost
    if isinstance(error.original_error, (ApiError, UnreadableEntry)) and error.original_error.position is not None:
        said["extensions"]["position"] = error.original_error.position
    return said


def _code_and_message(error: GraphQLError, language: Language) -> tuple[str, str]:
    cause = error.original_error
    if isinstance(cause, ApiError):
        return cause.code, cause.text.said_in(language)
    if isinstance(cause, UnreadableEntry):
        return "STALE", _unreadable(cause).said_in(language)
    if isinstance(cause, Malformed):
        return "INVALID", cause.text.said_in(language)
    if cause is None or isinstance(cause, GraphQLError):
        code = "BAD_VARIABLES" if "Variable" in error.message else "BAD_DOCUMENT"
        said = SENT.sub(".", error.message)
        return code, said if len(said) <= LONGEST_MESSAGE else said[:LONGEST_MESSAGE] + "…"
    log.error("unexpected", fault=type(cause).__name__, exc_info=cause)
    return "INTERNAL", INTERNAL.said_in(language)


def passing_fault(error: GraphQLError) -> tuple[str, Text] | None:
    """The code and words of a fault that will pass, for which the whole request is refused (`STATUS`)."""
    return fault_of(error.original_error)


def fault_of(cause: Exception | None) -> tuple[str, Text] | None:
    """The same of what was raised."""
    if isinstance(cause, Overloaded):
        return "RETRY_LATER", RETRY_LATER
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return "TIMED_OUT", TIMED_OUT
    return ("UNAVAILABLE", UNAVAILABLE) if isinstance(cause, AWAY) else None
