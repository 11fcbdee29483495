"""The lock files say what the pyproject files ask for, and the pyproject files what the code imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from itertools import pairwise

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.meta.gates.source import ROOT, modules

LOCKS = ("dev", "hub", "spoke", "uv")
FOLDERS = {"contract": "periplus_contract", "hub": "periplus_hub", "spoke-agent": "periplus_spoke"}
OURS = {name.replace("_", "-") for name in FOLDERS.values()}


def locked(name: str) -> dict[str, str]:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    entries = (Requirement(line.removesuffix(" \\")) for line in text.splitlines() if line[:1].isalnum())
    return {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in entries}


def declared(folder: str) -> Iterator[Requirement]:
    table = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())
    return map(Requirement, table["project"]["dependencies"])


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_nothing_else(name: str) -> None:
    entry = re.compile(r"[a-z0-9][a-z0-9.-]*==\S+( ; [^\\]+)? \\")
    last_hash = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (ROOT / f"requirements/{name}.txt").read_text().splitlines()
    assert [line for line in lines if not entry.fullmatch(line) and not last_hash.fullmatch(line)] == []
    assert all(last_hash.fullmatch(after) for line, after in pairwise(lines) if "==" in line)


@pytest.mark.parametrize("name", ["hub", "spoke"])
def test_an_image_gets_the_versions_that_were_tested(name: str) -> None:
    assert locked(name).items() <= locked("dev").items()


@pytest.mark.parametrize(("folder", "lock"), [("hub", "hub"), ("spoke-agent", "spoke"), ("contract", "spoke")])
def test_every_declared_dependency_is_locked_within_its_bounds(folder: str, lock: str) -> None:
    versions = locked(lock)
    unmet = [
        str(wanted)
        for wanted in declared(folder)
        if wanted.name not in OURS and versions.get(canonicalize_name(wanted.name), "") not in wanted.specifier
    ]
    assert unmet == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_package_imports_only_what_it_declares(folder: str) -> None:
    allowed = {canonicalize_name(wanted.name) for wanted in declared(folder)} | {FOLDERS[folder].replace("_", "-")}
    distributions = packages_distributions()
    undeclared = {
        f"{path}: {top}"
        for path, top in imports(f"{folder}/{FOLDERS[folder]}")
        if top not in sys.stdlib_module_names and not provided(top, distributions) & allowed
    }
    assert sorted(undeclared) == []


def provided(top: str, distributions: Mapping[str, list[str]]) -> set[str]:
    # An editable install lists no top-level names; ours are called like their packages.
    names = [*distributions.get(top, ()), *([top] if top in FOLDERS.values() else [])]
    return {canonicalize_name(name) for name in names}


def imports(root: str) -> Iterator[tuple[str, str]]:
    for module in modules(root):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                yield from ((module.path, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield module.path, node.module.partition(".")[0]
