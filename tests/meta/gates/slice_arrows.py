"""Arrow 4 for split modules: import-linter knows `service`, not `service_enrolment`, so the first word decides here."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.meta.gates.source import Module, Violation

# A package imports only from ranks at or below its own; siblings of one word may use each other.
_RANKS = {"model": 0, "tables": 1, "repository": 2, "service": 3, "jobs": 4, "routes": 4, "graphql": 4}


def uphill_imports(module: Module) -> Iterator[Violation]:
    """Imports inside one slice that go from a lower file to a higher one, or between its edges."""
    parts = PurePosixPath(module.path).with_suffix("").parts
    if parts[:2] != ("hub", "periplus_hub") or len(parts) < 4:
        return
    package, own = f"periplus_hub.{parts[2]}", _word(parts[3])
    if own not in _RANKS:
        return
    for line, target in _imports(module.tree):
        inner = target.removeprefix(f"{package}.") if target.startswith(f"{package}.") else ""
        other = _word(inner.partition(".")[0])
        if other in _RANKS and other != own and _RANKS[other] >= _RANKS[own]:
            yield Violation(module.path, line, f"{own} must not import {target}: {other} stands above or beside it")


def _word(name: str) -> str:
    return name.partition("_")[0]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
