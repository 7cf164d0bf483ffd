"""Runs the program, again and again, in a process that can be ordered to kill itself at a writing step.

    python fault_process.py ORDERS

Each line of its input, `serve PORT` or `import FILE`, is one run, in a fork that has everything loaded. It says
`started PID`, what the program says, and `ended CODE`, minus the signal for one that was killed. While the file ORDERS
holds {"step": …, "after": …}, the run kills itself at that step (`faults.Watch`).
"""

import os
import sys
from pathlib import Path

import api.app  # noqa: F401  # loaded before the fork
import ledger.streams
from caseledger.import_command import import_file
from caseledger.serving import serve
from caseledger.settings import read_settings
from faults import Watch


def work(orders: Path, command: str, argument: str) -> None:
    setattr(ledger.streams, "EVERY", 1)  # noqa: B010  # a constant: so that snapshots are written in short histories too
    with Watch(orders=orders).pools():
        if command == "serve":
            serve(read_settings(), port=int(argument))
        else:
            import_file(read_settings(), argument, historical=False, dry_run=False, machine=True)


def main(orders: Path) -> None:
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(orders, command, argument)
                code = 0
            finally:
                os._exit(code)
        print(f"started {child}", flush=True)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
