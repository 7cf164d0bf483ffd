"""Reads that are noted in the read log, and the query by which auditors look at it."""

from collections.abc import Iterable
from typing import Annotated, Self

import strawberry

from api import arguments
from api.connections import Connection, encode_cursor
from api.context import Info
from api.scalars import USCC, Date, DateTime
from ledger import read_log
from ledger.read_log import ReadFilter, ReadKey

MOST_READS = 100
USUAL_READS = 50
FromDate = Annotated[Date | None, strawberry.argument(name="from")]


@strawberry.type(
    description="Who was shown an enterprise's history or personal field. reader: role, whom it speaks for, and key; field: "
    "what was shown; operation: the name that the client gave its operation; everyEnterprise: a feed of all, without uscc."
)
class Read:
    read_at: DateTime
    role: str
    reader: str
    field: str
    operation: str | None
    uscc: USCC | None
    every_enterprise: bool
    key: strawberry.Private[ReadKey]

    @classmethod
    def of(cls, found: read_log.Read) -> Self:
        return cls(
            read_at=DateTime(found.read_at),
            role=found.role,
            reader=found.reader,
            field=found.field,
            operation=found.operation,
            uscc=USCC(found.uscc) if found.uscc else None,
            every_enterprise=found.every,
            key=ReadKey(found.read_at, found.id),
        )


def note(info: Info, field: str, usccs: Iterable[str | None], every: bool = False) -> None:
    """Notes that a field shows something of these enterprises (None: of none, or of `every` one), before it is shown."""
    name = info.operation.name
    info.context.note(field, name.value if name else None, usccs, every)


def reads(info: Info, asked: ReadFilter, first: int | None, after: str | None) -> Connection[Read]:
    size, place = arguments.page_size(first, MOST_READS, USUAL_READS), arguments.decode_read(after)
    log = info.context.read_log
    # What was answered here is there; what another process answered is within a fraction of a second.
    log.flush()
    found = [Read.of(each) for each in log.found(asked, size + 1, place)]
    return Connection[Read].of(
        found,
        lambda each: encode_cursor(each.key.read_at.isoformat(), each.key.id),
        size,
        after,
        lambda: log.count(asked),
    )
