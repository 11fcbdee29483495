"""SQL of forgetting."""

from datetime import datetime

from sqlalchemy import delete

from periplus_hub.inventory.tables import addresses, pods
from periplus_hub.kit.db import WriteConnection


async def system_forget_identities(c: WriteConnection, before: datetime) -> None:
    """Drop pods and claims that ended before, whoever's they are."""
    await c.execute(delete(pods).where(pods.c.valid_to < before))
    await c.execute(delete(addresses).where(addresses.c.valid_to < before))
