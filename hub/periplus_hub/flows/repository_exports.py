"""Which services clusters import from which others, whatever addresses these have."""

from typing import Final
from uuid import UUID

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows.engine.cluster_names import ClusterNames, Named
from periplus_hub.flows.model import NOBODY, Fleet
from periplus_hub.flows.repository_inventory import copied
from periplus_hub.inventory.tables import meanings
from periplus_hub.kit.db import ReadConnection

_EXPORTS_OF: Final = """
    SELECT DISTINCT registration_id AS viewer, coalesce(namespace, '') AS namespace, coalesce(name, '') AS service,
      member
    FROM {meanings}, unnest(clusters) AS member
    WHERE tenant_id = $1 AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $2) AND coalesce(name, '') <> ''
      AND (role = 'import' AND starts_with(source, '{source}') OR role = 'endpoint')
"""
_EXPORTS: Final = _EXPORTS_OF.format(meanings=meanings.name, source="multicluster.x-k8s.io/")
_TYPES: Final = dict.fromkeys(("viewer", "namespace", "service", "member"), pa.string())


async def exports(c: ReadConnection, scope: Scope, hour: int, clusters: tuple[Fleet, Named]) -> pa.Table:
    """Rows of `viewer`, `namespace`, `service`, `member` (what the viewer calls an exporter), and `whose`.

    That is NOBODY where the hub knows no cluster of that name, and each of them where there are several.
    """
    found = await copied(c, scope, _EXPORTS, hour, types=_TYPES)
    fleet, named = clusters
    told = [f"={each}" for each in found.column("member").to_pylist()]
    viewers = [UUID(each) for each in found.column("viewer").to_pylist()]
    names = ClusterNames(named, fleet, pa.array(sorted({*told}), pa.string()))
    meant = names.everybody_meant(viewers, told) if told else []
    known = {position for position, _ in meant}
    rows = [*meant, *((position, NOBODY) for position in range(len(told)) if position not in known)]
    positions = pa.array([position for position, _ in rows], pa.int64())
    return found.take(positions).append_column("whose", pa.array([str(whose) for _, whose in rows], pa.string()))
