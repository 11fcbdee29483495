"""A package inside a slice is held by every gate: a bad file in each turns it red."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

from tests.meta.gates.banned_calls import banned_calls
from tests.meta.gates.floors import floor_of
from tests.meta.gates.sizes import MAX_FILE_LINES, too_large
from tests.meta.gates.slice_arrows import uphill_imports
from tests.meta.gates.source import PACKAGES, ROOT, Gate, modules, parse
from tests.meta.gates.sql_building import sql_outside_repositories
from tests.meta.gates.tenant_scope import handwritten_predicates, unscoped

HUB = ROOT / "hub/periplus_hub"
NESTED = sorted(
    path.parent.relative_to(HUB).as_posix()
    for path in HUB.glob("*/**/__init__.py")
    if len(path.parent.relative_to(HUB).parts) > 1 and path.parent.relative_to(HUB).parts[0] not in {"api", "kit"}
)
"""Packages inside slices; `api` composes and `kit` has no floors."""
ENGINES = [package for package in NESTED if package.endswith("/engine")]

Toy = tuple[Gate, str, Callable[[str], str]]
"""The gate, the name of a file, and its text in a slice."""
TOYS: dict[str, Toy] = {
    "sql": (sql_outside_repositories, "toy", lambda _: "from sqlalchemy import select"),
    "size": (too_large, "toy", lambda _: "x = 1\n" * (MAX_FILE_LINES + 1)),
    "clock": (banned_calls, "toy", lambda _: "import time\ntime.time()"),
    "predicate": (handwritten_predicates, "toy", lambda _: "q.where(pods.c.tenant_id == tenant)"),
    "arrow": (uphill_imports, "model_toy", lambda slice_: f"import periplus_hub.{slice_}.graphql_toy"),
}


def test_there_are_some() -> None:
    assert {"addresses/overlaps", "addresses/overlaps/engine", "addresses/free", "addresses/ipam"} <= set(NESTED)


@pytest.mark.parametrize("package", NESTED)
@pytest.mark.parametrize("toy", TOYS)
def test_a_bad_file_is_found(package: str, toy: str) -> None:
    gate, name, text = TOYS[toy]
    bad = parse(text(package.partition("/")[0]), f"hub/periplus_hub/{package}/{name}.py")
    assert len(list(gate(bad))) == 1


@pytest.mark.parametrize("package", [package for package in NESTED if package not in ENGINES])
def test_a_repository_there_takes_a_scope(package: str) -> None:
    bad = parse("async def everything(c: ReadConnection): ...", f"hub/periplus_hub/{package}/repository_toy.py")
    assert len(list(unscoped(bad))) == 1


@pytest.mark.parametrize("package", ENGINES)
def test_an_engine_has_no_repository_and_asks_none(package: str) -> None:
    inside, around = package.replace("/", "."), package.rpartition("/")[0].replace("/", ".")
    path = f"hub/periplus_hub/{package}/repository_toy.py"
    assert len(list(sql_outside_repositories(parse("from sqlalchemy import select", path)))) == 1
    assert len(list(uphill_imports(parse(f"from periplus_hub.{around} import repository_toy", path)))) == 1
    assert list(uphill_imports(parse(f"from periplus_hub.{inside} import repository_toy", path))) == []


def test_what_stands_lowest_is_pure_by_contract() -> None:
    """Whoever writes `model_of_x.py` puts it into an `engine` folder, which the contract knows, or names it there."""
    pure = contract("pure")["source_modules"]
    low = [module.path for module in modules(*PACKAGES) if floor_of(module.path) in {"model", "engine"}]
    dotted = (path.partition("/")[2].removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in low)
    assert [name for name in dotted if not any(_held(name, pattern) for pattern in pure)] == []


def _held(name: str, pattern: str) -> bool:
    """By itself or as part of a package. `*` takes more than import-linter's here: what counts is the last word."""
    return fnmatchcase(name, pattern.replace("**", "*")) or fnmatchcase(name, f"{pattern.replace('**', '*')}.*")


TOY_FILES = {
    "addresses/ipam/toy.py": "import periplus_hub.addresses.overlaps.model\n",
    "addresses/free/toy.py": "import periplus_hub.addresses.overlaps.engine.register\n",
    "addresses/prefixes/toy.py": "import periplus_hub.addresses.ipam.model\nimport sqlalchemy\n",
    "addresses/ipam/engine/toy.py": "import asyncio\n",
    "addresses/free/engine/toy.py": "import periplus_hub.addresses.free.repository\n",
    "addresses/overlaps/engine/toy.py": "import strawberry\nimport periplus_hub.findings.model\n",
    "addresses/overlaps/service/toy.py": "import periplus_hub.addresses.overlaps.jobs\n",
    "addresses/overlaps/service/__init__.py": "",
    "addresses/shed/__init__.py": "",
    "findings/detectors/toy.py": "import httpx\n",
}
FOUND = (
    "periplus_hub.addresses.ipam is not allowed to import periplus_hub.addresses.overlaps",
    "periplus_hub.addresses.free is not allowed to import periplus_hub.addresses.overlaps",
    "periplus_hub.addresses.prefixes is not allowed to import periplus_hub.addresses.ipam",
    "periplus_hub.addresses.prefixes is not allowed to import sqlalchemy",
    "periplus_hub.addresses.ipam.engine is not allowed to import asyncio",
    "periplus_hub.addresses.free.engine is not allowed to import sqlalchemy",
    "periplus_hub.addresses.free.engine is not allowed to import periplus_hub.addresses.free.repository",
    "periplus_hub.addresses.overlaps.engine is not allowed to import strawberry",
    "periplus_hub.addresses is not allowed to import periplus_hub.findings",
    "periplus_hub.addresses.overlaps.service is not allowed to import periplus_hub.addresses.overlaps.jobs",
    "periplus_hub.addresses.shed",
    "periplus_hub.findings.detectors is not allowed to import httpx",
)


def test_the_graph_of_imports_sees_bad_files_too(tmp_path: Path) -> None:
    for package in PACKAGES:
        copytree(ROOT / package, tmp_path / Path(package).name, ignore=ignore_patterns("__pycache__"))
    for name, text in TOY_FILES.items():
        path = tmp_path / "periplus_hub" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command as c; c()"]
    command += ["--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    lines = " ".join(said.stdout.split())
    assert said.returncode == 1, said.stderr
    assert [each for each in FOUND if each not in lines] == [], said.stdout


def contract(name: str) -> dict[str, Any]:
    """One of import-linter's, as it is written."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(each for each in found if each["id"] == name)
