"""What addresses meant in an hour beside what had them itself, in columns: what objects said, and their ranges.

Whom a tool calls by a name of its own `engine.cluster_names` finds out. What is said of a name of several is said of
each of them, and so is ambiguous.

Of allocations only those that there are now are kept: a range of a cluster counts from when it was first told, and is
forgotten with it. What people entered keeps its end.
"""

from typing import Final
from uuid import UUID

import msgspec
import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.tables import allocations
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.flows import model_kinds
from periplus_hub.flows.engine.cluster_names import ClusterNames, Named
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
from periplus_hub.flows.model import NOBODY, OPEN_END_US, Fleet
from periplus_hub.flows.repository_inventory import HEX, IDENTITY_TYPES, US, copied
from periplus_hub.inventory.tables import addresses, pods
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
    WITH told AS (
      SELECT registration_id, role, coalesce(kind, '') AS kind, coalesce(namespace, '') AS namespace,
             coalesce(name, '') AS name, valid_from, valid_to, {system} AS system,
             CASE WHEN cardinality(clusters) = 1 THEN clusters[1] END AS cluster,
             CASE WHEN pg_input_is_valid(cidr, 'cidr') THEN cidr::cidr END AS cidr
      FROM {meanings} WHERE tenant_id = $1 AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $2)),
    known AS (
      SELECT registration_id, cluster, whose
      FROM json_to_recordset($4::text::json) AS named(registration_id uuid, cluster text, whose uuid)),
    meant AS (
      SELECT t.*, k.whose FROM told t
      LEFT JOIN known k ON k.registration_id = t.registration_id AND k.cluster = t.system || '=' || t.cluster
      WHERE t.cidr IS NOT NULL AND t.role NOT IN {of_itself}{only}
      UNION ALL
      SELECT t.*, t.registration_id FROM told t WHERE t.cidr IS NOT NULL AND t.role IN {of_itself}{only}),
    reached AS (
      SELECT registration_id, '{pod_layer}' AS layer, cidr, cluster, name, whose, cidr AS there, valid_from, valid_to
      FROM meant WHERE role = '{endpoint_layer}'
      UNION ALL
      SELECT m.registration_id, '{import_layer}', m.cidr, m.cluster, m.name, m.whose, o.cidr,
             greatest(m.valid_from, o.valid_from), least(m.valid_to, o.valid_to)
      FROM meant m JOIN told o ON o.role = '{connector}' AND o.registration_id = m.whose AND o.cluster = m.cluster
        AND o.name = m.name AND o.cidr IS NOT NULL
      WHERE m.role = '{listener}'),
    behind AS (
      SELECT r.*, coalesce(p.namespace, '') AS to_namespace,
             CASE WHEN p.workload_name IS NULL THEN 'Pod' ELSE coalesce(p.workload_kind, '') END AS to_kind,
             coalesce(p.workload_name, p.name, '') AS to_name, greatest(r.valid_from, p.valid_from) AS both_from,
             least(r.valid_to, p.valid_to) AS both_to
      FROM reached r JOIN {pods} p ON p.tenant_id = $1 AND p.registration_id = r.whose
        AND (p.ipv4 = r.there::inet OR p.ipv6 = r.there::inet) AND NOT p.host_network
      UNION ALL
      SELECT r.*, coalesce(a.namespace, ''), '{service_kind}', coalesce(a.name, ''),
             greatest(r.valid_from, a.valid_from), least(r.valid_to, a.valid_to)
      FROM reached r JOIN {addresses} a ON a.tenant_id = $1 AND a.registration_id = r.whose AND a.ip = r.there::inet
        AND a.role = 'ClusterIP'
      WHERE r.layer = '{import_layer}'),
    met AS (
      SELECT * FROM behind
      WHERE both_from < $3 AND (both_to IS NULL OR (both_to > $2 AND both_to > both_from)))
    SELECT registration_id AS scope, coalesce(whose, '{nobody}'::uuid) AS registration_id,
           CASE WHEN role = '{gateway_layer}' AND whose IS NULL THEN '{outer_gateway_layer}'
             WHEN role IN ('{listener}', '{local}') THEN '{import_layer}' ELSE role END AS layer,
           {hex} AS address,
           CASE WHEN role = '{listener}' AND whose IS NOT NULL THEN '' ELSE namespace END AS namespace,
           CASE WHEN role = '{member_layer}' AND whose IS NULL THEN '{entered_kind}'
             WHEN role = '{member_layer}' THEN '{cluster_kind}'
             WHEN role IN ('{gateway_layer}', '{egress_layer}') THEN '{gateway_kind}'
             WHEN role NOT IN ('{import_layer}', '{endpoint_layer}', '{listener}') THEN kind
             WHEN whose IS NULL THEN '{import_kind}'
             WHEN role = '{listener}' THEN '{gateway_kind}' ELSE '{service_kind}' END AS kind,
           CASE WHEN role = '{member_layer}' AND whose IS NOT NULL THEN text(cidr)
             WHEN role = '{listener}' AND whose IS NOT NULL THEN system
             WHEN role = '{gateway_layer}' AND kind <> '' AND (whose IS NOT NULL OR name = '') THEN system
             WHEN role = '{gateway_layer}' AND kind <> '' THEN name
             WHEN role IN ('{member_layer}', '{gateway_layer}') AND whose IS NULL THEN coalesce(cluster, name)
             ELSE name END AS workload,
           {us_valid_from} AS since, coalesce({us_valid_to}, {forever}) AS until, {length} AS length
    FROM meant m WHERE role IN ('{import_layer}', '{entry_layer}', '{gateway_layer}', '{global_layer}',
      '{egress_layer}', '{member_layer}', '{endpoint_layer}', '{local}', '{listener}')
      AND NOT (role = '{listener}' AND EXISTS (
        SELECT 1 FROM met WHERE met.registration_id = m.registration_id AND met.whose = m.whose AND met.cidr = m.cidr
          AND met.cluster = m.cluster AND met.name = m.name))
    UNION ALL
    SELECT registration_id, whose, layer, {hex}, to_namespace, to_kind, to_name, {us_both_from},
           coalesce({us_both_to}, {forever}), {whole}
    FROM met
"""
"""Of a listener those whom the cluster with its connectors has at their addresses; where nobody is known there, the
door of that cluster."""
_NAMES: Final = """
    SELECT DISTINCT registration_id, {system} || '=' || clusters[1] AS cluster FROM {meanings}
    WHERE tenant_id = $1 AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $2) AND cardinality(clusters) = 1
      AND role NOT IN {of_itself}
"""
_SYSTEM: Final = """CASE split_part(source, '/', 1) WHEN 'submariner.io' THEN 'submariner'
             WHEN 'skupper.io' THEN 'skupper' ELSE '' END"""
"""Of which system the names of clusters are. Others do not say it: an implementation of the MCS API may be any."""
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
    "us_both_from": US.format(time="both_from"),
    "us_both_to": US.format(time="both_to"),
    "addresses": addresses.name,
    "listener": "listener",
    "connector": "connector",
    "local": "local",
    "of_itself": f"('{GLOBAL}', '{EGRESS}', 'connector', 'local')",
    "system": _SYSTEM,
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
    "meanings": told.name,
}
_ALL: Final = f"{_TOLD} UNION ALL {_ENTERED} UNION ALL {_REPORTED}"
_MEANINGS: Final = _ALL.format(**_WORDS, only="")
_MEANINGS_OF_ADDRESS: Final = _ALL.format(**_WORDS, only=" AND cidr >>= $5::text::inet")
_NAMES_TOLD: Final = _NAMES.format(**_WORDS)


async def meanings(
    c: ReadConnection, scope: Scope, hour: int, clusters: tuple[Fleet, Named], address: str | None = None
) -> pa.Table:
    """All of them (or only of this address), as `engine.meanings` describes their columns."""
    names = await copied(c, scope, _NAMES_TOLD, hour, types={"registration_id": pa.string(), "cluster": pa.string()})
    known = _known(names, *clusters)
    if address is None:
        return await copied(c, scope, _MEANINGS, hour, known, types=_TYPES)
    return await copied(c, scope, _MEANINGS_OF_ADDRESS, hour, known, address, types=_TYPES)


def _known(names: pa.Table, fleet: Fleet, named: Named) -> str:
    """Whom clusters mean by names that their objects have for others, as JSON; of a name of several all of these."""
    if not names.num_rows:
        return "[]"
    texts = names.column("cluster").combine_chunks()
    tellers, told = names.column("registration_id").to_pylist(), texts.to_pylist()
    found = ClusterNames(named, fleet, texts.unique()).everybody_meant([UUID(each) for each in tellers], told)
    rows = [
        {"registration_id": tellers[position], "cluster": told[position], "whose": str(whose)}
        for position, whose in found
    ]
    return msgspec.json.encode(rows).decode()
