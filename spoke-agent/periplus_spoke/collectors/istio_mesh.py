"""What Istio calls this cluster: the clusterID by which its metrics name both ends."""

from typing import Final

from periplus_spoke.conversion.cluster_row import istio_clusters
from periplus_spoke.conversion.objects import SetUpPod
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import read_items
from periplus_spoke.kube.problems import KubeProblem

SOURCE: Final = "istio/cluster-id"
GROUP: Final = "networking.istio.io"
_PATH: Final = "/api/v1/pods"
_SELECTORS: Final = ("service.istio.io/canonical-name", "app in (ztunnel)", "app in (istiod)")
"""Proxies say it of the cluster that they run in. An istiod may be that of another cluster, so it comes last."""
_SAMPLE: Final = "20"
"""They are many, and all alike."""


async def istio_cluster(client: KubeClient) -> str:
    """Raises KubeProblem, also where nothing says it, or where some say something else."""
    for selector in _SELECTORS:
        pods = await read_items(client, _PATH, SetUpPod, {"labelSelector": selector, "limit": _SAMPLE})
        found = istio_clusters(pods)
        if len(found) > 1:
            raise KubeProblem(
                "not_found",
                f"pods of Istio call this cluster {' and '.join(sorted(found))}, so none of the names counts",
                "Give all of them one global.multiCluster.clusterName.",
            )
        if found:
            return found.pop()
    raise KubeProblem(
        "not_found",
        "no proxy, ztunnel or istiod that runs here says what Istio calls this cluster",
        "Nothing, where this cluster is in no mesh with others.",
    )
