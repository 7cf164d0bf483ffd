"""The program as a newer release of it may be: `python newer_program.py COMPATIBLE_FROM ARGUMENT…` is the command line of one
that has a migration more, beside which older programs from that level on (0: none) may run."""

import sys
import tempfile
from pathlib import Path

import caseledger.serving
import caseledger.wiring
from caseledger.main import run
from caseledger.wiring import MIGRATIONS
from ledger.migrations import Migration

SCRIPT = "ALTER TABLE register ADD COLUMN newer text; ALTER TABLE api_keys ADD COLUMN newer text DEFAULT 'x';"

if __name__ == "__main__":
    level, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "newer.sql"
        file.write_text(SCRIPT)
        more = (*MIGRATIONS, Migration("newer_0001", (file,), int(level) or None))
        for module in (caseledger.wiring, caseledger.serving):
            setattr(module, "MIGRATIONS", more)  # noqa: B010  # a constant
        sys.exit(run(arguments))
