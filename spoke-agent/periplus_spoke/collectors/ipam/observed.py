"""The last resort: the addresses that pods are seen to have, and no others.

Used where no allocator that we read is at work, so that a cluster with an unknown or unread plugin still shows which
addresses it occupies. Which others it may use is not known from them. Its pools have no
capacity: that is unknown, not zero.
"""

from typing import Any, Final

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.pod_addresses import pod_addresses, seen_in, uncounted_pools
from periplus_spoke.conversion.cidr import Address, Fault
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind


class ObservedPods:
    """The adapter. Registered last and asked only when no other has pod ranges."""

    name: Final = "observed-pods"
    kinds: tuple[WantedKind[Any], ...] = ()
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Always possible."""
        del facts
        return True

    def silent_because(self, view: IpamView) -> str:
        """Never."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Not known: so the cluster's range is missing."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """What is in use, per family."""
        return uncounted_pools(self.name, "pods", _addresses(view, fault), has_pods=view.has_pods)

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Every pod address, neighbours joined where they fill a range."""
        return seen_in(self.name, "observed", _addresses(view, fault))


def _addresses(view: IpamView, fault: Fault) -> set[Address]:
    return {address for _, address in pod_addresses(view, fault)}
