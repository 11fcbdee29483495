"""A row for any table, whatever it is for: of its columns only the types are looked at."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, make_url

_DIALECT = make_url("postgresql+asyncpg://").get_dialect()()
_VALUES = {
    "UUID": "gen_random_uuid()",
    "TEXT": "gen_random_uuid()::text",
    "BIGINT": "(random() * 1e15)::bigint",
    "INTEGER": "1",
    "SMALLINT": "4",
    "BOOLEAN": "true",
    "TIMESTAMP WITH TIME ZONE": "now()",
    "JSON": "'{}'",
    "BYTEA": "'\\x00'",
    "BIT(1440)": "1::bit(1440)",
    "CIDR": "'10.0.0.0/8'",
    "INET": "'10.0.0.1'",
}


def insertion(table: Table, tenant_id: UUID) -> str:
    """The statement that adds one of the tenant's; it minds neither foreign keys nor checks."""
    values = {column.name: _value(column) for column in table.columns if column.identity is None}
    values[tenant_column(table)] = f"'{tenant_id}'"
    return f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({', '.join(values.values())})"


def tenant_column(table: Table) -> str:
    """Which column says whose a row is."""
    return "id" if table.name == "tenants" else "tenant_id"


def _value(column: "Column[Any]") -> str:
    kind = column.type.compile(_DIALECT).partition(" COLLATE")[0]
    return "'{}'" if kind.endswith("[]") else _VALUES[kind]
