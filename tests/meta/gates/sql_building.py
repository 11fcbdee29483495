"""SQL stands in repositories, tables and the kit; everything else asks them."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from tests.meta.gates.floors import floor_of
from tests.meta.gates.names import imported_names
from tests.meta.gates.source import Module, Violation

_FLOORS = {"repository", "tables"}
_BESIDE = ("hub/periplus_hub/kit/*", "hub/periplus_hub/access/scope.py")
_BUILDERS = {"delete", "exists", "insert", "literal_column", "select", "text", "union", "union_all", "update"}
_STATEMENT = re.compile(
    r"(--[^\n]*\n|/\*.*?\*/|\s)*(SELECT\s+\S+.*\sFROM\s|SELECT\s+\w+\(|INSERT\s+INTO\s|UPDATE\s+\w+\s+(AS\s+\w+\s+)?SET\s"
    r"|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s*\(|COPY\s+\w+\s+FROM\s|TRUNCATE\s|(CREATE|ALTER|DROP)\s+TABLE\s)",
    re.DOTALL,
)
_RUNNERS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare", "rows", "scalar", "one_or_none"}
"""Methods that run what they are given: a text there is SQL however it is written."""


def sql_outside_repositories(module: Module) -> Iterator[Violation]:
    """Imported statement builders, and statements written as text."""
    if floor_of(module.path) in _FLOORS or any(fnmatch(module.path, pattern) for pattern in _BESIDE):
        return
    origins = imported_names(module.tree)
    for local, origin in origins.items():
        if origin.startswith("sqlalchemy.") and origin.rpartition(".")[2] in _BUILDERS:
            yield Violation(module.path, _import_line(module.tree, local), f"{origin}: only repositories build SQL")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = origins.get(node.value.id, "")
            if owner.partition(".")[0] == "sqlalchemy" and node.attr in _BUILDERS:
                yield Violation(module.path, node.lineno, f"{owner}.{node.attr}: only repositories build SQL")
        if _is_statement(node):
            yield Violation(module.path, node.lineno, "a statement as text: only repositories build SQL")


def _is_statement(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        runs = isinstance(node.func, ast.Attribute) and node.func.attr in _RUNNERS
        text = _text(node.args[0]) if runs and node.args else None
        return text is not None and not _STATEMENT.match(text)  # what matches is found as text
    text = _text(node)
    return text is not None and _STATEMENT.match(text) is not None


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None


def _import_line(tree: ast.Module, local: str) -> int:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(local in {alias.asname, alias.name} for alias in node.names):
            return node.lineno
    return 1
