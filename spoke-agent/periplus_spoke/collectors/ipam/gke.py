"""GKE: ranges of pods that the objects of multi-networking name. What nodes hold is in their podCIDRs.

The `default` GKENetworkParamSet names the ranges of the pods' own network; each further one those of a network that
only some pods are attached to. Without these objects only Google's API knows the range that nodes get blocks of.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec import field

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.conversion.cidr import Fault, Network, checked, parse_cidr
from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.objects import Kept

_SOURCE: Final = "GKENetworkParamSet"
_DEFAULT: Final = "default"


class CidrBlocks(Kept):
    """Ranges."""

    cidr_blocks: list[str] | None = None


class ParamSetStatus(Kept):
    """The ranges that the named secondary ranges are."""

    pod_cidrs: CidrBlocks = field(name="podCIDRs", default_factory=CidrBlocks)


class ParamSet(Named):
    """networking.gke.io GKENetworkParamSet."""

    status: ParamSetStatus = field(default_factory=ParamSetStatus)


PARAM_SETS: Final = WantedKind(
    group="networking.gke.io", plural="gkenetworkparamsets", versions=("v1", "v1alpha1"), type=ParamSet
)


class _Range(NamedTuple):
    name: str
    network: Network


class Gke:
    """The adapter."""

    name: Final = "gke"
    kinds: tuple[WantedKind[Any], ...] = (PARAM_SETS,)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where nodes are of a node pool of GKE."""
        return "gke" in facts.cnis

    def silent_because(self, view: IpamView) -> str:
        """Never."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a secondary range is given to one cluster."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per range; its size is all that is known, for how much nodes were given is the cloud's to know."""
        return [
            Pool(
                provider=self.name,
                name=found.name,
                family=found.network.version,
                scope="cluster",
                source=_SOURCE,
                quality="nominal",
                cidrs=(str(found.network),),
                capacity=found.network.num_addresses,
            )
            for found in _ranges(view, fault)
        ]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Every range that is named."""
        return [
            Allocation(
                kind="pod",
                cidr=str(found.network),
                provider=self.name,
                source=_SOURCE,
                name=found.name,
                reach="routed",
                for_some_pods=found.name != _DEFAULT,
            )
            for found in _ranges(view, fault)
        ]


def _ranges(view: IpamView, fault: Fault) -> Iterator[_Range]:
    for params in view.objects(PARAM_SETS):
        for text in params.status.pod_cidrs.cidr_blocks or ():
            if network := checked(parse_cidr, text, f"{_SOURCE} {params.title}", fault):
                yield _Range(params.metadata.name, network)
