"""docs/explain/promises.md: every promise with the tests that hold it, collected from the sources of the tests."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from docs.build.markdown import bullets, code, line, page, prose, section
from docs.build.source import ROOT

CATALOGUE: Final = ROOT / "tests/promises/promises.toml"
_INTRODUCTION: Final = """
    Each promise names the tests that hold it. They run with `make test`, which is red when one of them is. A promise
    without a test is not listed. To add one, see [extending](extending.md#a-promise).
"""
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


class Promise(NamedTuple):
    """What users may rely on; `holds` says it in a sentence, `group` is the heading it stands under."""

    id: str
    group: str
    holds: str


def render() -> str:
    """The page."""
    proofs: dict[str, list[str]] = {}
    for name, test in sorted(marked(ROOT / "tests")):
        proofs.setdefault(name, []).append(test)
    held = [promise for promise in catalogue() if promise.id in proofs]
    groups = dict.fromkeys(promise.group for promise in held)
    return page("Promises", prose(_INTRODUCTION), *(_group(group, held, proofs) for group in groups))


def _group(group: str, held: list[Promise], proofs: dict[str, list[str]]) -> str:
    return section(group, *(_promise(promise, proofs[promise.id]) for promise in held if promise.group == group))


def _promise(promise: Promise, tests: list[str]) -> str:
    return f"**{line(promise.holds)}**\n\n{bullets(map(code, tests))}"


def catalogue() -> list[Promise]:
    """The promises in the order of the file."""
    found = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return [Promise(name, group, holds) for group, entries in found.items() for name, holds in entries.items()]


def marked(folder: Path) -> Iterator[tuple[str, str]]:
    """(promise, test id) of every test below `folder` that a marker ties to a promise, read without importing it."""
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.promise(" in text:
            file = path.relative_to(folder.parent).as_posix()
            yield from ((name, f"{file}::{test}") for name, test in _in_module(ast.parse(text)))


def _in_module(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, _FUNCTIONS):
            yield from ((name, node.name) for name in _names(node.decorator_list))
        elif isinstance(node, ast.ClassDef):
            yield from _in_class(node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            # a state machine: its TestCase is marked where it gets its name
            yield from ((name, ast.unparse(node.targets[0])) for name in _names([node.value.func]))


def _in_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    yield from ((name, node.name) for name in _names(node.decorator_list))
    for inner in node.body:
        if isinstance(inner, _FUNCTIONS):
            yield from ((name, f"{node.name}::{inner.name}") for name in _names(inner.decorator_list))


def _names(decorators: list[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
            yield from (str(ast.literal_eval(argument)) for argument in decorator.args)
