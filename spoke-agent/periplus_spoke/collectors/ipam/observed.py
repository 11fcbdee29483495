"""The last resort: the addresses that pods are seen to have, and no others.

Used where no allocator that we read is at work, so that a cluster with an unknown or unread plugin still shows which
addresses it occupies. Which others it may use is not known from them. Its pools have no
capacity: that is unknown, not zero.
"""

from collections.abc import Iterator
from typing import Any, Final

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.fold.cidr import Address, Fault, checked, exact_cover, parse_address
from periplus_spoke.fold.ipam import Allocation, IpamView, Pool, WantedKind

_SOURCE: Final = "pods"


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
        addresses = list(_addresses(view, fault))
        return [
            Pool(
                provider=self.name,
                name="pods",
                family=version,
                scope="cluster",
                source=_SOURCE,
                quality="derived",
                used=len(same),
            )
            for version in (4, 6)
            if (same := {address for address in addresses if address.version == version})
        ]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Every pod address, neighbours joined where they fill a range."""
        return [
            Allocation(kind="pod", cidr=str(block), provider=self.name, source=_SOURCE, name="observed", quality="seen")
            for block in exact_cover(set(_addresses(view, fault)))
        ]


def _addresses(view: IpamView, fault: Fault) -> Iterator[Address]:
    for pod in view.pods():
        for text in pod.addresses:
            if address := checked(parse_address, text, "pod", fault):
                yield address
