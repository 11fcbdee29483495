"""SQL of the [from, to) identities of nodes and services, whose addresses may change in their life.

Each claim is an open row; what the current object no longer claims is closed at the time it was seen so, and what it
newly claims is opened. The claims are read from the merged tables themselves, for the objects a batch touched.
"""

from datetime import datetime
from typing import Final, TypeAlias

import asyncpg

from periplus_hub.access.scope import Scope

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_NODE_CLAIMS: Final = """
    SELECT o.uid, split_part(claim, '=', 1) AS role, split_part(claim, '=', 2) AS ip,
           NULL::text AS namespace, o.name, o.name AS node, o.zone
    FROM nodes o, unnest(o.addresses) AS claim
    WHERE o.tenant_id = $1 AND o.registration_id = $2
      AND split_part(claim, '=', 1) IN ('InternalIP', 'ExternalIP') {touched}
"""
_SERVICE_CLAIMS: Final = """
    SELECT o.uid, claim.role, claim.ip, o.namespace, o.name, NULL::text AS node, NULL::text AS zone
    FROM services o, LATERAL (
        SELECT 'ClusterIP' AS role, unnest(o.cluster_ips) AS ip
        UNION ALL SELECT 'ExternalIP', unnest(o.external_ips)
        UNION ALL SELECT 'LoadBalancer', unnest(o.load_balancer_ips)
    ) AS claim
    WHERE o.tenant_id = $1 AND o.registration_id = $2 {touched}
"""
_CLAIMS: Final = {"nodes": ("node", _NODE_CLAIMS), "services": ("service", _SERVICE_CLAIMS)}
SECTIONS: Final = tuple(_CLAIMS)
"""Sections whose objects have identities here."""

_TOUCHED: Final = "AND o.uid = ANY($4::text[])"
# Headless services say None where an address belongs; anything else that is no address is left out just so.
_WANTED: Final = """
    SELECT DISTINCT uid, role, CASE WHEN pg_input_is_valid(ip, 'inet') THEN ip::inet END AS ip,
      namespace, name, node, zone
    FROM ({claims}) AS claims WHERE pg_input_is_valid(ip, 'inet') AND position('/' IN ip) = 0
"""
_CLOSE: Final = """
    WITH wanted AS ({wanted})
    UPDATE endpoint_addresses a SET valid_to = greatest(a.valid_from, $3)
    WHERE a.tenant_id = $1 AND a.registration_id = $2 AND a.owner_kind = '{kind}' AND a.valid_to IS NULL {mine}
      AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.uid = a.owner_uid AND w.ip = a.ip AND w.role = a.role
        AND (w.namespace, w.name, w.node, w.zone) IS NOT DISTINCT FROM (a.namespace, a.name, a.node, a.zone))
"""
_OPEN: Final = """
    WITH wanted AS ({wanted})
    INSERT INTO endpoint_addresses AS a
      (tenant_id, registration_id, owner_kind, owner_uid, ip, role, namespace, name, node, zone, valid_from)
    SELECT $1, $2, '{kind}', w.uid, w.ip, w.role, w.namespace, w.name, w.node, w.zone, $3 FROM wanted w
    WHERE NOT EXISTS (SELECT 1 FROM endpoint_addresses e
      WHERE e.tenant_id = $1 AND e.registration_id = $2 AND e.owner_kind = '{kind}' AND e.owner_uid = w.uid
        AND e.ip = w.ip AND e.role = w.role AND e.valid_to IS NULL)
    ON CONFLICT (tenant_id, registration_id, owner_kind, owner_uid, ip, role, valid_from) DO UPDATE
    SET valid_to = NULL, namespace = excluded.namespace, name = excluded.name,
      node = excluded.node, zone = excluded.zone
"""


def _texts(section: str, *, touched: bool) -> tuple[str, str]:
    kind, claims = _CLAIMS[section]
    wanted = _WANTED.format(claims=claims.format(touched=_TOUCHED if touched else ""))
    mine = "AND a.owner_uid = ANY($4::text[])" if touched else ""
    return _CLOSE.format(wanted=wanted, kind=kind, mine=mine), _OPEN.format(wanted=wanted, kind=kind)


_ALL: Final = {section: _texts(section, touched=False) for section in SECTIONS}
_SOME: Final = {section: _texts(section, touched=True) for section in SECTIONS}


async def follow(
    scope: Scope, raw: Raw, registration_id: object, section: str, changes: tuple[datetime, list[str] | None]
) -> None:
    """Bring identities in line with the table: of the touched uids, or with None of the whole cluster."""
    at, touched = changes
    close, open_ = (_ALL if touched is None else _SOME)[section]
    arguments = (scope.tenant_id, registration_id, at) + (() if touched is None else (touched,))
    await raw.execute(close, *arguments)
    await raw.execute(open_, *arguments)
