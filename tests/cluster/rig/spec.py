"""What a test asks for when it asks for a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.cluster.rig.manifests import NodeSpec
from tests.cluster.rig.posing import Provider, bare, posed_node


@dataclass(frozen=True, kw_only=True)
class TokenUser:
    """Who the API server takes the bearer of a token for."""

    token: str
    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClusterSpec:
    """One cluster: its ranges, what it poses as, and how full it is.

    `pod_cidr` and `service_cidr` may be an IPv4 and an IPv6 range with a comma between: dual-stack.
    `node_network` is where the nodes' InternalIPs come from. `issuer` is the `iss` of its
    ServiceAccount tokens; by default the API server's address, so every cluster has its own.
    `api_qps` is what its controllers may ask a second: their own default of 20 fills it slowly.
    Without `has_controllers` only etcd and the API server run: what is posted stays as it was posted. `users` are
    further ones who log in with a fixed token.
    """

    name: str
    provider: Provider = field(default_factory=bare)
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    node_network: str = "192.168.0.0/20"
    node_cidr_mask: int = 24
    node_cidr_mask_ipv6: int = 64
    node_count: int = 5
    pods_per_node: int = 12
    api_qps: int = 500
    issuer: str | None = None
    has_controllers: bool = True
    users: tuple[TokenUser, ...] = ()

    @property
    def is_dual_stack(self) -> bool:
        """Whether pods get an address of each family."""
        return "," in self.pod_cidr

    @property
    def pod_count(self) -> int:
        """How many pods the cluster is filled with."""
        return self.node_count * self.pods_per_node

    def nodes(self) -> list[NodeSpec]:
        """The machines it is filled with."""
        return [posed_node(self.provider, self.name, self.node_network, index) for index in range(self.node_count)]
