"""docs/reference/database.md: the hub's tables as they stand in PostgreSQL."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table
from sqlalchemy.dialects import postgresql

from docs.build.markdown import bullets, code, page, prose, section, table
from docs.build.source import ROOT, attribute_docs
from periplus_hub.kit import tables as shared

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy

_INTRODUCTION: Final = """
    The hub owns these tables. Ask over GraphQL: the layout may change with every release, and only the hub and
    `periplus hub migrate` write here. Every index of a tenant's table starts with `tenant_id`.
"""


def render() -> str:
    """The page."""
    return page(
        "Tables of the database",
        prose(_INTRODUCTION),
        *map(_slice, _modules()),
    )


def _modules() -> Iterator[ModuleType]:
    for path in sorted((ROOT / "hub/periplus_hub").rglob("tables.py")):
        module = import_module(".".join(path.relative_to(ROOT / "hub").with_suffix("").parts))
        if module is not shared and any(isinstance(found, Table) for found in vars(module).values()):
            yield module


def _slice(module: ModuleType) -> str:
    docs = attribute_docs(module)
    own = {name: found for name, found in vars(module).items() if isinstance(found, Table)}
    title = ": ".join(module.__name__.split(".")[1:-1]).capitalize()
    return section(title, prose(module.__doc__), *(_table(found, docs.get(name, "")) for name, found in own.items()))


def _table(found: Table, doc: str) -> str:
    rows = [_column(column) for column in found.columns]
    extras = [*_indexes(found), *_checks(found)]
    return section(
        f"`{found.name}`", doc, table(("column", "type", "null", "key"), rows), bullets(sorted(extras)), level=3
    )


def _column(column: "Column[object]") -> tuple[str, str, str, str]:
    keys = ["primary"] if column.primary_key else []
    keys += [f"→ {code(reference.target_fullname)}" for reference in column.foreign_keys]
    return (code(column.name), _type(column), "yes" if column.nullable else "", ", ".join(keys))


def _type(column: "Column[object]") -> str:
    return column.type.compile(_DIALECT).partition(" COLLATE ")[0].lower()


def _indexes(found: Table) -> Iterator[str]:
    for index in found.indexes:
        yield f"{'unique index' if index.unique else 'index'} on {_names(index)}{_condition(index)}"


def _names(index: Index) -> str:
    return ", ".join(code(column.name) for column in index.columns)


def _condition(index: Index) -> str:
    condition = index.dialect_kwargs.get("postgresql_where")
    return "" if condition is None else f" where {code(str(condition))}"


def _checks(found: Table) -> Iterator[str]:
    for constraint in found.constraints:
        if isinstance(constraint, CheckConstraint):
            yield f"check {code(str(constraint.sqltext))}"
