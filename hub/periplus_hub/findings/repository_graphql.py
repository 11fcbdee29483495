"""Findings as GraphQL pages through them."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, cast, func, select, union
from sqlalchemy.dialects.postgresql import JSONB

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.overlaps.tables import overlap_group_clusters
from periplus_hub.findings.model import FindingFilter, FindingSeverity
from periplus_hub.findings.tables import findings
from periplus_hub.fleet.repository_graphql import CLUSTERS
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, id_column, orders, plain

_SHARES: Final = overlap_group_clusters
_OF: Final = (findings.c.tenant_id, findings.c.id.label("finding_id"))
_CONCERNED: Final = union(
    select(*_OF, findings.c.registration_id).where(findings.c.registration_id.is_not(None)),
    select(*_OF, func.unnest(findings.c.registration_ids).label("registration_id")),
    select(*_OF, _SHARES.c.registration_id).join_from(
        findings,
        _SHARES,
        (_SHARES.c.tenant_id == findings.c.tenant_id) & (_SHARES.c.group_id == findings.c.overlap_group_id),
    ),
).subquery("concerned")
"""Which clusters every finding concerns: the group's are those that are in it now."""


def _of(scope: Scope, only: FindingFilter | None) -> Sequence[ColumnElement[bool]]:
    where = [owned(scope, findings)]
    if only is None:
        return where
    narrowed = (
        (findings.c.state, [each.value for each in only.states]),
        (findings.c.severity, [each.value for each in only.severities]),
        (findings.c.detector, list(only.detectors)),
    )
    where += [column.in_(values) for column, values in narrowed if values]
    if only.registration_ids:
        concerned = select(_CONCERNED.c.finding_id).where(
            owned(scope, _CONCERNED), _CONCERNED.c.registration_id.in_(only.registration_ids)
        )
        where.append(findings.c.id.in_(concerned))
    return where


def _of_clusters(scope: Scope, only: FindingFilter | None) -> Sequence[ColumnElement[bool]]:
    return [owned(scope, _CONCERNED), *_of(scope, only)]


def _clusters_of(scope: Scope, asked: object) -> Sequence[ColumnElement[bool]]:
    return [owned(scope, _CONCERNED), *CLUSTERS.where(scope, asked)]


_COLUMNS: Final = (
    id_column("Finding", findings.c.id),
    findings.c.id.label("finding_id"),
    *plain(findings, "registration_id", "overlap_group_id"),
    *plain(findings, "detector", "severity", "state", "title", "why", "what_to_do"),
    *plain(findings, "opened_at", "changed_at", "resolved_at", "acknowledged_by", "acknowledged_at", "note"),
    cast(findings.c.evidence, JSONB).label("evidence"),
)

FINDINGS: Final = Listing[Scope](
    name="findings",
    source=findings,
    columns=_COLUMNS,
    order=plain(findings, "changed_at", "id"),
    where=_of,
    descending=True,
)
FINDING_ORDERS: Final = orders(
    FINDINGS,
    {
        "severity": case(
            {each.value: number for number, each in enumerate(FindingSeverity)}, value=findings.c.severity
        ),
        "changed-at": findings.c.changed_at,
        "opened-at": findings.c.opened_at,
    },
    [findings.c.id],
)
"""Sorted when asked: detectors bound what is open, retention what is over."""
CLUSTER_FINDINGS: Final = Listing[Scope](
    name="cluster_findings",
    source=findings.join(_CONCERNED, _CONCERNED.c.finding_id == findings.c.id),
    columns=_COLUMNS,
    order=plain(findings, "changed_at", "id"),
    where=_of_clusters,
    parent=_CONCERNED.c.registration_id,
    descending=True,
)
FINDING_CLUSTERS: Final = Listing[Scope](
    name="finding_clusters",
    source=registrations.join(_CONCERNED, _CONCERNED.c.registration_id == registrations.c.id),
    columns=CLUSTERS.columns,
    order=CLUSTERS.order,
    where=_clusters_of,
    parent=_CONCERNED.c.finding_id,
)


async def findings_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await FINDINGS.named(c, scope, findings.c.id, ids)


async def finding_row(c: ReadConnection, scope: Scope, finding_id: UUID) -> Row[Any] | None:
    """One finding's row."""
    return await FINDINGS.one(c, scope, findings.c.id == finding_id)
