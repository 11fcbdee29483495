"""Addresses that connections of this cluster seem to come from, where an operator or network plugin sets them."""

from collections.abc import Iterator
from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Kept


class EgressIpsSpec(Kept):
    """k8s.ovn.org EgressIPSpec."""

    egress_ips: list[str] | None = field(name="egressIPs", default=None)


class OvnEgress(Named):
    """k8s.ovn.org EgressIP."""

    spec: EgressIpsSpec = field(default_factory=EgressIpsSpec)

    def meanings(self) -> Iterator[Meaning]:
        """Each address that namespaces of it leave the cluster with."""
        for ip in self.spec.egress_ips or ():
            yield Meaning(role="egress", cidr=ip, name=self.metadata.name)


class CiliumEgressGateway(Kept):
    """The gateway of a cilium.io CiliumEgressGatewayPolicy."""

    egress_ip: str = field(name="egressIP", default="")


class CiliumEgressSpec(Kept):
    """cilium.io CiliumEgressGatewayPolicySpec."""

    egress_gateway: CiliumEgressGateway | None = None
    egress_gateways: list[CiliumEgressGateway] | None = None


class CiliumEgress(Named):
    """cilium.io CiliumEgressGatewayPolicy."""

    spec: CiliumEgressSpec = field(default_factory=CiliumEgressSpec)

    def meanings(self) -> Iterator[Meaning]:
        """Addresses that are written down; one that follows from an interface of the gateway's node is the node's."""
        one = self.spec.egress_gateway
        for gateway in (*(() if one is None else (one,)), *(self.spec.egress_gateways or ())):
            yield Meaning(role="egress", cidr=gateway.egress_ip, name=self.metadata.name)


class AntreaEgressSpec(Kept):
    """crd.antrea.io EgressSpec, or its status: what it asked for, and what it got."""

    egress_ip: str = field(name="egressIP", default="")


class AntreaEgress(Named):
    """crd.antrea.io Egress."""

    spec: AntreaEgressSpec = field(default_factory=AntreaEgressSpec)
    status: AntreaEgressSpec = field(default_factory=AntreaEgressSpec)

    def meanings(self) -> Iterator[Meaning]:
        """The address that it has, or else asks for."""
        ip = self.status.egress_ip or self.spec.egress_ip
        yield Meaning(role="egress", cidr=ip, name=self.metadata.name)


OVN_EGRESS: Final = WantedKind(group="k8s.ovn.org", plural="egressips", versions=("v1",), type=OvnEgress)
CILIUM_EGRESS: Final = WantedKind(
    group="cilium.io", plural="ciliumegressgatewaypolicies", versions=("v2",), type=CiliumEgress
)
ANTREA_EGRESS: Final = WantedKind(
    group="crd.antrea.io", plural="egresses", versions=("v1beta1", "v1alpha2"), type=AntreaEgress
)
