"""Whereabouts: addresses of further networks that pods are attached to.

Which part of a range may be handed out stands in the configuration of the network, not in its pool.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec import field

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.leaks import evidence
from periplus_spoke.collectors.ipam.pod_addresses import families_inside
from periplus_spoke.conversion.cidr import Address, Fault, Network, checked
from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.packed import packed, packed_line, unpacked
from periplus_spoke.conversion.presence import Presence
from periplus_spoke.conversion.spans import parse_masked

_GROUP: Final = "whereabouts.cni.cncf.io"
_MOST_DIGITS: Final = 39


def _is_distance(text: str) -> bool:
    """`int` has an error for superscripts, which are digits too, and one for thousands of digits."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


class _Holder(Kept):
    """Who holds an address."""

    podref: str | None = None


class RangeSpec(Kept):
    """A range, and its addresses in use by their distance from its begin."""

    range: str = ""
    allocations: dict[str, _Holder] | None = None
    used: int = 0
    held_by: str = ""
    """Distance and pod of each address in use, packed."""

    def __post_init__(self) -> None:
        holders = self.allocations or {}
        self.used = len(holders)
        told = ((at, each.podref or "") for at, each in holders.items() if _is_distance(at))
        self.held_by = packed(packed_line(at, pod) for at, pod in told)
        self.allocations = None


class RangePool(Named):
    """IPPool."""

    spec: RangeSpec = field(default_factory=RangeSpec)


class SliceSpec(Kept):
    """A range that nodes get slices of."""

    range: str = ""


class SlicePool(Named):
    """NodeSlicePool."""

    spec: SliceSpec = field(default_factory=SliceSpec)


RANGE_POOLS: Final = WantedKind(group=_GROUP, plural="ippools", versions=("v1alpha1",), type=RangePool)
SLICE_POOLS: Final = WantedKind(group=_GROUP, plural="nodeslicepools", versions=("v1alpha1",), type=SlicePool)


class _Range(NamedTuple):
    name: str
    source: str
    network: Network
    used: int | None
    held_by: str = ""


class Whereabouts:
    """The adapter."""

    name: Final = "whereabouts"
    kinds: tuple[WantedKind[Any], ...] = (RANGE_POOLS, SLICE_POOLS)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are served."""
        return _GROUP in facts.groups

    def silent_because(self, view: IpamView) -> str:
        """Never: it works beside a network plugin."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Not known, and nothing about the pods' own network."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per object: addresses in use, out of a number that stands elsewhere."""
        return [_pool(found, view.presence(RANGE_POOLS)) for found in _ranges(view, fault)]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Every range, once."""
        found = {each.network: each for each in _ranges(view, fault)}
        own = families_inside(view, found)
        return [
            Allocation(
                kind="pod",
                cidr=str(each.network),
                provider=self.name,
                source=each.source,
                name=each.name,
                for_some_pods=each.network.version not in own,
            )
            for each in found.values()
        ]


def _ranges(view: IpamView, fault: Fault) -> Iterator[_Range]:
    for pool in view.objects(RANGE_POOLS):
        if network := checked(parse_masked, pool.spec.range, f"IPPool {pool.title}", fault):
            yield _Range(pool.metadata.name, "IPPool", network, pool.spec.used, pool.spec.held_by)
    for sliced in view.objects(SLICE_POOLS):
        if network := checked(parse_masked, sliced.spec.range, f"NodeSlicePool {sliced.title}", fault):
            yield _Range(sliced.metadata.name, "NodeSlicePool", network, None)


def _pool(found: _Range, presence: Presence | None) -> Pool:
    leaks = [] if presence is None else list(_leaks(found, presence))
    return Pool(
        provider=Whereabouts.name,
        name=found.name,
        family=found.network.version,
        scope="cluster",
        source=found.source,
        quality="exact",
        cidrs=(str(found.network),),
        used=None if found.used is None else found.used - len(leaks),
        leaked=None if presence is None or found.used is None else len(leaks),
        evidence=evidence(leaks),
    )


def _leaks(found: _Range, presence: Presence) -> Iterator[tuple[Address, str]]:
    """Nothing says since when a pod has an address; pods are seen before they get one."""
    for distance, pod in unpacked(found.held_by):
        at = int(distance)
        if "/" in pod and at < found.network.num_addresses and (why := presence.lost_pod(pod)):
            yield found.network[at], why
