"""The MetaData all slices' tables hang on, and the column shapes they share."""

from typing import Final

from sqlalchemy import Column, DateTime, Dialect, ForeignKey, MetaData, Text, TypeDecorator, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

UTC_TIME: Final = DateTime(timezone=True)


class TextArray(TypeDecorator[list[str]]):
    """`text[]` as the driver reads it: SQLAlchemy would copy every list of every row once more."""

    impl = ARRAY(Text)
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """None is needed: they are lists of texts already."""


def tenant_column() -> "Column[object]":
    """`tenant_id`, first part of every key and index of a tenant's table."""
    return Column("tenant_id", Uuid, ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)


def time_column(name: str, *, nullable: bool = True) -> "Column[object]":
    """A UTC instant."""
    return Column(name, UTC_TIME, nullable=nullable)


def created_column() -> "Column[object]":
    """When the row was written, by the database's clock."""
    return Column("created_at", UTC_TIME, nullable=False, server_default=func.now())
