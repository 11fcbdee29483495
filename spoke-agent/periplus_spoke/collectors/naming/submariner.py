"""What Submariner's broker tells every member of the others."""

from collections.abc import Iterator
from typing import Final

from msgspec import field

from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning, Meaningful
from periplus_spoke.conversion.objects import Kept

_GROUP: Final = "submariner.io"
_VERSIONS: Final = ("v1",)


class EndpointSpec(Kept):
    """submariner.io EndpointSpec."""

    cluster_id: str = field(name="cluster_id", default="")
    private_ip: str = field(name="private_ip", default="")
    public_ip: str = field(name="public_ip", default="")


class GatewayEndpoint(Meaningful):
    """submariner.io Endpoint: the node through which a cluster is reached."""

    spec: EndpointSpec = field(default_factory=EndpointSpec)

    def meanings(self) -> Iterator[Meaning]:
        """Both of its addresses."""
        for ip in (self.spec.private_ip, self.spec.public_ip):
            yield Meaning(role="gateway", cidr=ip, name="submariner", clusters=(self.spec.cluster_id,))


ENDPOINTS: Final = WantedKind(group=_GROUP, plural="endpoints", versions=_VERSIONS, type=GatewayEndpoint)
