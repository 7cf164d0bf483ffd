"""CloudEvents 1.0 as JSON Lines, in structured mode: what a ledger exports, and what other programs state in that form.

An event is known by its source and id, whatever else it says. One that is of a ledger is restated for this one: what the
other made by itself is passed over, and positions that it names are found here by its `refs`. One of any other source has
in its data what the contract's FactInput takes, and names positions of this ledger.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from re import compile as pattern
from re import escape
from typing import Any, Final

from caseledger.items import Format, Item
from caseledger.json_lines import json_of
from caseledger.lines import Line, Source
from domain.commands import Code, Refusal, refusal
from domain.events import EVENTS, RECORDABLE
from domain.identifiers import Malformed, instant, legal_date_of
from domain.text import shown
from ledger.cloudevents import LEDGERS, SPECVERSION, TAG, TYPE_PREFIX
from ledger.entry import canonical
from ledger.restating import field_of, is_the_ledgers_own, positions_stated, restated
from ledger.upcasters import UnknownVersion, upcast

REQUIRED: Final = ("id", "source", "type")
TEXTS: Final = ("subject", "time", "dataschema", "datacontenttype", "recordedby", "refs")
"""Attributes that need not be, and are texts where they are."""

_REF: Final = pattern(r"([1-9][0-9]{0,15})=(\S+)")
_JSON: Final = pattern(r"(?i:(?:application|text)/(?:[\w.-]+\+)?json(?:\s*;.*)?)")
_SCHEMA: Final = pattern(escape(TAG) + r"schema/\w+/([1-9][0-9]{0,5})")


def fits(beginning: bytes) -> bool:
    """Whether the first line is a JSON object that says of which version of CloudEvents it is."""
    first = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    return first.startswith(b"{") and b'"specversion"' in first


def items(source: Source) -> Iterator[Item]:
    """The events of a file. Raises Unreadable."""
    return map(item_of, source.lines())


def item_of(line: Line) -> Item:
    sent = json_of(line.text)
    if isinstance(sent, Refusal):
        return Item(line.number, line.text[:1_000].decode("utf-8", "replace"), refusals=(sent,))
    if refusals := tuple(_wrong(sent)):
        return Item(line.number, sent, refusals=refusals)
    return _stated(line.number, sent)


def _wrong(sent: Any) -> Iterator[Refusal]:
    """What is not as CloudEvents or this ledger have it; of the data, only that they are an object."""
    if not isinstance(sent, Mapping):
        kind = type(sent).__name__
        yield _invalid(
            "", f"每行为一个 CloudEvents 对象，收到 {kind}", f"A line is one CloudEvent, an object; got {kind}"
        )
        return
    if (version := sent.get("specversion")) != SPECVERSION:
        got = (
            "缺少" if version is None else f"收到 {shown(version)}",
            "it is missing" if version is None else f"got {shown(version)}",
        )
        yield _invalid("specversion", f"specversion 应为 1.0；{got[0]}", f"specversion is 1.0; {got[1]}")
        return
    yield from _wrong_texts(sent)
    yield from _wrong_type(sent)
    yield from _wrong_time(sent)
    yield from _wrong_data(sent)


def _wrong_texts(sent: Mapping[str, Any]) -> Iterator[Refusal]:
    for name in (*REQUIRED, *TEXTS):
        value = sent.get(name)
        if value is None and name in REQUIRED:
            yield _invalid(name, f"缺少 {name} 属性", f"The attribute {name} is missing")
        elif value is not None and (not isinstance(value, str) or not value):
            yield _invalid(name, f"{name} 应为非空文本，收到 {shown(value)}", f"{name} is text; got {shown(value)}")


def _wrong_type(sent: Mapping[str, Any]) -> Iterator[Refusal]:
    type_ = sent.get("type")
    if not isinstance(type_, str) or not type_:
        return
    name = type_.removeprefix(TYPE_PREFIX)
    if not type_.startswith(TYPE_PREFIX) or name not in EVENTS:
        yield _invalid(
            "type",
            f"type 应为 {TYPE_PREFIX} 后接本账本的事件类型（如 {TYPE_PREFIX}LicenceGranted），收到 {shown(type_)}",
            f"type is {TYPE_PREFIX} and an event type of this ledger ({TYPE_PREFIX}LicenceGranted, say); got {shown(type_)}",
        )
    elif field_of(name) not in RECORDABLE and not _is_of_a_ledger(sent):
        yield _invalid("type", f"{name} 只能由账本自行记录", f"{name} is made by a ledger alone")


def _wrong_time(sent: Mapping[str, Any]) -> Iterator[Refusal]:
    time = sent.get("time")
    if isinstance(time, str) and time:
        try:
            instant(time)
        except Malformed as wrong:
            yield Refusal(Code.INVALID, "time", wrong.text)


def _wrong_data(sent: Mapping[str, Any]) -> Iterator[Refusal]:
    held = sent.get("datacontenttype")
    if sent.get("data_base64") is not None:
        zh = "data_base64 是二进制数据，无法作为事实读取；请在 data 中给出 JSON 对象"
        yield _invalid(
            "data_base64", zh, "data_base64 is binary data, which states no fact: give a JSON object as data"
        )
    elif isinstance(held, str) and held and not _JSON.fullmatch(held):
        yield _invalid(
            "datacontenttype",
            f"data 应为 JSON（application/json），收到 {shown(held)}",
            f"The data are JSON, application/json; got {shown(held)}",
        )
    elif not isinstance(sent.get("data"), Mapping):
        got = shown(sent.get("data"))
        yield _invalid("data", f"data 应为 JSON 对象，收到 {got}", f"data is a JSON object; got {got}")


def _stated(number: int, event: Mapping[str, Any]) -> Item:
    """The item of a well-formed event."""
    type_ = event["type"].removeprefix(TYPE_PREFIX)
    content = canonical({"id": event["id"], "source": event["source"]})
    item = Item(number, event, content=content, unique=True, origin=event["source"])
    try:
        data = _of_today(type_, event)
    except UnknownVersion as unknown:
        zh = f"dataschema 的版本高于本程序所知：{shown(event['dataschema'])}"
        return item.refused(_invalid("dataschema", zh, str(unknown)))
    if not _is_of_a_ledger(event):
        return item.stating(field_of(type_), _dated(data, event))
    if is_the_ledgers_own(type_, event.get("recordedby", "")):
        return item
    name, fact = restated(type_, data)
    refs = {int(position): id_ for position, id_ in _REF.findall(event.get("refs", ""))}
    named = positions_stated(name, fact)
    if lost := [position for position in named if position not in refs]:
        zh = f"数据提到来源账本的位置 {lost[0]}，而 refs 未给出该处事件的 id"
        return item.refused(
            _invalid("refs", zh, f"The data name position {lost[0]}, and refs gives no id of what is there")
        )
    rests_on = {position: canonical({"id": refs[position], "source": event["source"]}) for position in named}
    return item.stating(name, _dated(fact, event), rests_on)


def _of_today(type_: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """The data, read as of today's version where the event says of which version of ours they are."""
    found = _SCHEMA.fullmatch(event.get("dataschema", ""))
    return upcast(type_, int(found[1]), dict(event["data"])) if found else dict(event["data"])


def _dated(fact: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """The fact with its day of effect: the one that it states, else the one in China at the event's time."""
    if fact.get("effectiveOn") is None and "time" in event:
        fact["effectiveOn"] = legal_date_of(datetime.fromisoformat(instant(event["time"]))).isoformat()
    return fact


def _is_of_a_ledger(event: Mapping[str, Any]) -> bool:
    source = event.get("source")
    return isinstance(source, str) and source.startswith(LEDGERS)


def _invalid(path: str, zh: str, en: str) -> Refusal:
    return refusal(Code.INVALID, path, zh, en)


EVENT_LINES: Final = Format("cloudevents", fits=fits, items=items)
