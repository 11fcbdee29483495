"""Who an address was, at a time: the exact answer for one question, straight from the stored identities.

Ranks: a pod's own address before a service's before a node's. Within one network domain the best rank found decides;
several owners of that rank are all returned, and nobody guesses. What a cluster told ends with its revocation: it
cannot say any more that a pod is gone, and the same cluster may be back under a new registration.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, literal, null, or_, select, true, union_all

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.repository_domains import domain_at
from periplus_hub.fleet.tables import registrations
from periplus_hub.ingest.tables import chains
from periplus_hub.inventory import tables
from periplus_hub.inventory.addresses import parse_address
from periplus_hub.inventory.model import RULES, Owner, Ownership, decide
from periplus_hub.kit.db import ReadConnection

Wanted: TypeAlias = Sequence[IPv4Address | IPv6Address]
MAX_OWNERS: Final = 1_000
"""More claims of one address than this, the strongest first, are not read: it is ambiguous long before."""


async def address_owner(
    c: ReadConnection, scope: Scope, ip: str, domain_id: UUID | None, at: datetime
) -> list[Ownership]:
    """Per network domain (all, unless one is given) who had `ip` at `at`; domains where nobody had it are missing.

    A cluster counts for the domain it was in at `at`; before it enrolled, for the first one.
    """
    found = await address_owners(c, scope, [ip], domain_id, at)
    return found[ip]


async def address_owners(
    c: ReadConnection, scope: Scope, ips: Sequence[str], domain_id: UUID | None, at: datetime
) -> dict[str, list[Ownership]]:
    """As `address_owner` for many addresses in one statement, by the text that was asked."""
    addresses = {ip: parse_address(ip) for ip in ips}
    claims = union_all(*_claims(scope, list(set(addresses.values())), at)).subquery()
    domain = domain_at(scope, at)
    statement = (
        select(domain.label("domain_id"), claims)
        .join_from(claims, registrations, registrations.c.id == claims.c.registration_id)
        .where(owned(scope, registrations), or_(registrations.c.revoked_at.is_(None), registrations.c.revoked_at > at))
        .order_by(claims.c.rank, claims.c.registration_id, claims.c.uid)
        .limit(MAX_OWNERS)
    )
    if domain_id is not None:
        statement = statement.where(domain == domain_id)
    by_address: dict[str, list[Owner]] = {}
    for row in await c.rows(statement):
        by_address.setdefault(str(row.ip), []).append(_owner(row))
    return {ip: decide(by_address.get(str(address), [])) for ip, address in addresses.items()}


async def first_inventory_at(c: ReadConnection, scope: Scope, domain_id: UUID | None, at: datetime) -> datetime | None:
    """When the first of the clusters that were there at `at` had told its whole inventory; None when none has."""
    mine = (chains.c.tenant_id == registrations.c.tenant_id) & (chains.c.registration_id == registrations.c.id)
    statement = select(func.min(chains.c.complete_since)).join_from(chains, registrations, mine)
    if domain_id is not None:
        statement = statement.where(domain_at(scope, at) == domain_id)
    found: datetime | None = await c.scalar(statement.where(owned(scope, registrations)))
    return found


def _claims(scope: Scope, wanted: Wanted, at: datetime) -> Iterator[Select[Any]]:
    for version, column in ((4, "ipv4"), (6, "ipv6")):
        if family := [address for address in wanted if address.version == version]:
            yield _pods(scope, family, column, at)
    yield _pods_before(scope, wanted, at)
    yield _others(scope, wanted, at)


def _owner(row: Row[Any]) -> Owner:
    fields = {name: value for name, value in row._mapping.items() if name != "ip"}  # noqa: SLF001 - public name
    return Owner(**fields, rule=RULES[row.rank])


def _holds(start: ColumnElement[Any], end: ColumnElement[Any], at: datetime) -> ColumnElement[bool]:
    return and_(start <= at, or_(end.is_(None), end > at))


def _pods(scope: Scope, wanted: Wanted, column: str, at: datetime) -> Select[Any]:
    """Pods that have one of these addresses, of one family, as their last."""
    pods = tables.pods
    # host_network may be null; the partial indexes speak of NOT host_network, so the same words are used here.
    return _of_pods(scope, pods.c[column], pods.c.valid_from, pods.c.valid_to).where(
        pods.c[column].in_(wanted), ~pods.c.host_network, _holds(pods.c.valid_from, pods.c.valid_to, at)
    )


def _pods_before(scope: Scope, wanted: Wanted, at: datetime) -> Select[Any]:
    """Pods that had one of these addresses before they got others."""
    pods, former = tables.pods, tables.addresses
    same = (former.c.registration_id == pods.c.registration_id) & (former.c.owner_uid == pods.c.uid)
    return (
        _of_pods(scope, former.c.ip, former.c.valid_from, former.c.valid_to)
        .join(former, same & owned(scope, former) & (former.c.owner_kind == "pod"))
        .where(former.c.ip.in_(wanted), _holds(former.c.valid_from, former.c.valid_to, at))
    )


def _of_pods(
    scope: Scope, ip: ColumnElement[Any], valid_from: ColumnElement[Any], valid_to: ColumnElement[Any]
) -> Select[Any]:
    pods, nodes = tables.pods, tables.nodes
    node = (
        select(nodes.c.zone)
        .where(owned(scope, nodes), nodes.c.registration_id == pods.c.registration_id, nodes.c.name == pods.c.node)
        .limit(1)
        .lateral("node")
    )
    return (
        select(
            pods.c.registration_id,
            ip.label("ip"),
            literal("pod").label("kind"),
            pods.c.uid.label("uid"),
            pods.c.namespace,
            func.coalesce(pods.c.name, "").label("name"),
            pods.c.workload_kind,
            pods.c.workload_name,
            pods.c.node,
            node.c.zone,
            valid_from.label("valid_from"),
            valid_to.label("valid_to"),
            literal(0).label("rank"),
        )
        .select_from(pods)
        .outerjoin(node, true())
        .where(owned(scope, pods))
    )


def _others(scope: Scope, wanted: Wanted, at: datetime) -> Select[Any]:
    """Services and nodes."""
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
    ).where(
        owned(scope, table),
        table.c.ip.in_(wanted),
        table.c.owner_kind != "pod",
        _holds(table.c.valid_from, table.c.valid_to, at),
    )
