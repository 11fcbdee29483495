"""What only the source text knows: the strings under attributes and constants."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def module_of(thing: type) -> ModuleType:
    """The module whose source defines `thing`."""
    return sys.modules[thing.__module__]


def attribute_docs(module: ModuleType) -> dict[str, str]:
    """`NAME` and `Class.name` of a module → the string that stands right under it."""
    return dict(_documented(ast.parse(inspect.getsource(module)).body, ""))


def _documented(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.ClassDef):
            yield from _documented(statement.body, f"{statement.name}.")
        name = _target(statement)
        text = _string(following)
        if name and text is not None:
            yield prefix + name, inspect.cleandoc(text)


def _target(statement: ast.stmt) -> str:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _string(statement: ast.stmt | None) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value = statement.value.value
        return value if isinstance(value, str) else None
    return None


def constants(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The module's own upper-case names with their values, in source order."""
    for statement in ast.parse(inspect.getsource(module)).body:
        name = _target(statement)
        if name.isupper() and not name.startswith("_"):
            yield name, getattr(module, name)
