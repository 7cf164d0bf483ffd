"""The formats that `caseledger import` reads."""

from typing import Final

from caseledger.event_lines import EVENT_LINES
from caseledger.gongshi_reading import GONGSHI
from caseledger.items import Format
from caseledger.json_lines import JSON_LINES
from caseledger.lines import Source

FORMATS: Final = {each.name: each for each in (EVENT_LINES, GONGSHI, JSON_LINES)}
"""By name, in the order in which a file is tried; JSON Lines comes last."""


def format_of(name: str | None, source: Source) -> Format:
    """The format of that name or, for None, the first that the file fits. Raises KeyError and what reading raises."""
    if name is not None:
        return FORMATS[name]
    beginning = source.beginning()
    return next(each for each in FORMATS.values() if each.fits(beginning))
