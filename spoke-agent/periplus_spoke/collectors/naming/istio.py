"""What a mesh of Istio gives addresses to beside services of its clusters: hosts and workloads outside of them."""

from collections.abc import Iterator
from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Kept

_GROUP: Final = "networking.istio.io"
_VERSIONS: Final = ("v1", "v1beta1", "v1alpha3")


class EntryEndpoint(Kept):
    """A networking.istio.io WorkloadEntry within a ServiceEntry."""

    address: str = ""


class EntrySpec(Kept):
    """networking.istio.io ServiceEntrySpec."""

    hosts: list[str] | None = None
    addresses: list[str] | None = None
    endpoints: list[EntryEndpoint] | None = None


class EntryAddress(Kept):
    """An address that Istio gave a host of the entry."""

    value: str = ""
    host: str = ""


class EntryStatus(Kept):
    """networking.istio.io ServiceEntryStatus."""

    addresses: list[EntryAddress] | None = None


class ServiceEntry(Named):
    """networking.istio.io ServiceEntry."""

    spec: EntrySpec = field(default_factory=EntrySpec)
    status: EntryStatus = field(default_factory=EntryStatus)

    def meanings(self) -> Iterator[Meaning]:
        """Its addresses are its host; of several hosts the first, but for those that Istio gave one of them."""
        host = (self.spec.hosts or [self.metadata.name])[0]
        written = (*(self.spec.addresses or ()), *(each.address for each in self.spec.endpoints or ()))
        given = [(each.value, each.host or host) for each in self.status.addresses or ()]
        for address, name in (*((address, host) for address in written), *given):
            yield Meaning(role="entry", cidr=address, kind="ServiceEntry", namespace=self.metadata.namespace, name=name)


class WorkloadEntry(Named):
    """networking.istio.io WorkloadEntry: mostly a virtual machine."""

    spec: EntryEndpoint = field(default_factory=EntryEndpoint)

    def meanings(self) -> Iterator[Meaning]:
        """Its address is itself."""
        meta = self.metadata
        yield Meaning(
            role="entry", cidr=self.spec.address, kind="WorkloadEntry", namespace=meta.namespace, name=meta.name
        )


SERVICE_ENTRIES: Final = WantedKind(group=_GROUP, plural="serviceentries", versions=_VERSIONS, type=ServiceEntry)
WORKLOAD_ENTRIES: Final = WantedKind(group=_GROUP, plural="workloadentries", versions=_VERSIONS, type=WorkloadEntry)
