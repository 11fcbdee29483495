"""Lists as the door for people reads them, without GraphQL around them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from periplus_hub.access.scope import Scope
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.inventory.repository_graphql import LISTINGS
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.windows import Window

PodRow = Row[Any]


async def listed_pods(c: ReadConnection, scope: Scope, only: InventoryFilter) -> Sequence[PodRow]:
    """The first thousand pods."""
    return (await LISTINGS["Pod"].slices(c, scope, [None], Window(1_000), only))[None].rows
