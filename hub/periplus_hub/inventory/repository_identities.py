"""SQL of the [from, to) identities of nodes and services, whose addresses may change in their life.

Each identity is an open row; an address that the current object has no longer is closed at the time it was seen so,
and one that is new is opened. The addresses are read from the merged tables, for the objects that a group touched.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg

from periplus_hub.access.scope import Scope

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_NODE_ADDRESSES: Final = """
    SELECT o.registration_id, g.at, o.uid, split_part(held, '=', 1) AS role, split_part(held, '=', 2) AS ip,
           NULL::text AS namespace, o.name, o.name AS node, o.region, o.zone
    FROM {given} JOIN nodes o ON o.tenant_id = $1 AND o.registration_id = g.registration_id {touched},
      unnest(o.addresses) AS held
    WHERE split_part(held, '=', 1) IN ('InternalIP', 'ExternalIP')
"""
_SERVICE_ADDRESSES: Final = """
    SELECT o.registration_id, g.at, o.uid, held.role, held.ip,
           o.namespace, o.name, NULL::text AS node, NULL::text AS region, NULL::text AS zone
    FROM {given} JOIN services o ON o.tenant_id = $1 AND o.registration_id = g.registration_id {touched}, LATERAL (
        SELECT 'ClusterIP' AS role, unnest(o.cluster_ips) AS ip
        UNION ALL SELECT 'ExternalIP', unnest(o.external_ips)
        UNION ALL SELECT 'LoadBalancer', unnest(o.load_balancer_ips)
    ) AS held
"""
_ADDRESSES: Final = {"nodes": ("node", _NODE_ADDRESSES), "services": ("service", _SERVICE_ADDRESSES)}
SECTIONS: Final = tuple(_ADDRESSES)
"""Sections whose objects have identities here."""

_CLUSTERS: Final = "unnest($2::uuid[], $3::timestamptz[]) AS g(registration_id, at)"
_OBJECTS: Final = "unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS g(registration_id, at, uid)"
# Headless services say None where an address belongs; anything else that is no address is left out just so.
_WANTED: Final = """
    SELECT DISTINCT registration_id, at, uid, role, CASE WHEN pg_input_is_valid(ip, 'inet') THEN ip::inet END AS ip,
      namespace, name, node, region, zone
    FROM ({held}) AS held WHERE pg_input_is_valid(ip, 'inet') AND position('/' IN ip) = 0
"""
_CLOSE: Final = """
    WITH wanted AS ({wanted}), met AS MATERIALIZED (
      SELECT k.place, k.at, w.uid IS NOT NULL
        AND (w.namespace, w.name, w.node, w.region, w.zone)
          IS NOT DISTINCT FROM (k.namespace, k.name, k.node, k.region, k.zone) AS kept
      FROM (SELECT a.*, g.at FROM {given}, LATERAL (
          SELECT x.ctid AS place, x.registration_id, x.owner_uid, x.ip, x.role, x.namespace, x.name, x.node, x.region,
            x.zone
          FROM endpoint_addresses x WHERE x.tenant_id = $1 AND x.registration_id = g.registration_id
            AND x.owner_kind = '{kind}' AND x.valid_to IS NULL {mine} OFFSET 0) AS a) AS k
      FULL JOIN wanted w
        ON w.registration_id = k.registration_id AND w.uid = k.owner_uid AND w.ip = k.ip AND w.role = k.role)
    UPDATE endpoint_addresses a SET valid_to = greatest(a.valid_from, met.at) FROM met
    WHERE a.ctid = met.place AND NOT met.kept
"""
"""Open identities and wanted ones meet in a full join, which PostgreSQL hashes or merges and never loops over, whatever
it knows of a table; an identity is looked up in the index."""
_OPEN: Final = """
    WITH wanted AS ({wanted})
    INSERT INTO endpoint_addresses AS a
      (tenant_id, registration_id, owner_kind, owner_uid, ip, role, namespace, name, node, region, zone, valid_from)
    SELECT $1, w.registration_id, '{kind}', w.uid, w.ip, w.role, w.namespace, w.name, w.node, w.region, w.zone, w.at
    FROM wanted w LEFT JOIN LATERAL (SELECT true AS open FROM endpoint_addresses e
      WHERE e.tenant_id = $1 AND e.registration_id = w.registration_id AND e.owner_kind = '{kind}'
        AND e.owner_uid = w.uid AND e.ip = w.ip AND e.role = w.role AND e.valid_to IS NULL OFFSET 0) AS known ON true
    WHERE known.open IS NULL
    ON CONFLICT (tenant_id, registration_id, owner_kind, owner_uid, ip, role, valid_from) DO UPDATE
    SET valid_to = NULL, namespace = excluded.namespace, name = excluded.name,
      node = excluded.node, region = excluded.region, zone = excluded.zone
"""


def _texts(section: str, *, touched: bool) -> tuple[str, str]:
    kind, held = _ADDRESSES[section]
    given = _OBJECTS if touched else _CLUSTERS
    wanted = _WANTED.format(held=held.format(given=given, touched="AND o.uid = g.uid" if touched else ""))
    mine = "AND x.owner_uid = g.uid" if touched else ""
    return _CLOSE.format(wanted=wanted, given=given, kind=kind, mine=mine), _OPEN.format(wanted=wanted, kind=kind)


_ALL: Final = {section: _texts(section, touched=False) for section in SECTIONS}
_SOME: Final = {section: _texts(section, touched=True) for section in SECTIONS}


async def follow(
    scope: Scope, raw: Raw, section: str, seen: Iterable[tuple[UUID, datetime]], *, first: bool = False
) -> None:
    """Bring whole clusters' identities in line with the table; with `first` they have none yet."""
    close, open_ = _ALL[section]
    arguments = (scope.tenant_id, *_columns(seen, 2))
    if not first:
        await raw.execute(close, *arguments)
    await raw.execute(open_, *arguments)


async def follow_touched(scope: Scope, raw: Raw, section: str, touched: Iterable[tuple[UUID, datetime, str]]) -> None:
    """Bring the identities of these objects in line with the table."""
    close, open_ = _SOME[section]
    arguments = (scope.tenant_id, *_columns(touched, 3))
    await raw.execute(close, *arguments)
    await raw.execute(open_, *arguments)


def _columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as parallel arrays."""
    columns: list[list[object]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns
