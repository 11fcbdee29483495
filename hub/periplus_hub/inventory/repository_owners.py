"""Who an address was, at a time: the exact answer for one question, straight from the stored identities.

Ranks: a pod's own address before a node's or a service's. Within one network domain the best rank found decides;
several owners of that rank are all returned, and nobody guesses. Services that only listen on a node's address stand
beside the node. What a cluster told ends with its revocation: it cannot say any more that a pod is gone, and the same
cluster may be back under a new registration.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from periplus_hub.inventory.address_text import parse_address
from periplus_hub.inventory.model import ListeningService, Owner, Ownership, decide, listed
from periplus_hub.kit.db import ReadConnection

Wanted: TypeAlias = Sequence[IPv4Address | IPv6Address]
MAX_OWNERS: Final = 1_000
"""More owners of one address than this, the strongest first, are not read: it is ambiguous long before."""
_READ_FIRST: Final = {"pod": 0, "node": 1, "service": 2}
_HAS_NODE_PORT: Final = r"(^|,)([^|,]*\|){4}[0-9]"
"""Of ports, `name|protocol|port|targetPort|nodePort|appProtocol`, with commas between them."""


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
    """As `address_owner` for many addresses in one statement, two where nodes have them, by the text that was asked."""
    addresses = {ip: parse_address(ip) for ip in ips}
    owners = union_all(*_owners(scope, list(set(addresses.values())), at)).subquery()
    domain = domain_at(scope, at)
    # Of each address apart: one that a whole fleet has must not leave another without owners that there are.
    strongest = (case(_READ_FIRST, value=owners.c.kind), owners.c.registration_id, owners.c.uid)
    place = func.row_number().over(partition_by=owners.c.ip, order_by=strongest)
    there = (
        select(domain.label("domain_id"), owners, place.label("place"))
        .join_from(owners, registrations, registrations.c.id == owners.c.registration_id)
        .where(owned(scope, registrations), or_(registrations.c.revoked_at.is_(None), registrations.c.revoked_at > at))
    )
    if domain_id is not None:
        there = there.where(domain == domain_id)
    ranked = there.subquery("ranked")
    statement = select(ranked).where(ranked.c.place <= MAX_OWNERS).order_by(ranked.c.place)
    by_address: dict[str, list[Owner]] = {}
    for row in await c.rows(statement):
        by_address.setdefault(str(row.ip), []).append(_owner(row))
    decided = {ip: decide(by_address.get(str(address), [])) for ip, address in addresses.items()}
    open_nodes = {
        owner.registration_id
        for found in decided.values()
        for ownership in found
        for owner in ownership.owners
        if _is_open_node(owner)
    }
    ports = await _node_ports(c, scope, sorted(open_nodes), at) if open_nodes else {}
    return {ip: [_with_node_ports(each, ports) for each in found] for ip, found in decided.items()}


async def first_inventory_at(c: ReadConnection, scope: Scope, domain_id: UUID | None, at: datetime) -> datetime | None:
    """When the first of the clusters that were there at `at` had told its whole inventory; None when none has."""
    mine = (chains.c.tenant_id == registrations.c.tenant_id) & (chains.c.registration_id == registrations.c.id)
    statement = select(func.min(chains.c.complete_since)).join_from(chains, registrations, mine)
    if domain_id is not None:
        statement = statement.where(domain_at(scope, at) == domain_id)
    found: datetime | None = await c.scalar(statement.where(owned(scope, registrations)))
    return found


def _owners(scope: Scope, wanted: Wanted, at: datetime) -> Iterator[Select[Any]]:
    for version, column in ((4, "ipv4"), (6, "ipv6")):
        if family := [address for address in wanted if address.version == version]:
            yield _pods(scope, family, column, at)
    yield _pods_before(scope, wanted, at)
    yield _others(scope, wanted, at)


def _owner(row: Row[Any]) -> Owner:
    named = row._mapping
    fields = {name: value for name, value in named.items() if name not in {"ip", "place"}}
    return Owner(**fields)


def _is_open_node(owner: Owner) -> bool:
    """Which ports services have on nodes is known for now only, so they are told of nodes that are there."""
    return owner.kind == "node" and owner.valid_to is None


async def _node_ports(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], at: datetime
) -> dict[UUID, list[ListeningService]]:
    """By cluster, its services of now with ports on every node, that were there at `at`."""
    services = tables.services
    statement = select(
        services.c.registration_id,
        services.c.uid,
        func.coalesce(services.c.namespace, "").label("namespace"),
        func.coalesce(services.c.name, "").label("name"),
        literal("NodePort").label("role"),
    ).where(
        owned(scope, services),
        services.c.registration_id.in_(clusters),
        func.array_to_string(services.c.ports, ",").regexp_match(_HAS_NODE_PORT),
        # Services are kept as they are now. One made since did not listen then; one that is gone since is not known to
        # have.
        or_(services.c.created_at.is_(None), services.c.created_at <= at),
    )
    found: dict[UUID, list[ListeningService]] = {}
    for row in await c.rows(statement):
        found.setdefault(row.registration_id, []).append(ListeningService(**row._mapping))
    return found


def _with_node_ports(ownership: Ownership, ports: Mapping[UUID, Sequence[ListeningService]]) -> Ownership:
    return replace(ownership, owners=tuple(_with_ports_of(owner, ports) for owner in ownership.owners))


def _with_ports_of(owner: Owner, ports: Mapping[UUID, Sequence[ListeningService]]) -> Owner:
    if not _is_open_node(owner):
        return owner
    by_uid = {each.uid: each for each in (*ports.get(owner.registration_id, ()), *owner.services)}
    return replace(owner, services=listed(by_uid.values()))


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
            literal("PodIP").label("role"),
            pods.c.uid.label("uid"),
            pods.c.namespace,
            func.coalesce(pods.c.name, "").label("name"),
            pods.c.workload_kind,
            pods.c.workload_name,
            pods.c.node,
            node.c.zone,
            valid_from.label("valid_from"),
            valid_to.label("valid_to"),
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
        table.c.role,
        table.c.owner_uid,
        table.c.namespace,
        func.coalesce(table.c.name, ""),
        null(),
        null(),
        table.c.node,
        table.c.zone,
        table.c.valid_from,
        table.c.valid_to,
    ).where(
        owned(scope, table),
        table.c.ip.in_(wanted),
        table.c.owner_kind != "pod",
        _holds(table.c.valid_from, table.c.valid_to, at),
    )
