"""The house: who may import whom, how large things may be, what no file may say. Conventions that hold because they are tested."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import graphql
import pytest

from api.schema import SCHEMA
from domain.events import EVENTS, RECORDABLE

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = {
    "domain": ROOT / "domain",
    "ledger": ROOT / "ledger",
    "projections": ROOT / "projections",
    "api": ROOT / "graphql" / "api",
    "caseledger": ROOT / "caseledger",
}
MAY_IMPORT: Final = {
    "domain": set[str](),
    "ledger": {"domain"},
    "projections": {"domain", "ledger"},
    "api": {"domain", "ledger", "projections"},
    "caseledger": {"domain", "ledger", "projections", "api"},
}
"""Which packages a package may import besides itself."""
OF_OTHERS: Final = {"domain": {"msgspec", "stdnum", "chinese_calendar"}}
"""Where the packages of others are limited too: the domain is pure."""
LONGEST_MODULE: Final = 600
LONGEST_FUNCTION: Final = 70
CARRIED: Final = "graphql/api/static/graphiql/"
"""Files of others that the project carries as they are."""

# Put together here, since this file too must not say them.
REGISTRIES: Final = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
        ("registry", "npmmirror"), ("proxy", "golang"), ("crates", "io"), ("unpkg", "com"), ("jsdelivr", "net"),
        ("esm", "sh"), ("cdnjs", "cloudflare"), ("deb", "debian"), ("tuna", "tsinghua"),
    )
)  # fmt: skip
HOMES: Final = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+)/")


def modules(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*.py"))


SOURCES: Final = modules(*FOLDERS.values())
WRITTEN: Final = [*SOURCES, *modules(ROOT / "tests", ROOT / "benchmarks")]


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def package_of(file: Path) -> str:
    return next(name for name, folder in FOLDERS.items() if folder in file.parents)


def imported(file: Path) -> Iterator[str]:
    """The top packages that a module imports, wherever in it."""
    package = package_of(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield package if node.level else (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", FOLDERS)
def test_each_package_imports_only_those_below_it(package: str) -> None:
    above = set(FOLDERS) - MAY_IMPORT[package] - {package}
    wrong = {named(file): found for file in modules(FOLDERS[package]) if (found := set(imported(file)) & above)}
    assert wrong == {}


@pytest.mark.parametrize("package", OF_OTHERS)
def test_a_pure_package_imports_the_standard_library_and_what_is_listed(package: str) -> None:
    allowed = set(sys.stdlib_module_names) | set(FOLDERS) | OF_OTHERS[package]
    assert {found for file in modules(FOLDERS[package]) for found in imported(file)} - allowed == set()


def test_nothing_of_the_program_is_imported_by_a_package() -> None:
    assert all("caseledger" not in below for name, below in MAY_IMPORT.items() if name != "caseledger")


def test_no_module_of_the_program_imports_the_tests() -> None:
    tests = {file.stem for file in modules(ROOT / "tests")} | {"tests"}
    own = {file.stem for file in SOURCES}
    assert {named(f) for f in SOURCES if set(imported(f)) & (tests - own - set(sys.stdlib_module_names))} == set()


def test_the_folder_graphql_is_no_package_since_one_of_its_name_would_hide_graphql_core() -> None:
    assert list((ROOT / "graphql").glob("*.py")) == []
    assert graphql.__file__ is not None
    assert ROOT / "graphql" not in Path(graphql.__file__).parents
    assert graphql.version_info >= (3, 2)


def test_tests_are_in_no_package() -> None:
    assert [named(file) for file in (ROOT / "tests").rglob("__init__.py")] == []


def test_no_module_is_longer_than_600_lines() -> None:
    lengths = {named(file): len(file.read_text(encoding="utf-8").splitlines()) for file in WRITTEN}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """The functions of a module, each with how many lines it has."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{named(file)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_function_is_longer_than_70_lines() -> None:
    lengths = [length for file in SOURCES for _, length in functions(file)]
    assert {name: n for file in WRITTEN for name, n in functions(file) if n > LONGEST_FUNCTION} == {}
    assert sorted(lengths)[len(lengths) // 2] < 10


def tracked() -> list[str]:
    """The files that are in the repository, or would be by the next commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of the repository")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [name for name in names if name and not name.startswith(CARRIED) and (ROOT / name).is_file()]


def saying(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    texts = {name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in tracked()}
    return {name: sorted(set(found)) for name, text in texts.items() if (found := pattern.findall(text))}


def test_no_file_names_a_package_registry() -> None:
    assert saying(re.compile("|".join(re.escape(host) for host in REGISTRIES), re.IGNORECASE)) == {}


def test_no_file_names_somebodys_home() -> None:
    assert saying(HOMES) == {}


def test_what_is_looked_for_would_be_found() -> None:
    assert HOMES.findall("see /ro" + "ot/x and /home" + "/me/y and /Users" + "/me/z, not a/ro" + "ot/b") == [
        "/ro" + "ot/", "/home" + "/me/", "/Users" + "/me/",
    ]  # fmt: skip


def test_every_event_has_a_graphql_type_and_every_recordable_one_an_input() -> None:
    types = SCHEMA._schema.type_map
    assert [name for name in EVENTS if name not in types] == []
    assert [cls.__name__ for cls in RECORDABLE.values() if f"{cls.__name__}Input" not in types] == []
