"""The column shapes of revision expand_0001."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

TEXTS: Final = postgresql.ARRAY(sa.Text)
CIDRS: Final = postgresql.ARRAY(postgresql.CIDR)
BYTEWISE: Final = sa.Text(collation="C")
TEXT: Final = sa.Text()
UUID: Final = sa.Uuid()
TIME: Final = sa.DateTime(timezone=True)
BIGINT: Final = sa.BigInteger()
INTEGER: Final = sa.Integer()
SMALLINT: Final = sa.SmallInteger()
BOOLEAN: Final = sa.Boolean()
JSON: Final = sa.JSON()
BYTES: Final = sa.LargeBinary()
CIDR: Final = postgresql.CIDR()
INET: Final = postgresql.INET()


def columns(
    kind: Any,  # noqa: ANN401 - a type of SQLAlchemy's, whose base is generic
    names: str,
    *,
    null: bool = False,
    default: str | None = None,
    identity: bool = False,
) -> "list[sa.Column[Any]]":
    """Columns of one type, by their names between blanks."""
    server_default = sa.Identity() if identity else default and sa.text(default)
    return [sa.Column(name, kind, nullable=null, server_default=server_default) for name in names.split()]


def tenant(table: str) -> sa.ForeignKeyConstraint:
    """`tenant_id` of a table, which ends with its tenant."""
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=f"fk_{table}_tenant_id", ondelete="CASCADE")
