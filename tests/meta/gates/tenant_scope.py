"""No query without a tenant: a repository function cannot be called without saying whose rows it may see."""

import ast
from collections.abc import Iterator
from typing import TypeGuard

from tests.meta.gates.floors import floor_of
from tests.meta.gates.source import FunctionNode, Module, Violation, positional

_CONNECTIONS = {"Raw", "ReadConnection", "WriteConnection"}
_OPERATORS = {"in_", "is_", "not_in", "is_not", "is_distinct_from", "between", "any_", "op"}
_PREDICATES = "hub/periplus_hub/access/scope.py"


def unscoped(module: Module) -> Iterator[Violation]:
    """Public repository functions that take no Scope first (after the connection), unless named `system_…`.

    Methods of a class that was built with a Scope are scoped already.
    """
    if floor_of(module.path) != "repository":
        return
    for node in _public_functions(module.tree.body):
        parameters = positional(node)
        if parameters and _annotation(parameters[0]) in _CONNECTIONS:
            parameters = parameters[1:]
        if parameters and _names_tenant(parameters[0]) and not _uses(node, parameters[0].arg):
            yield Violation(module.path, node.lineno, f"{node.name} takes a scope and never looks at it")
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
        if _is_predicate(node):
            yield Violation(module.path, node.lineno, "write the tenant predicate with access.scope.owned")


def _is_predicate(node: ast.AST) -> TypeGuard[ast.expr]:
    if isinstance(node, ast.Compare) and len(node.comparators) == 1:
        sides = [_is_tenant_column(node.left), _is_tenant_column(node.comparators[0])]
        return any(sides) and not all(sides)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _OPERATORS
        and _is_tenant_column(node.func.value)
    )


def _uses(function: FunctionNode, name: str) -> bool:
    if all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in function.body):
        return True  # a protocol's method
    return any(isinstance(node, ast.Name) and node.id == name for each in function.body for node in ast.walk(each))


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
    if isinstance(node, ast.Subscript):
        by_name = isinstance(node.slice, ast.Constant) and node.slice.value == "tenant_id"
        return by_name and (
            (isinstance(node.value, ast.Attribute) and node.value.attr == "c") or isinstance(node.value, ast.Name)
        )
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "tenant_id"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "c"
    )
