"""What the inventory says about an hour, in columns: who had which address when, and what stood behind services.

COPY writes it as text and Arrow reads that: a million rows never become objects.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pyarrow as pa
from pyarrow import csv
from sqlalchemy import and_, or_, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.repository_domains import domain_at
from periplus_hub.fleet.tables import domain_connections, registrations
from periplus_hub.flows.engine.cluster_names import Named
from periplus_hub.flows.model import HOUR_S, OPEN_END_US, ClusterPlace, Fleet
from periplus_hub.inventory.tables import clusters as cluster_rows
from periplus_hub.kit.db import ReadConnection

HEX: Final = (
    "CASE family({ip}) WHEN 4 THEN '00000000000000000000ffff' || right(encode(inet_send({ip}), 'hex'), 8)"
    " ELSE right(encode(inet_send({ip}), 'hex'), 32) END"
)
"""The 32 digits of an address."""
US: Final = "(extract(epoch FROM {time}) * 1000000)::bigint"
"""A time in microseconds since 1970."""
_IDENTITIES_OF: Final = """
    SELECT registration_id, 'pod' AS layer, {hex_held_ip} AS address,
           coalesce(namespace, '') AS namespace,
           CASE WHEN workload_name IS NULL THEN 'Pod' ELSE coalesce(workload_kind, '') END AS kind,
           coalesce(workload_name, name, '') AS workload, coalesce(node, '') AS node,
           {us_valid_from} AS since, coalesce({us_valid_to}, {forever}) AS until
    FROM pods, LATERAL (VALUES (ipv4), (ipv6)) AS held(ip)
    WHERE tenant_id = $1 AND held.ip IS NOT NULL{only_held_ip} AND NOT host_network AND valid_from < $3
      AND (valid_to IS NULL OR valid_to > $2)
    UNION ALL
    SELECT p.registration_id, 'pod', {hex_a_ip}, coalesce(p.namespace, ''),
           CASE WHEN p.workload_name IS NULL THEN 'Pod' ELSE coalesce(p.workload_kind, '') END,
           coalesce(p.workload_name, p.name, ''), coalesce(p.node, ''),
           {us_a_valid_from}, coalesce({us_a_valid_to}, {forever})
    FROM endpoint_addresses a JOIN pods p
      ON p.tenant_id = a.tenant_id AND p.registration_id = a.registration_id AND p.uid = a.owner_uid
    WHERE a.tenant_id = $1 AND a.owner_kind = 'pod'{only_a_ip} AND a.valid_from < $3
      AND (a.valid_to IS NULL OR a.valid_to > $2)
    UNION ALL
    SELECT registration_id,
           CASE WHEN owner_kind = 'node' THEN lower(role) WHEN role = 'ClusterIP' THEN 'clusterip' ELSE 'published' END,
           {hex_ip}, coalesce(namespace, ''),
           CASE owner_kind WHEN 'node' THEN 'Node' ELSE 'Service' END, coalesce(name, ''), coalesce(node, ''),
           {us_valid_from}, coalesce({us_valid_to}, {forever})
    FROM endpoint_addresses
    WHERE tenant_id = $1 AND owner_kind <> 'pod'{only_ip} AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $2)
"""
"""`layer` is pod, internalip or externalip of a node, clusterip, or published: what a service has outside. `node` is
where the pod runs, or the node itself."""
_NODES_OF: Final = """
    SELECT DISTINCT registration_id, coalesce(name, '') AS node, coalesce(region, '') AS region,
           coalesce(zone, '') AS zone, {us_valid_from} AS since, coalesce({us_valid_to}, {forever}) AS until
    FROM endpoint_addresses
    WHERE tenant_id = $1 AND owner_kind = 'node' AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $2)
"""
_ADDRESSES: Final = ("held.ip", "a.ip", "ip")
_WORDS: Final = {
    **{f"hex_{name.replace('.', '_')}": HEX.format(ip=name) for name in _ADDRESSES},
    **{
        f"us_{name.replace('.', '_')}": US.format(time=name)
        for name in ("valid_from", "valid_to", "a.valid_from", "a.valid_to")
    },
    "forever": OPEN_END_US,
}
_ONLY: Final = {f"only_{name.replace('.', '_')}": f" AND {name} = $4::text::inet" for name in _ADDRESSES}
_IDENTITIES: Final = _IDENTITIES_OF.format(**_WORDS, **dict.fromkeys(_ONLY, ""))
_NODES: Final = _NODES_OF.format(**_WORDS)
_IDENTITIES_OF_ADDRESS: Final = _IDENTITIES_OF.format(**_WORDS, **_ONLY)
_PORTS_BEHIND: Final = """
    WITH backing AS (
      SELECT e.registration_id, e.namespace, e.service, min(p.workload_kind) AS kind, min(p.workload_name) AS workload
      FROM endpoints e JOIN pods p
        ON p.tenant_id = e.tenant_id AND p.registration_id = e.registration_id AND p.uid = e.target_uid
      WHERE e.tenant_id = $1{of_endpoints} AND p.workload_name IS NOT NULL
      GROUP BY e.registration_id, e.namespace, e.service
      HAVING count(DISTINCT (p.workload_kind, p.workload_name)) = 1),
    named AS (
      SELECT DISTINCT e.registration_id, e.namespace, e.service, split_part(port, '|', 1) AS name,
             split_part(port, '|', 2) AS protocol, split_part(port, '|', 3) AS number
      FROM endpoints e, unnest(e.ports) AS port WHERE e.tenant_id = $1{of_endpoints}),
    listed AS (
      SELECT s.registration_id, s.namespace, s.name, split_part(port, '|', 1) AS port_name,
             split_part(port, '|', 2) AS protocol, split_part(port, '|', 3) AS port, split_part(port, '|', 4) AS target,
             split_part(port, '|', 5) AS node_port, s.cluster_ips <> '{}' OR s.load_balancer_ips <> '{}' AS addressed
      FROM services s, unnest(s.ports) AS port WHERE s.tenant_id = $1{of_services}),
    resolved AS (
      SELECT l.*, CASE WHEN l.target ~ '^[0-9]{1,5}$' AND l.target <> '0' THEN l.target ELSE coalesce(
          (SELECT min(n.number) FROM named n WHERE n.number ~ '^[0-9]{1,5}$'
             AND n.registration_id = l.registration_id AND n.namespace = l.namespace AND n.service = l.name
             AND n.name = l.port_name AND n.protocol = l.protocol
           HAVING count(DISTINCT n.number) = 1), l.port) END AS to_port, b.kind AS to_kind, b.workload AS to_workload
      FROM listed l LEFT JOIN backing b
        ON b.registration_id = l.registration_id AND b.namespace = l.namespace AND b.service = l.name)
    SELECT registration_id, 'Service' AS kind, coalesce(namespace, '') AS namespace, coalesce(name, '') AS workload,
           port, protocol, coalesce(namespace, '') AS to_namespace, coalesce(to_kind, 'Service') AS to_kind,
           coalesce(to_workload, name, '') AS to_workload, to_port FROM resolved
    WHERE port ~ '^[0-9]{1,5}$' AND to_port ~ '^[0-9]{1,5}$'
    UNION ALL
    SELECT registration_id, 'Node', '', '', node_port, protocol, coalesce(namespace, ''),
           coalesce(to_kind, 'Service'), coalesce(to_workload, name, ''), to_port
    FROM resolved WHERE node_port ~ '^[0-9]{1,5}$' AND node_port <> '0' AND to_port ~ '^[0-9]{1,5}$'
"""
"""What is behind a service's port, or a port on every node: the workload where there is one alone, else the service.
Numbers are what spokes say, and may be none of a port."""
_PORTS: Final = _PORTS_BEHIND.replace("{of_endpoints}", "").replace("{of_services}", "")
_PORTS_OF_CLUSTER: Final = _PORTS_BEHIND.replace("{of_endpoints}", " AND e.registration_id = $2").replace(
    "{of_services}", " AND s.registration_id = $2"
)
_TEXT: Final = pa.string()
_NUMBER: Final = pa.int64()
IDENTITY_TYPES: Final = {
    **dict.fromkeys(("registration_id", "layer", "address", "namespace", "kind", "workload"), _TEXT),
    **dict.fromkeys(("since", "until"), _NUMBER),
}
_NODE_TYPES: Final = {
    **dict.fromkeys(("registration_id", "node", "region", "zone"), _TEXT),
    **dict.fromkeys(("since", "until"), _NUMBER),
}
_PORT_TYPES: Final = {
    **dict.fromkeys(("registration_id", "kind", "namespace", "workload", "protocol"), _TEXT),
    **dict.fromkeys(("to_namespace", "to_kind", "to_workload"), _TEXT),
    **dict.fromkeys(("port", "to_port"), _NUMBER),
}


async def identities(c: ReadConnection, scope: Scope, hour: int, address: str | None = None) -> pa.Table:
    """Everything that had an address (or only this one) in the hour: where, what, from when until when in microseconds.

    Of revoked clusters too: what they were then, they were.
    """
    statement = _IDENTITIES if address is None else _IDENTITIES_OF_ADDRESS
    only = () if address is None else (address,)
    return await copied(c, scope, statement, hour, *only, types={**IDENTITY_TYPES, "node": _TEXT})


async def node_localities(c: ReadConnection, scope: Scope, hour: int) -> pa.Table:
    """In which region and zone each node was in the hour, from when until when; an empty one is not known.

    A node is here while it has an address.
    """
    return await copied(c, scope, _NODES, hour, types=_NODE_TYPES)


async def ports(c: ReadConnection, scope: Scope) -> pa.Table:
    """What stands behind the ports of services, as it is now: what was before is not kept."""
    return await _read(c, _PORTS, (scope.tenant_id,), _PORT_TYPES)


async def ports_of(c: ReadConnection, scope: Scope, registration_id: UUID) -> pa.Table:
    """The same of one cluster."""
    return await _read(c, _PORTS_OF_CLUSTER, (scope.tenant_id, registration_id), _PORT_TYPES)


async def clusters_at(c: ReadConnection, scope: Scope, hour: int) -> tuple[Fleet, Named]:
    """Which cluster was in which network domain when the hour began, which ones are connected, and names of clusters.

    The last is as it is now: what they were called before is not kept.
    """
    at = datetime.fromtimestamp(hour, UTC)
    table, itself = registrations, cluster_rows
    there = or_(table.c.revoked_at.is_(None), table.c.revoked_at > at)
    known = (owned(scope, table), table.c.state != State.PENDING.value)
    told = table.outerjoin(itself, and_(owned(scope, itself), itself.c.registration_id == table.c.id))
    columns = (table.c.id, table.c.name, itself.c.aliases, domain_at(scope, at).label("domain_id"))
    rows = await c.rows(select(*columns, there.label("there")).select_from(told).where(*known))
    table = domain_connections
    connected = await c.rows(
        select(table.c.domain_a, table.c.domain_b, table.c.mode).where(owned(scope, table), table.c.mode != "planned")
    )
    places = {row.id: ClusterPlace(registration_id=row.id, domain_id=row.domain_id) for row in rows if row.there}
    fleet = Fleet(
        clusters=tuple(places.values()),
        flat=frozenset((row.domain_a, row.domain_b) for row in connected if row.mode == "flat"),
        nat=frozenset((row.domain_a, row.domain_b) for row in connected if row.mode == "nat"),
    )
    named = Named(
        aliases=tuple((row.id, alias) for row in rows for alias in row.aliases or ()),
        names=tuple((row.id, row.name) for row in rows),
    )
    return fleet, named


async def copied(
    c: ReadConnection, scope: Scope, statement: str, hour: int, *given: str, types: dict[str, pa.DataType]
) -> pa.Table:
    """What a statement finds of an hour: $1 is the tenant, $2 and $3 are its ends, from $4 on what is given."""
    between = (datetime.fromtimestamp(each, UTC) for each in (hour, hour + HOUR_S))
    return await _read(c, statement, (scope.tenant_id, *between, *given), types)


async def _read(c: ReadConnection, statement: str, given: Sequence[object], types: dict[str, pa.DataType]) -> pa.Table:
    raw = await c.raw()
    output = io.BytesIO()
    await raw.copy_from_query(statement, *given, output=output, format="csv", header=True)
    output.seek(0)
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=False)
    return csv.read_csv(output, convert_options=options)
