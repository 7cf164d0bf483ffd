"""What a cell of a table holds."""

from datetime import date
from typing import NamedTuple


class Numeric(NamedTuple):
    """A number in a sheet: its plain decimal, and the day that the sheet counts it as, if any."""

    text: str
    day: date | None = None


Cell = str | Numeric | date
"""Text, or what a sheet keeps as a number or as a date."""
