"""Resolves what a call really calls: `from datetime import datetime as dt; dt.now()` is `datetime.datetime.now`."""

import ast


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Local name → dotted origin, for every import in the file, also those inside functions."""
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                origins[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return origins


def dotted(node: ast.expr, origins: dict[str, str]) -> str | None:
    """The full name of `node`, or None when it is no plain name; unimported names stand for themselves."""
    if isinstance(node, ast.Name):
        return origins.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value, origins)):
        return f"{owner}.{node.attr}"
    return None
