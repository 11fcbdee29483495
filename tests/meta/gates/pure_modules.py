"""Whoever says of a module that it is pure is held to it, wherever the module stands."""

import ast
import re
from collections.abc import Collection, Iterator

from tests.meta.gates.source import Gate, Module, Violation

_SAYS_SO = re.compile(r"\bPure\b")


def impure_imports(forbidden: Collection[str]) -> Gate:
    """A gate for modules whose docstring says Pure: none of these packages is imported there."""

    def gate(module: Module) -> Iterator[Violation]:
        if not _SAYS_SO.search(ast.get_docstring(module.tree) or ""):
            return
        for node in ast.walk(module.tree):
            for name in _imported(node):
                if name.partition(".")[0] in forbidden:
                    yield Violation(module.path, node.lineno, f"it says it is pure, and imports {name}")

    return gate


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
