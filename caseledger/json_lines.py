"""JSON Lines: one FactInput of the contract a line."""

from collections.abc import Iterable, Iterator, Mapping
from re import compile as pattern
from typing import Any, Final

import msgspec

from caseledger.errors import Unreadable
from caseledger.items import Format, Item
from caseledger.lines import Line, Source
from domain.commands import Code, Refusal, refusal
from domain.text import shown
from ledger.entry import canonical

DEEPEST: Final = 32
"""Levels of a line's JSON; a fact has three."""
DOUBTED: Final = 1_000
"""Lines that are no JSON objects, from the first on, after which a file is taken for another format."""

_OTHERS: Final = {
    b"PK\x03\x04": "a ZIP or XLSX file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it first",
    b"BZh": "compressed with bzip2: decompress it first",
    b"\xfd7zXZ": "compressed with xz: decompress it first",
    b"[": "a JSON array: write one fact a line instead",
}
_BEGINNING: Final = pattern(rb'\{\s*"')


def items(source: Source) -> Iterator[Item]:
    """The facts of a file. Raises Unreadable, also where none of the first lines is a JSON object or begins like one."""
    doubted: list[tuple[Line, Item]] | None = []
    for line in source.lines():
        item = item_of(line)
        if doubted is None:
            yield item
            continue
        doubted.append((line, item))
        if _is_like_a_fact(line, item):
            yield from (each for _, each in doubted)
            doubted = None
        elif len(doubted) == DOUBTED:
            break
    if doubted:
        raise other_format(source.name, doubted[0][0].text)


def items_of(lines: Iterable[Line]) -> Iterator[Item]:
    """The facts of lines that are known to be JSON Lines."""
    return map(item_of, lines)


def item_of(line: Line) -> Item:
    sent = json_of(line.text)
    if isinstance(sent, Refusal):
        return Item(line.number, line.text[:1_000].decode("utf-8", "replace"), refusals=(sent,))
    if wrong := _not_one_fact(sent):
        return Item(line.number, sent, refusals=(wrong,))
    return Item(line.number, sent, tuple(sent.items()), content=canonical(sent))


def json_of(text: bytes) -> Any:
    """What a line says, or the refusal of a line that is no JSON or is nested without end."""
    try:
        sent = msgspec.json.decode(text)
        if text.count(b"[") + text.count(b"{") > DEEPEST and _is_deeper(sent, DEEPEST):
            raise RecursionError(f"it is nested in more than {DEEPEST} levels")
        return sent
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return refusal(Code.INVALID, "", f"该行不是 JSON：{error}", f"The line is not JSON: {error}")


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _not_one_fact(sent: object) -> Refusal | None:
    if isinstance(sent, Mapping) and len(sent) == 1:
        return None
    found = f"{len(sent)} ({', '.join(sent)})"[:200] if isinstance(sent, Mapping) else type(sent).__name__
    return refusal(
        Code.INVALID,
        "",
        f'每行为一个只含一项事实的 JSON 对象，如 {{"enterpriseRegistered": {{…}}}}；收到 {found}',
        f'A line is a JSON object of exactly one fact, {{"enterpriseRegistered": {{…}}}} say; got {found}',
    )


def _is_like_a_fact(line: Line, item: Item) -> bool:
    """Whether the line is a JSON object, or was meant to be one."""
    return isinstance(item.sent, Mapping) or bool(_BEGINNING.match(line.text))


def other_format(name: str, text: bytes) -> Unreadable:
    """What to say of a file whose lines are no JSON objects, from its first line."""
    known = next((said for beginning, said in _OTHERS.items() if text.startswith(beginning)), None)
    begins = f"it is {known}" if known else f"it begins with {shown(text.decode('utf-8', 'replace'))}"
    return Unreadable(
        f"{name} is not JSON Lines ({begins}). Write one fact a line, as "
        '{"enterpriseRegistered": {"uscc": "…", "name": "…", "province": "11"}}; nothing was recorded.'
    )


JSON_LINES: Final = Format("jsonl", fits=lambda beginning: True, items=items)
"""What a file is taken for that fits no other format: its reader says best what is wrong with it."""
