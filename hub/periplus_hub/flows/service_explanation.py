"""Why an address is resolved as it is, of what the inventory says now about a time."""

from datetime import datetime
from ipaddress import IPv4Address
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_inventory, repository_meanings
from periplus_hub.flows.engine.explained import AddressExplanation
from periplus_hub.flows.engine.explanation import Explainer
from periplus_hub.flows.model import HOUR_S, MINUTE_S
from periplus_hub.inventory.address_text import parse_address
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import NotFound

_MAPPED: Final = 0xFFFF << 32


async def explain(c: ReadConnection, scope: Scope, ip: str, at: datetime, *, viewer: UUID | None) -> AddressExplanation:
    """Whose the address was, as seen from a cluster or from everywhere; raises NotFound where that was no member."""
    at_s = int(at.timestamp()) // MINUTE_S * MINUTE_S
    hour = at_s // HOUR_S * HOUR_S
    address = parse_address(ip)
    number = _MAPPED | int(address) if isinstance(address, IPv4Address) else int(address)
    identities = await repository_inventory.identities(c, scope, hour, str(address))
    fleet, named = await repository_inventory.clusters_at(c, scope, hour)
    meanings = await repository_meanings.meanings(c, scope, hour, (fleet, named), str(address))
    explainer = Explainer(identities, fleet, number, at_s, meanings=meanings)
    if viewer is None:
        return AddressExplanation(at_s=at_s, views=tuple(explainer.from_everywhere()))
    view = explainer.from_cluster(viewer)
    if view is None:
        raise NotFound(f"cluster {viewer} was no member then", "Ask for a time at which it was, or without a cluster.")
    return AddressExplanation(at_s=at_s, views=(view,))
