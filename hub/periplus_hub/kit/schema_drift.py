"""Whether a database has the tables that this hub declares.

Its revision alone does not say so: a checkout between releases changes the tables of a revision in place, and a backup
may have been restored in part. The hub would start and break at the first statement that needs what is not there.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Column, Row, make_url, text

from periplus_hub.kit.tables import metadata

COLUMNS: Final = text(
    """
    SELECT relname AS table_name, attname AS name, format_type(atttypid, atttypmod) AS kind,
        NOT attnotnull AS is_nullable, atthasdef OR attidentity <> '' AS is_given
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    """
)
"""Those of the database, for `drift`."""
INDEXES: Final = text("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()")
_DIALECT: Final = make_url("postgresql+asyncpg://").get_dialect()()


def drift(columns: Iterable[Row[Any]], indexes: Iterable[str]) -> str:
    """The first thing that differs, for a person; empty when the hub can work."""
    found = {(each.table_name, each.name): (each.kind, each.is_nullable, each.is_given) for each in columns}
    present = set(indexes)
    return next(iter((*_columns(found), *_indexes(present))), "")


def _columns(found: dict[tuple[str, str], tuple[str, bool, bool]]) -> Iterator[str]:
    declared = {(table.name, column.name): column for table in metadata.sorted_tables for column in table.columns}
    for (table, name), column in declared.items():
        kind, null, _ = found.get((table, name), ("", False, False))
        if not kind:
            yield f"{table}.{name} is not there"
        elif (kind, null) != (_kind(column), bool(column.nullable)):
            yield f"{table}.{name} is another column"
    for (table, name), (_, null, given) in found.items():
        if table in metadata.tables and (table, name) not in declared and not (null or given):
            yield f"{table}.{name} is required there, and unknown here"


def _indexes(present: set[str]) -> Iterator[str]:
    for table in metadata.sorted_tables:
        yield from (f"the index {index.name} is not there" for index in table.indexes if index.name not in present)


def _kind(column: Column[Any]) -> str:
    return column.type.compile(dialect=_DIALECT).partition(" COLLATE")[0].lower()
