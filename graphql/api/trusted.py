"""Trusted documents: the operations that ship with the program, each named by the SHA-256 of its text.

A request names one by `documentId` (GraphQL over HTTP, persisted documents: `sha256:HEX`, or the hex alone) or by
`extensions.persistedQuery.sha256Hash` (Apollo's protocol; nothing is ever registered by a request).
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from api.received import BadRequest, Params, Sent, no_request
from domain.callers import Caller, Role
from domain.text import Text

RESTRICTED: Final = frozenset((Role.CARRIER, Role.PUBLIC))
"""Who may ask nothing else where only trusted documents are taken."""
_PREFIX: Final = "sha256:"


def shipped() -> dict[str, str]:
    """The text of each operation by its name: beside this package where it is installed, above it in a checkout."""
    here = Path(__file__).parent
    folder = next(each for each in (here / "operations", here.parent / "operations") if each.is_dir())
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.graphql"))}


def digest(text: str) -> str:
    """The SHA-256 of a document's UTF-8, lower-case hex."""
    return sha256(text.encode()).hexdigest()


OTHER: Final = "other"
"""How a document that does not ship is called where it is measured or logged: its own names may say anything."""
_NAMES: Final[Mapping[str, str]] = {text: name for name, text in shipped().items()}
TRUSTED: Final[Mapping[str, str]] = {digest(text): text for text in _NAMES}
"""The text of each operation by its SHA-256."""


def name_of(query: str) -> str:
    """The name of a trusted document; OTHER for any other text."""
    return _NAMES.get(query, OTHER)


def params_of(sent: Sent) -> Params:
    """What is to be executed. Raises BadRequest where a document is named that is not there, or none is given."""
    named = _named(sent)
    query = sent.query
    if named is not None:
        if query:
            _check_same(query, named)
        else:
            query = _trusted(named)
    if query is None:
        raise no_request()
    return Params(query, sent.operation_name, sent.variables)


def require_trusted(query: str, caller: Caller) -> None:
    """Refuses what is no trusted document to whoever may ask nothing else. Raises BadRequest."""
    if caller.role in RESTRICTED and query not in _NAMES:
        raise BadRequest(
            403,
            "DOCUMENT_NOT_TRUSTED",
            Text(
                "本服务只接受随附的文档；请以 documentId: sha256:… 指明其中之一（graphql/operations）",
                "Only the documents that ship with this service are taken; name one of them by documentId: sha256:… "
                "(graphql/operations)",
            ),
        )


def _named(sent: Sent) -> str | None:
    """The SHA-256 that a request names its document by, if it does."""
    if sent.document_id is not None:
        return sent.document_id.removeprefix(_PREFIX)
    persisted: Any = (sent.extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    named = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(named, str):
        raise _not_found()
    return named


def _trusted(named: str) -> str:
    found = TRUSTED.get(named)
    if found is None:
        raise _not_found()
    return found


def _check_same(query: str, named: str) -> None:
    if digest(query) != named:
        raise BadRequest(
            400,
            "PERSISTED_QUERY_MISMATCH",
            Text(
                "query 的 SHA-256 与所指明的不一致；请只发送其中之一",
                "The SHA-256 of query is not the one that is named; send one of the two",
            ),
        )


def _not_found() -> BadRequest:
    # Apollo's clients know it by its code, and then send the text as well.
    return BadRequest(
        400,
        "PERSISTED_QUERY_NOT_FOUND",
        Text(
            "没有以此 SHA-256 命名的文档；请发送 query，或指明随附的文档之一（graphql/operations）",
            "There is no document of this SHA-256; send its text as query, or name one that ships (graphql/operations)",
        ),
    )
