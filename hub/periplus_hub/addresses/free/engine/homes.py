"""Which of the networks that people entered ranges of a cluster belong into. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import Prefix

Homes = Mapping[AllocationKind, tuple[Prefix, ...]]
"""By kind; what is not named belongs into none."""


class Network(NamedTuple):
    """A range that people entered as a network of the clusters in a network domain."""

    domain_id: UUID
    prefix: Prefix


def homes_of(networks: Sequence[Prefix], with_nodes: Sequence[Prefix], with_pods: Sequence[Prefix]) -> Homes:
    """For a cluster that is there: `networks` are those of its domain, the others hold nodes or pods of it."""
    return {AllocationKind.NODE: _innermost(with_nodes or networks), AllocationKind.POD: _innermost(with_pods)}


def homes_in(domain_id: UUID, networks: Collection[Network]) -> Homes:
    """For a cluster that will be in a domain: nodes belong into its networks; how pods will be, nobody knows yet."""
    return {AllocationKind.NODE: _innermost([each.prefix for each in networks if each.domain_id == domain_id])}


def _innermost(prefixes: Sequence[Prefix]) -> tuple[Prefix, ...]:
    return tuple(each for each in prefixes if not any(each != other and each.covers(other) for other in prefixes))
