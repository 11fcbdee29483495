"""What an IPAM adapter is. Adding one: a module, a line in `registry`, and its `IpamAdapterContract` test."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from periplus_spoke.fold.allocations import Fault
from periplus_spoke.fold.ipam import Allocation, ConfigMaps, IpamView, Pool


class WantedKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind an adapter wants listed; the first of `versions` that is served is read."""

    group: str
    plural: str
    versions: tuple[str, ...]


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
    def kinds(self) -> tuple[WantedKind, ...]:
        """Custom kinds it reads, beyond what the inventory has."""

    def detect(self, facts: DetectFacts) -> bool:
        """Whether this allocator is at work here. Discovery first, never a guess."""

    def silent_because(self, view: IpamView) -> str:
        """Why its objects are there but say nothing about pods; empty when they do, or are not there."""

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """What it hands addresses out of; impossible ranges go to `fault`."""

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The pod ranges it has in use; everything that is not a pod range is the core's."""
