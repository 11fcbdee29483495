"""A session of one's own escapes what an operation is held to: its readers, its tenant, and ending when it ends."""

import ast
from collections.abc import Iterator

from tests.meta.gates.source import Module, Violation

OPENERS = {"read", "write", "retrying_write"}
RULE = "an operation reads through context.read or context.load, and changes through context.write"


def sessions_past_the_context(module: Module) -> Iterator[Violation]:
    """`context.db.read()` and its like, in any module but the context's own."""
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Attribute) and node.attr in OPENERS):
            continue
        database = node.value
        if isinstance(database, ast.Attribute) and database.attr == "db" and _is_context(database.value):
            yield Violation(module.path, node.lineno, RULE)


def _is_context(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "context"
