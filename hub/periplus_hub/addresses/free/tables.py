"""The free ranges that were found."""

from typing import Final

from sqlalchemy import (
    Column,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)
from sqlalchemy.dialects.postgresql import CIDR

from periplus_hub.kit.tables import metadata, tenant_column

free_ranges: Final = Table(
    "free_ranges",
    metadata,
    tenant_column(),
    Column("family", SmallInteger, nullable=False),
    Column("length", SmallInteger, nullable=False),
    Column("cidr", CIDR),
    PrimaryKeyConstraint("tenant_id", "family", "length"),
)
"""The lowest range of each size in private space that no active cluster touched at the register's revision; null where
there is none."""
