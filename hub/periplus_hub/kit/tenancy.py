"""Whose rows a session may touch, as the database is told: its own check behind the tenant predicate of each query.

Every table of tenants has row-level security that compares `tenant_id` with the session's setting `periplus.tenant`
(`migrations/schema_0001/row_security.py`). Nobody but `periplus_hub.kit.db` sets it.
"""

from enum import Enum
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

_KEY: Final = "periplus.tenant"
_TELL: Final = "SELECT set_config('periplus.tenant', $1, false)"


class OfTenant(Protocol):
    """A scope: whatever says for which tenant it is."""

    @property
    def tenant_id(self) -> UUID:
        """The tenant whose rows are seen and written, and no others."""
        ...


class Unscoped(Enum):
    """Units of work of no tenant."""

    NO_TENANT = ""
    EVERY_TENANT = "*"


Whose: TypeAlias = OfTenant | Unscoped
NO_TENANT: Final = Unscoped.NO_TENANT
"""No tenant's rows: for locks, probes, the schema's version, and tables without tenants."""
EVERY_TENANT: Final = Unscoped.EVERY_TENANT
"""To look up who somebody is and which tenants there are. Reads tenants, tokens, credentials, registrations
and agents whosever they are; reads nothing else and writes nothing."""


async def tell(connection: AsyncConnection, whose: Whose) -> None:
    """Before the first statement of a unit of work: whose rows it may touch.

    A session keeps what it was told, so it costs a round trip only when another tenant had the connection before.
    """
    value = whose.value if isinstance(whose, Unscoped) else str(whose.tenant_id)
    known = connection.info
    if known.get(_KEY) == value:
        return
    known.pop(_KEY, None)  # what is broken off may have been heard or not
    fairy = await connection.get_raw_connection()
    session: Any = fairy.driver_connection
    # Past SQLAlchemy, which would begin the transaction: told inside it, a rollback would take it back.
    await session.execute(_TELL, value)
    known[_KEY] = value
