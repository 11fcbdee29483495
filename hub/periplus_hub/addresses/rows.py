"""Rows of this slice's tables as values, and CIDRs that people type."""

from typing import Any

from sqlalchemy import Row

from periplus_hub.addresses.model import Acceptance, Allocation, AllocationKind, OverlapGroup, Severity
from periplus_hub.addresses.prefixes import BadPrefix, Prefix, parse
from periplus_hub.kit.errors import Invalid


def wanted_prefix(text: str) -> Prefix:
    """A CIDR a person typed; raises Invalid."""
    try:
        return parse(text)
    except BadPrefix as error:
        raise Invalid(str(error), "Write a CIDR such as 10.0.0.0/16.") from error


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


def allocation_of(row: Row[Any]) -> Allocation:
    """`cidr_text` is the CIDR as text."""
    return Allocation(
        registration_id=row.registration_id,
        kind=AllocationKind(row.kind),
        cidr=row.cidr_text,
        family=row.family,
        provider=row.provider,
        source=row.source,
        name=row.name,
        node=row.node,
        quality=row.quality,
        since=row.since,
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
