"""GraphQL over HTTP as its reference auditor sees it: every audit of the npm package graphql-http, on a real server."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from npm import installed
from running import System

PACKAGES: Final = ("graphql-http@1.23.1", "graphql@16.15.0")
AUDITS: Final = 61
RUN: Final = """
import { serverAudits } from 'graphql-http'
const found = []
for (const audit of serverAudits({ url: process.argv[1] })) {
  const { id, name, status, reason } = await audit.fn()
  found.push({ id, name, status, reason })
}
console.log(JSON.stringify(found))
"""


@pytest.fixture(scope="module")
def auditor() -> Path:
    """A folder in which the auditor is installed."""
    return installed(*PACKAGES)


def test_every_audit_of_graphql_over_http_is_ok(shared: System, auditor: Path) -> None:
    command = ["node", "--input-type=module", "--eval", RUN, f"{shared.url}/graphql"]
    ran = subprocess.run(command, cwd=auditor, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    assert [each for each in found if each["status"] != "ok"] == []
    assert len({each["id"] for each in found}) == len(found) == AUDITS
