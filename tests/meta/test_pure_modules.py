import tomllib
from typing import Any

import pytest

from tests.meta.gates.pure_modules import impure_imports
from tests.meta.gates.source import PACKAGES, ROOT, hold, modules, parse


def contract() -> dict[str, Any]:
    """The contract of the imports that pure modules may not reach, however indirectly."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found: dict[str, Any] = next(each for each in told if each["id"] == "pure")
    return found


def test_what_says_that_it_is_pure_imports_no_world() -> None:
    hold(impure_imports(contract()["forbidden_modules"]), *PACKAGES)


def test_every_module_that_the_contract_names_is_there() -> None:
    there = {
        module.path.removesuffix(".py").removesuffix("/__init__").split("/", 1)[1] for module in modules(*PACKAGES)
    }
    names = {path.replace("/", ".") for path in there}
    asked = contract()["source_modules"]
    assert [each for each in asked if not any(_names(each.split("."), name.split(".")) for name in names)] == []


def _names(pattern: list[str], name: list[str]) -> bool:
    if not pattern or not name:
        return not pattern and not name
    if pattern[0] == "**":
        return any(_names(pattern[1:], name[at:]) for at in range(1, len(name) + 1))
    return pattern[0] in {"*", name[0]} and _names(pattern[1:], name[1:])


@pytest.mark.parametrize("text", ['"""Adds. Pure."""\nimport os', '"""Pure: adds."""\nfrom sqlalchemy.sql import text'])
def test_an_import_of_the_world_is_found(text: str) -> None:
    assert len(list(impure_imports({"os", "sqlalchemy"})(parse(text)))) == 1


@pytest.mark.parametrize("text", ['"""Adds. Pure."""\nimport re', '"""Adds."""\nimport os'])
def test_what_is_pure_and_what_does_not_say_so_pass(text: str) -> None:
    assert list(impure_imports({"os"})(parse(text))) == []
