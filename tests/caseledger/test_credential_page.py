"""The credential of docs/formats.md holds by what the page says: by its own lines, by others' libraries and by the command."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from commanding import Ran
from credentialing import part, read_by_others

PAGE: Final = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
SECTION: Final = PAGE[PAGE.index("## Credential") :].split("\n## ")[0]
BLOCKS: Final = dict(re.findall(r"```(?:json|text|python) ([^\n]+)\n(.*?)```", SECTION, re.DOTALL))
CREDENTIAL: Final = BLOCKS["credential"].strip()


def test_the_lines_of_the_page_check_the_credential_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    exec(BLOCKS["check"], {"credential": BLOCKS["credential"], "jwks": BLOCKS["jwks"]})  # noqa: S102  # our own page
    assert capsys.readouterr().out == "91500100MA09DEM09H COOPERATION REFUSE ['CRD-1', 'LIC-1']\n"


def test_the_reference_library_reads_it_and_the_page_explains_every_claim() -> None:
    claims, _ = read_by_others(CREDENTIAL, json.loads(BLOCKS["jwks"])["keys"])
    explained = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", SECTION, re.MULTILINE))))
    assert explained == set(claims)
    assert len(CREDENTIAL) < 3_300


def test_the_command_holds_it_to_be_true_by_the_keys_of_the_page(ran: Ran, tmp_path: Path) -> None:
    for name in ("credential", "jwks", "log key"):
        (tmp_path / name).write_text(BLOCKS[name])
    found: Any = ran.json("check-credential", "credential", "--key", "jwks", "--log-key", "log key")
    assert (found["outcome"], found["verifier"]) == ("REFUSE", BLOCKS["log key"].strip())
    assert found["decisionId"] == part(CREDENTIAL, 1)["decisionId"]
