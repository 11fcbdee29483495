"""Raising within `except*`: before Python 3.11.4 that makes a group of the one exception, which no caller expects."""

import ast
from collections.abc import Iterator

from tests.meta.gates.source import Module, Violation

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def raises_in_groups(module: Module) -> Iterator[Violation]:
    """A bare `raise` is fine: the group goes on as it came."""
    for group in ast.walk(module.tree):
        if not isinstance(group, ast.TryStar):
            continue
        for statement in (each for handler in group.handlers for part in handler.body for each in _within(part)):
            if isinstance(statement, ast.Raise) and statement.exc is not None:
                yield Violation(module.path, statement.lineno, "raise it after the `except*`: Python 3.11.2 wraps it")


def _within(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, _OWN_SCOPE):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _within(child)
