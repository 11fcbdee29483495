"""What an IPAM adapter is. Adding one: a module, a line in `registry`, and its `IpamAdapterContract` test."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from periplus_spoke.conversion.cidr import Fault
from periplus_spoke.conversion.ipam import Allocation, ConfigMaps, IpamView, Pool, WantedKind


class DetectFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter may decide on."""

    cnis: tuple[str, ...]
    groups: Mapping[str, Sequence[str]]
    configs: ConfigMaps


class IpamAdapter(Protocol):
    """Pure: the same objects always give the same pools and allocations."""

    @property
    def name(self) -> str:
        """The `provider` of its rows; lower case, words joined by hyphens."""

    @property
    def kinds(self) -> tuple[WantedKind[Any], ...]:
        """Custom kinds it reads, beyond what the inventory has. The spoke's rights follow from them.

        They are listed every ten minutes, after pods and nodes, and not watched, so a pool that fills between is seen
        that much later. The kinds that tell what is in use change with every pod (an IPAMBlock of Calico is 10 KiB each
        time), every watch needs a connection and a right of its own, and what an allocator holds can be compared with
        the pods that are there only if both are known as of one moment (`conversion.presence`).
        """

    @property
    def configs(self) -> tuple[str, ...]:
        """ConfigMaps it reads, as `namespace/name`. The spoke's rights follow from them."""

    def detect(self, facts: DetectFacts) -> bool:
        """Whether this allocator is at work here. Discovery first, never a guess."""

    def silent_because(self, view: IpamView) -> str:
        """Why its objects are there but say nothing about pods; empty when they do, or are not there."""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Whether pods get addresses of a network that others use as well, by design (a VPC's subnet).

        What is told of pods is then `seen`, and no range of the cluster's own is missing.
        """

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """What it hands addresses out of; impossible ranges go to `fault`."""

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The ranges it hands out of, of any kind but nodes.

        A range that pods of the whole cluster may use has no `node`; what a node holds of it names the node. One
        cluster-wide pod range per family that pods have makes the cluster's pod range known.
        """
