"""`python -m benchmarks [NAME …]`: runs the benchmarks, all of them where none is named (see README.md)."""

import sys
from typing import Final

from benchmarks.harness import main

BENCHMARKS: Final = {
    "replay": "benchmarks.replay",
    "bulk": "benchmarks.bulk",
    "hot": "benchmarks.hot",
    "asof": "benchmarks.asof",
    "import": "benchmarks.importing",
    "whole": "benchmarks.whole",
    "rebuild": "benchmarks.rebuild",
    "lag": "benchmarks.lag",
    "subscribers": "benchmarks.subscribers",
    "append": "benchmarks.append",
    "verify": "benchmarks.verify",
    "million": "benchmarks.million",
    "growth": "benchmarks.growth",
    "draw": "benchmarks.draws",
    "pages": "benchmarks.pages",
    "absence": "benchmarks.absence",
}
"""The module of each benchmark, by its name."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BENCHMARKS))
