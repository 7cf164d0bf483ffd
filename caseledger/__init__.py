"""The program: settings, wiring and command line. Imports all; nothing imports it."""

import gc
from typing import Final

GARBAGE: Final = 50_000
"""New objects after which Python looks for cycles. Modules, folds and rows are many small objects without any: to go
through them again and again costs a quarter of a start's time, a fifth of a projection's, a third of a large answer's."""

gc.set_threshold(GARBAGE)
