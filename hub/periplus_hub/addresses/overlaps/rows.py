"""Rows of overlap groups and acceptances as values."""

from typing import Any

from sqlalchemy import Row

from periplus_hub.addresses.overlaps.model import Acceptance, OverlapGroup, Severity


def group_of(row: Row[Any]) -> OverlapGroup:
    """From a row as GraphQL pages through them, with the severity as of the asked time."""
    return OverlapGroup(
        id=row.group_id,
        cidr=row.cidr,
        family=row.family,
        severity=Severity(row.severity),
        clusters=row.cluster_count,
        members=row.member_count,
        pairs=row.pair_count,
        since=row.since,
        changed_at=row.changed_at,
        acceptance_id=row.acceptance_id,
        accepted=row.accepted,
    )


def acceptance_of(row: Row[Any]) -> Acceptance:
    """From a row with its columns."""
    return Acceptance(
        id=row.id,
        cidr=row.cidr_text,
        reason=row.reason,
        accepted_by=row.accepted_by,
        severity=Severity(row.severity),
        clusters=row.clusters,
        created_at=row.created_at,
        expires_at=row.expires_at,
        withdrawn_at=row.withdrawn_at,
    )
