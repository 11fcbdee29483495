"""What addresses meant in an hour beside what had them itself, in columns: what objects said, and their ranges.

Whom a tool calls by a name of its own is looked up among the names that clusters have in other systems, and in the hub;
a name that two of them have is nobody's.

Of allocations only those that there are now are kept: a range of a cluster counts from when it was first told, and is
forgotten with it. What people entered keeps its end.
"""

from typing import Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.tables import allocations
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows import model_kinds
from periplus_hub.flows.engine.meanings import (
    CLUSTER_RANGE,
    EGRESS,
    ENTERED_RANGE,
    ENTRY,
    GATEWAY,
    GLOBAL,
    IMPORT,
    INNER_RANGE,
    MEMBER_RANGE,
    OUTER_GATEWAY,
    REMOTE_ENDPOINT,
    REMOTE_POD,
    WHOLE_BITS,
)
from periplus_hub.flows.model import NOBODY, OPEN_END_US
from periplus_hub.flows.repository_inventory import HEX, IDENTITY_TYPES, US, copied
from periplus_hub.inventory.tables import clusters, pods
from periplus_hub.inventory.tables import meanings as told
from periplus_hub.kit.db import ReadConnection

_TYPES: Final = {**IDENTITY_TYPES, "scope": pa.string(), "length": pa.int64()}
_ENTERED: Final = """
    SELECT domain_id AS scope, '{nobody}'::uuid AS registration_id, '{entered_layer}' AS layer, {hex} AS address,
           '' AS namespace, '{entered_kind}' AS kind, coalesce(nullif(name, ''), text(cidr)) AS workload,
           {us_created_at} AS since, coalesce({us_end}, {forever}) AS until, {length} AS length
    FROM {entered_ranges}
    WHERE tenant_id = $1 AND created_at < $3 AND (ended_at IS NULL OR ended_at > $2)
      AND (expires_at IS NULL OR expires_at > $2){only}
"""
_REPORTED: Final = """
    SELECT registration_id, registration_id,
           CASE WHEN kind = 'service' OR reach = 'masqueraded' THEN '{inner_layer}' ELSE '{cluster_layer}' END, {hex},
           '', '{cluster_kind}', text(cidr), {us_since}, {forever}, {length}
    FROM {allocations} a
    WHERE tenant_id = $1 AND since < $3 AND quality <> 'seen' AND kind <> 'reserved'{only}
      AND (node = '' OR NOT EXISTS (
        SELECT 1 FROM {allocations} whole
        WHERE whole.tenant_id = a.tenant_id AND whole.registration_id = a.registration_id AND whole.kind = a.kind
          AND whole.node = '' AND whole.quality <> 'seen' AND whole.cidr >>= a.cidr))
"""
"""Of blocks of nodes only those in no range of the cluster: else each node's would be an end of its own. Addresses that
are merely seen in use have their owners, and say nothing of a range."""
_TOLD: Final = """
    WITH known AS (
      SELECT name, (array_agg(registration_id))[1] AS registration_id FROM (
        SELECT registration_id, split_part(alias, '=', 2) AS name
        FROM {clusters}, unnest(aliases) AS alias WHERE tenant_id = $1
        UNION SELECT id, name FROM {registrations} WHERE tenant_id = $1 AND state <> 'pending') AS named
      GROUP BY name HAVING count(*) = 1),
    told AS (
      SELECT registration_id, role, coalesce(kind, '') AS kind, coalesce(namespace, '') AS namespace,
             coalesce(name, '') AS name, valid_from, valid_to,
             CASE WHEN cardinality(clusters) = 1 THEN clusters[1] END AS cluster,
             CASE WHEN pg_input_is_valid(cidr, 'cidr') THEN cidr::cidr END AS cidr
      FROM {meanings} WHERE tenant_id = $1 AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $2)),
    meant AS (
      SELECT t.*, CASE WHEN t.role IN ('{global_layer}', '{egress_layer}') THEN t.registration_id
               ELSE k.registration_id END AS whose FROM told t LEFT JOIN known k ON k.name = t.cluster
      WHERE t.cidr IS NOT NULL{only})
    SELECT registration_id AS scope, coalesce(whose, '{nobody}'::uuid) AS registration_id,
           CASE WHEN role = '{gateway_layer}' AND whose IS NULL THEN '{outer_gateway_layer}' ELSE role END AS layer,
           {hex} AS address, namespace,
           CASE WHEN role = '{member_layer}' AND whose IS NULL THEN '{entered_kind}'
             WHEN role = '{member_layer}' THEN '{cluster_kind}'
             WHEN role IN ('{gateway_layer}', '{egress_layer}') THEN '{gateway_kind}'
             WHEN role NOT IN ('{import_layer}', '{endpoint_layer}') THEN kind WHEN whose IS NULL THEN '{import_kind}'
             ELSE '{service_kind}' END AS kind,
           CASE WHEN role = '{member_layer}' AND whose IS NOT NULL THEN text(cidr)
             WHEN role IN ('{member_layer}', '{gateway_layer}') AND whose IS NULL THEN coalesce(cluster, name)
             ELSE name END AS workload,
           {us_valid_from} AS since, coalesce({us_valid_to}, {forever}) AS until, {length} AS length
    FROM meant WHERE role IN ('{import_layer}', '{entry_layer}', '{gateway_layer}', '{global_layer}', '{egress_layer}',
      '{member_layer}', '{endpoint_layer}')
    UNION ALL
    SELECT m.registration_id, m.whose, '{pod_layer}', {hex_m}, coalesce(p.namespace, ''),
           CASE WHEN p.workload_name IS NULL THEN 'Pod' ELSE coalesce(p.workload_kind, '') END,
           coalesce(p.workload_name, p.name, ''), {us_both_from}, coalesce({us_both_to}, {forever}), {whole}
    FROM meant m JOIN {pods} p ON p.tenant_id = $1 AND p.registration_id = m.whose
      AND (p.ipv4 = m.cidr::inet OR p.ipv6 = m.cidr::inet) AND NOT p.host_network
    WHERE m.role = '{endpoint_layer}' AND greatest(m.valid_from, p.valid_from) < $3
      AND (least(m.valid_to, p.valid_to) IS NULL OR least(m.valid_to, p.valid_to) > $2)
"""
_WORDS: Final = {
    "nobody": NOBODY,
    "forever": OPEN_END_US,
    "hex": HEX.format(ip="cidr"),
    "length": "masklen(cidr) + CASE family(cidr) WHEN 4 THEN 96 ELSE 0 END",
    "us_created_at": US.format(time="created_at"),
    "us_end": US.format(time="least(ended_at, expires_at)"),
    "us_since": US.format(time="since"),
    "us_valid_from": US.format(time="valid_from"),
    "us_valid_to": US.format(time="valid_to"),
    "entered_layer": ENTERED_RANGE,
    "inner_layer": INNER_RANGE,
    "cluster_layer": CLUSTER_RANGE,
    "import_layer": IMPORT,
    "entry_layer": ENTRY,
    "gateway_layer": GATEWAY,
    "global_layer": GLOBAL,
    "endpoint_layer": REMOTE_ENDPOINT,
    "pod_layer": REMOTE_POD,
    "hex_m": HEX.format(ip="m.cidr"),
    "us_both_from": US.format(time="greatest(m.valid_from, p.valid_from)"),
    "us_both_to": US.format(time="least(m.valid_to, p.valid_to)"),
    "whole": WHOLE_BITS,
    "pods": pods.name,
    "member_layer": MEMBER_RANGE,
    "egress_layer": EGRESS,
    "outer_gateway_layer": OUTER_GATEWAY,
    "gateway_kind": model_kinds.GATEWAY,
    "import_kind": model_kinds.SERVICE_IMPORT,
    "service_kind": model_kinds.SERVICE,
    "entered_kind": model_kinds.RANGE,
    "cluster_kind": model_kinds.CLUSTER_RANGE,
    "entered_ranges": entered_ranges.name,
    "allocations": allocations.name,
    "clusters": clusters.name,
    "meanings": told.name,
    "registrations": registrations.name,
}
_ALL: Final = f"{_TOLD} UNION ALL {_ENTERED} UNION ALL {_REPORTED}"
_MEANINGS: Final = _ALL.format(**_WORDS, only="")
_MEANINGS_OF_ADDRESS: Final = _ALL.format(**_WORDS, only=" AND cidr >>= $4::text::inet")


async def meanings(c: ReadConnection, scope: Scope, hour: int, address: str | None = None) -> pa.Table:
    """All of them (or only of this address), as `engine.meanings` describes their columns."""
    statement = _MEANINGS if address is None else _MEANINGS_OF_ADDRESS
    return await copied(c, scope, statement, hour, address, types=_TYPES)
