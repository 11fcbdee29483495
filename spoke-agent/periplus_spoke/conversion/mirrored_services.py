"""Services that Linkerd made to stand for a service of another cluster. Pure."""

from collections.abc import Iterator
from typing import Final

from periplus_contract.tables import SERVICES
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Service

SOURCE: Final = SERVICES.name
MIRROR_LABEL: Final = "mirror.linkerd.io/mirrored-service"
CLUSTER_LABEL: Final = "mirror.linkerd.io/cluster-name"
_PARTS_BEFORE: Final = 2


def mirrored_service(service: Service) -> Iterator[Meaning]:
    """One for each address of a mirror that says of which service it is; none of other services.

    Mirrors of services of one cluster are told, federated ones are not: they stand for their own cluster's, too.
    """
    labels, notes = service.metadata.labels or {}, service.metadata.annotations
    cluster = labels.get(CLUSTER_LABEL, "")
    if labels.get(MIRROR_LABEL) != "true" or not cluster or notes is None:
        return
    remote = _remote(notes.remote_name)
    if remote is not None:
        for address in service.spec.cluster_ips or ():
            yield Meaning(
                role="import",
                cidr=address,
                kind="Service",
                namespace=remote[0],
                name=remote[1],
                clusters=(cluster,),
            )


def _remote(name: str) -> tuple[str, str] | None:
    """Namespace and name of `name.namespace.svc.domain`, before which the name of an endpoint may stand."""
    parts = name.split(".")
    at = next((at for at, part in enumerate(parts) if at >= _PARTS_BEFORE and part == "svc"), 0)
    return (parts[at - 1], parts[at - 2]) if at else None
