"""Services of several clusters, as the MCS API names them: their addresses in this cluster, and who is behind these."""

from collections.abc import Iterator
from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Kept


class ImportSpec(Kept):
    """multicluster.x-k8s.io ServiceImportSpec."""

    ips: list[str] | None = None


class ImportCluster(Kept):
    """multicluster.x-k8s.io ClusterStatus: one that exports the service."""

    cluster: str = ""


class ImportStatus(Kept):
    """multicluster.x-k8s.io ServiceImportStatus."""

    clusters: list[ImportCluster] | None = None


class ServiceImport(Named):
    """multicluster.x-k8s.io ServiceImport."""

    spec: ImportSpec = field(default_factory=ImportSpec)
    status: ImportStatus = field(default_factory=ImportStatus)

    def meanings(self) -> Iterator[Meaning]:
        """Each address is the service, in the clusters that export it."""
        clusters = tuple(each.cluster for each in self.status.clusters or ())
        meta = self.metadata
        for ip in self.spec.ips or ():
            yield Meaning(
                role="import",
                cidr=ip,
                kind="ServiceImport",
                namespace=meta.namespace,
                name=meta.name,
                clusters=clusters,
            )


SERVICE_IMPORTS: Final = WantedKind(
    group="multicluster.x-k8s.io", plural="serviceimports", versions=("v1beta1", "v1alpha1"), type=ServiceImport
)
