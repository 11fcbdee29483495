"""Services that Linkerd made to stand for a service of another cluster, or for those of several. Pure."""

from collections.abc import Iterator
from typing import Final

from periplus_contract.tables import SERVICES
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Service, ServiceNotes

SOURCE: Final = SERVICES.name
MIRROR_LABEL: Final = "mirror.linkerd.io/mirrored-service"
CLUSTER_LABEL: Final = "mirror.linkerd.io/cluster-name"
_SERVICE: Final = "Service"
_PARTS_BEFORE: Final = 2


def mirrored_service(service: Service) -> Iterator[Meaning]:
    """For each address of a mirror the service of which it is one; of a federated service all that it stands for."""
    labels, notes = service.metadata.labels or {}, service.metadata.annotations
    if labels.get(MIRROR_LABEL) != "true" or notes is None:
        return
    cluster = labels.get(CLUSTER_LABEL, "")
    remote = _remote(notes.remote_name)
    # A mirror has the annotations of what it mirrors, so that of a federated service looks like one.
    if cluster and remote is not None:
        yield from _imported(service, remote, cluster)
    elif not cluster:
        yield from _federated(service, notes)


def _federated(service: Service, notes: ServiceNotes) -> Iterator[Meaning]:
    """Its members are of its own namespace in each cluster: `name@cluster`, and one of this cluster by its name."""
    namespace = service.metadata.namespace
    for member in notes.remote_discovery.split(","):
        name, _, cluster = member.strip().partition("@")
        if name and cluster:
            yield from _imported(service, (namespace, name), cluster)
    if notes.local_discovery:
        for address in service.spec.cluster_ips or ():
            yield Meaning(role="local", cidr=address, kind=_SERVICE, namespace=namespace, name=notes.local_discovery)


def _imported(service: Service, remote: tuple[str, str], cluster: str) -> Iterator[Meaning]:
    for address in service.spec.cluster_ips or ():
        yield Meaning(
            role="import", cidr=address, kind=_SERVICE, namespace=remote[0], name=remote[1], clusters=(cluster,)
        )


def _remote(name: str) -> tuple[str, str] | None:
    """Namespace and name of `name.namespace.svc.domain`, before which the name of an endpoint may stand."""
    parts = name.split(".")
    at = next((at for at, part in enumerate(parts) if at >= _PARTS_BEFORE and part == "svc"), 0)
    return (parts[at - 1], parts[at - 2]) if at else None
