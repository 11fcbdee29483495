"""Endpoints that another cluster has, of EndpointSlices that say so. Pure."""

from collections.abc import Iterator
from typing import Final

from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import EndpointSlice

SOURCE: Final = "discovery.k8s.io/endpointslices"
SERVICE_LABEL: Final = "multicluster.kubernetes.io/service-name"
CLUSTER_LABEL: Final = "multicluster.kubernetes.io/source-cluster"


def remote_endpoints(piece: EndpointSlice) -> Iterator[Meaning]:
    """One for each endpoint of a slice with the label of a cluster; none of others."""
    labels = piece.metadata.labels or {}
    cluster = labels.get(CLUSTER_LABEL)
    if cluster:
        for endpoint in piece.endpoints or ():
            for address in (endpoint.addresses or ())[:1]:
                yield Meaning(
                    role="endpoint",
                    cidr=address,
                    kind="ServiceImport",
                    namespace=piece.metadata.namespace,
                    name=labels.get(SERVICE_LABEL, ""),
                    clusters=(cluster,),
                )
