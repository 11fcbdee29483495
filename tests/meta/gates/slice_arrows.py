"""Arrow 4 for split modules: import-linter knows `service`, not `service_enrolment`, so the first word decides here."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.meta.gates.floors import FLOORS, floor_in, floor_of
from tests.meta.gates.source import Module, Violation


def uphill_imports(module: Module) -> Iterator[Violation]:
    """Imports inside one slice, its packages included, that go from a lower floor to a higher one, or between edges."""
    own = floor_of(module.path)
    if own is None:
        return
    slice_ = PurePosixPath(module.path).parts[2]
    for line, target in _imports(module.tree):
        names = tuple(target.split("."))
        other = floor_in(names[2:]) if names[:2] == ("periplus_hub", slice_) else None
        if other is not None and other != own and FLOORS[other] >= FLOORS[own]:
            yield Violation(module.path, line, f"{own} must not import {target}: {other} stands above or beside it")


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
