"""Links of Linkerd: the gateway behind which another cluster is."""

from collections.abc import Iterator
from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Kept


class LinkSpec(Kept):
    """multicluster.linkerd.io LinkSpec."""

    target_cluster_name: str = ""
    gateway_address: str = ""


class Link(Named):
    """multicluster.linkerd.io Link."""

    spec: LinkSpec = field(default_factory=LinkSpec)

    def meanings(self) -> Iterator[Meaning]:
        """The addresses of its gateway; it may have several, divided by commas, and hosts' names."""
        for address in self.spec.gateway_address.split(","):
            yield Meaning(role="gateway", cidr=address, name="linkerd", clusters=(self.spec.target_cluster_name,))


LINKS: Final = WantedKind(
    group="multicluster.linkerd.io", plural="links", versions=("v1alpha3", "v1alpha2", "v1alpha1"), type=Link
)
