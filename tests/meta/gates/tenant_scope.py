"""No query without a tenant: a repository function cannot be called without saying whose rows it may see."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.meta.gates.source import FunctionNode, Module, Violation, positional

_CONNECTIONS = {"Raw", "ReadConnection", "WriteConnection"}
_PREDICATES = "hub/periplus_hub/access/scope.py"


def unscoped(module: Module) -> Iterator[Violation]:
    """Public repository functions that take no Scope first (after the connection), unless named `system_…`.

    Methods of a class that was built with a Scope are scoped already.
    """
    if not is_repository(module.path):
        return
    for node in _public_functions(module.tree.body):
        parameters = positional(node)
        if parameters and _annotation(parameters[0]) in _CONNECTIONS:
            parameters = parameters[1:]
        if not parameters or not _names_tenant(parameters[0]):
            message = (
                f"{node.name} must take `scope: Scope` first (after the connection), or be named system_{node.name}"
            )
            yield Violation(module.path, node.lineno, message)


def handwritten_predicates(module: Module) -> Iterator[Violation]:
    """`table.c.tenant_id == value` written out; joins of two tenant columns are fine."""
    if module.path == _PREDICATES:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Compare) and len(node.comparators) == 1:
            sides = [_is_tenant_column(node.left), _is_tenant_column(node.comparators[0])]
            if any(sides) and not all(sides):
                yield Violation(module.path, node.lineno, "write the tenant predicate with access.scope.owned")


def is_repository(path: str) -> bool:
    """`<slice>/repository.py`, `<slice>/repository_<part>.py` and `<slice>/repository/<part>.py`."""
    file = PurePosixPath(path)
    return file.name.startswith("repository") or file.parent.name == "repository"


def _public_functions(body: list[ast.stmt]) -> Iterator[FunctionNode]:
    for node in body:
        name = getattr(node, "name", "_")
        if name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            if _is_built_with_scope(node):
                continue
            yield from _public_functions(node.body)
        elif isinstance(node, FunctionNode) and not name.startswith("system_"):
            yield node


def _is_built_with_scope(node: ast.ClassDef) -> bool:
    return any(
        isinstance(method, ast.FunctionDef)
        and method.name == "__init__"
        and any(_names_tenant(parameter) for parameter in positional(method))
        for method in node.body
    )


def _annotation(parameter: ast.arg) -> str:
    return ast.unparse(parameter.annotation).strip("\"'").rpartition(".")[2] if parameter.annotation else ""


def _names_tenant(parameter: ast.arg) -> bool:
    return _annotation(parameter) == "Scope" or (parameter.arg == "tenant_id" and _annotation(parameter) == "UUID")


def _is_tenant_column(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "tenant_id"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "c"
    )
