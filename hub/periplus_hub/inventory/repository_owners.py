"""Who an address was, at a time: the exact answer for one question, straight from the stored identities.

Ranks: a pod's own address before a service's before a node's. Within one network domain the best rank found decides;
several owners of that rank are all returned, and nobody guesses. What a cluster told ends with its revocation: it
cannot say any more that a pod is gone, and the same cluster may be back under a new registration.
"""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, literal, null, or_, select, true, union_all

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.tables import registrations
from periplus_hub.inventory import tables
from periplus_hub.inventory.addresses import parse_address
from periplus_hub.inventory.model import RULES, Owner, Ownership, decide
from periplus_hub.kit.db import ReadConnection

MAX_OWNERS: Final = 1_000
"""More claims of one address than this are not read: the address is ambiguous long before."""


async def address_owner(
    c: ReadConnection, scope: Scope, ip: str, domain_id: UUID | None, at: datetime
) -> list[Ownership]:
    """Per network domain (all, unless one is given) who had `ip` at `at`; domains where nobody had it are missing."""
    found = await address_owners(c, scope, [ip], domain_id, at)
    return found[ip]


async def address_owners(
    c: ReadConnection, scope: Scope, ips: Sequence[str], domain_id: UUID | None, at: datetime
) -> dict[str, list[Ownership]]:
    """As `address_owner` for many addresses in one statement, by the text that was asked."""
    addresses = {ip: parse_address(ip) for ip in ips}
    wanted = list(set(addresses.values()))
    claims = union_all(_pods(scope, wanted, at), _others(scope, wanted, at)).subquery()
    statement = (
        select(registrations.c.domain_id, claims)
        .join_from(claims, registrations, registrations.c.id == claims.c.registration_id)
        .where(owned(scope, registrations), or_(registrations.c.revoked_at.is_(None), registrations.c.revoked_at > at))
        .limit(MAX_OWNERS)
    )
    if domain_id is not None:
        statement = statement.where(registrations.c.domain_id == domain_id)
    by_address: dict[str, list[Owner]] = {}
    for row in await c.rows(statement):
        by_address.setdefault(str(row.ip), []).append(_owner(row))
    return {ip: decide(by_address.get(str(address), [])) for ip, address in addresses.items()}


def _owner(row: Row[Any]) -> Owner:
    fields = {name: value for name, value in row._mapping.items() if name != "ip"}  # noqa: SLF001 - public name
    return Owner(**fields, rule=RULES[row.rank])


def _holds(start: ColumnElement[Any], end: ColumnElement[Any], at: datetime) -> ColumnElement[bool]:
    return and_(start <= at, or_(end.is_(None), end > at))


def _pods(scope: Scope, wanted: Sequence[IPv4Address | IPv6Address], at: datetime) -> Select[Any]:
    pods, nodes = tables.pods, tables.nodes
    family4 = [address for address in wanted if address.version == 4]  # noqa: PLR2004 - the family
    family6 = [address for address in wanted if address.version == 6]  # noqa: PLR2004 - the family
    # host_network may be null; the partial indexes speak of NOT host_network, so the same words are used here.
    asked = or_(pods.c.ipv4.in_(family4), pods.c.ipv6.in_(family6))
    node = (
        select(nodes.c.zone)
        .where(owned(scope, nodes), nodes.c.registration_id == pods.c.registration_id, nodes.c.name == pods.c.node)
        .limit(1)
        .lateral("node")
    )
    return (
        select(
            pods.c.registration_id,
            case((pods.c.ipv4.in_(family4), pods.c.ipv4), else_=pods.c.ipv6).label("ip"),
            literal("pod").label("kind"),
            pods.c.uid.label("uid"),
            pods.c.namespace,
            func.coalesce(pods.c.name, "").label("name"),
            pods.c.workload_kind,
            pods.c.workload_name,
            pods.c.node,
            node.c.zone,
            pods.c.valid_from,
            pods.c.valid_to,
            literal(0).label("rank"),
        )
        .outerjoin_from(pods, node, true())
        .where(owned(scope, pods), asked, ~pods.c.host_network, _holds(pods.c.valid_from, pods.c.valid_to, at))
    )


def _others(scope: Scope, wanted: Sequence[IPv4Address | IPv6Address], at: datetime) -> Select[Any]:
    table = tables.addresses
    return select(
        table.c.registration_id,
        table.c.ip,
        table.c.owner_kind,
        table.c.owner_uid,
        table.c.namespace,
        func.coalesce(table.c.name, ""),
        null(),
        null(),
        table.c.node,
        table.c.zone,
        table.c.valid_from,
        table.c.valid_to,
        case((table.c.owner_kind == "service", 1), else_=2),
    ).where(owned(scope, table), table.c.ip.in_(wanted), _holds(table.c.valid_from, table.c.valid_to, at))
