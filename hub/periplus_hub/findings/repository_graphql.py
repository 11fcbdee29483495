"""Findings as GraphQL pages through them."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, cast
from sqlalchemy.dialects.postgresql import JSONB

from periplus_hub.access.scope import Scope, owned
from periplus_hub.findings.model import FindingFilter
from periplus_hub.findings.tables import findings
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, id_column, plain


def _of(scope: Scope, only: FindingFilter | None) -> Sequence[ColumnElement[bool]]:
    where = [owned(scope, findings)]
    if only is None:
        return where
    narrowed = (
        (findings.c.state, [each.value for each in only.states]),
        (findings.c.severity, [each.value for each in only.severities]),
        (findings.c.detector, list(only.detectors)),
        (findings.c.registration_id, list(only.registration_ids)),
    )
    return [*where, *(column.in_(values) for column, values in narrowed if values)]


FINDINGS: Final = Listing[Scope](
    name="findings",
    source=findings,
    columns=[
        id_column("Finding", findings.c.id),
        *plain(findings, "registration_id", "detector", "severity", "state", "title", "why", "what_to_do"),
        *plain(findings, "opened_at", "changed_at", "resolved_at", "acknowledged_by", "acknowledged_at", "note"),
        cast(findings.c.evidence, JSONB).label("evidence"),
    ],
    order=plain(findings, "changed_at", "id"),
    where=_of,
    parent=findings.c.registration_id,
    descending=True,
)


async def finding_row(c: ReadConnection, scope: Scope, finding_id: UUID) -> Row[Any] | None:
    """One finding's row."""
    return await FINDINGS.one(c, scope, findings.c.id == finding_id)
