"""A collector of flows that nobody runs, or that no page tells operators of.

It runs where a registry makes it, itself or by a function that it imports. Its page is one of `docs/operate/flows-*.md`
that the index links, with the collector's name in a heading; several may share one.
"""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.meta.gates.source import ROOT, Module, Violation

_AGENT = "spoke-agent/periplus_spoke/"
REGISTRIES = (f"{_AGENT}collectors/flow_registry.py", f"{_AGENT}node_registry.py")
_KIND = "Kind.FLOWS"
_LINK = re.compile(r"\]\((flows-[\w-]+\.md)[)#]")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class _Collector(NamedTuple):
    path: str
    line: int
    called: str
    """The class."""
    name: str
    """What the collector is called in logs."""


def flow_collectors(modules: Sequence[Module], pages: Mapping[str, str], index: str) -> Iterator[Violation]:
    """Of all modules of the agent. `pages` are the pages of `docs/operate` by the names of their files."""
    made = _made(modules)
    linked = set(_LINK.findall(index))
    headings = " ".join(_headings(text) for name, text in pages.items() if name in linked)
    for each in (found for module in modules for found in _collectors(module)):
        if each.called not in made:
            yield Violation(
                each.path, each.line, f"no registry makes {each.called}: add it in {' or '.join(REGISTRIES)}"
            )
        if not re.search(rf"\b{re.escape(each.name)}\b", headings):
            text = f"no page docs/operate/flows-*.md that the index links has {each.name!r} in a heading"
            yield Violation(each.path, each.line, text)


def pages_of_operators() -> tuple[dict[str, str], str]:
    """What `flow_collectors` takes: the pages, and the index."""
    folder = ROOT / "docs/operate"
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("flows-*.md")}
    return pages, (folder / "index.md").read_text(encoding="utf-8")


def _headings(page: str) -> str:
    return " ".join(_HEADING.findall(page)).lower()


def _collectors(module: Module) -> Iterator[_Collector]:
    """Classes whose batches are flows."""
    for node in module.tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        values = {
            target.id: ast.unparse(part.value)
            for part in node.body
            if isinstance(part, ast.Assign)
            for target in part.targets
            if isinstance(target, ast.Name)
        }
        if values.get("kind") == _KIND:
            yield _Collector(module.path, node.lineno, node.name, values.get("name", "").strip("'\""))


def _made(modules: Sequence[Module]) -> set[str]:
    """Everything that registries call, or functions that they import."""
    by_path = {module.path: module for module in modules}
    found: set[str] = set()
    for registry in (by_path[path] for path in REGISTRIES if path in by_path):
        found |= _calls(registry.tree)
        for path, names in _imports(registry):
            if path in by_path:
                found |= _calls_of(by_path[path], names)
    return found


def _imports(module: Module) -> Iterator[tuple[str, set[str]]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield f"spoke-agent/{node.module.replace('.', '/')}.py", {each.name for each in node.names}


def _calls_of(module: Module, names: Collection[str]) -> set[str]:
    functions = (node for node in module.tree.body if isinstance(node, ast.FunctionDef) and node.name in names)
    return {name for function in functions for name in _calls(function)}


def _calls(tree: ast.AST) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {call.id for call in calls if isinstance(call, ast.Name)}
