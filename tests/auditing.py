"""`make audit`: asks an advisory service about every library that is pinned, and says plainly where it was not answered.

pip-audit itself says “No known vulnerabilities found” and ends with 0 where the service knew none of the libraries: what
it skips is counted here, and is not clean. Ends with 0 for clean, 1 for known holes, 2 where there was no answer.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

LOCK: Final = Path(__file__).parents[1] / "requirements.lock"
COMMAND: Final = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--requirement")


class Verdict(NamedTuple):
    code: int
    text: str


class _Library(msgspec.Struct):
    name: str
    version: str = ""
    vulns: list[dict[str, Any]] = []
    skip_reason: str | None = None


class _Found(msgspec.Struct):
    dependencies: list[_Library]


def verdict(answer: bytes) -> Verdict:
    """What pip-audit's JSON says; anything else is no answer."""
    try:
        found = msgspec.json.decode(answer, type=_Found).dependencies
    except msgspec.DecodeError:
        return Verdict(2, "Not audited: no advisory service could be reached. Run it where there is a network.")
    holes = [f"{each.name} {each.version}: {one['id']}" for each in found for one in each.vulns]
    skipped = [each.name for each in found if each.skip_reason is not None]
    if holes:
        return Verdict(1, "\n".join([f"{len(holes)} known holes in {len(found)} libraries:", *holes]))
    if skipped or not found:
        return Verdict(
            2,
            f"Not audited: the advisory service answered for {len(found) - len(skipped)} of {len(found)} libraries. "
            "Where the package index is a mirror it has no advisories: run it where there is a network.",
        )
    return Verdict(0, f"Clean: no known hole in any of {len(found)} libraries.")


def main() -> int:
    ran = subprocess.run([sys.executable, "-m", "pip_audit", *COMMAND, str(LOCK)], capture_output=True, check=False)
    said = verdict(ran.stdout)
    print(said.text, file=sys.stderr if said.code else sys.stdout)
    return said.code


if __name__ == "__main__":
    sys.exit(main())
