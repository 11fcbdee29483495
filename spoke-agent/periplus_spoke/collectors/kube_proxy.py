"""What kube-proxy was started with where no ConfigMap sets it up: which addresses it takes for those of pods."""

from typing import Final

from periplus_spoke.conversion.cluster_settings import KUBE_PROXY_PODS
from periplus_spoke.conversion.flags import flag
from periplus_spoke.conversion.objects import StartedPod
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import read_items
from periplus_spoke.kube.problems import KubeProblem

SOURCE: Final = "kube-system/kube-proxy-pods"
_LABELS: Final = ("k8s-app", "component")
"""kubeadm, EKS and kOps use the first; GKE and AKS the second."""
_PATH: Final = "/api/v1/namespaces/kube-system/pods"
_FLAG: Final = "cluster-cidr"
_SAMPLE: Final = "10"
"""There is one on every node, and they are all alike."""


async def kube_proxy_flags(client: KubeClient) -> tuple[str, ...]:
    """Its arguments. Raises KubeProblem, also where there is none, or where some differ in what they take for pods."""
    started: list[tuple[str, ...]] = []
    for label in _LABELS:
        wanted = {"labelSelector": f"{label}={KUBE_PROXY_PODS}", "limit": _SAMPLE}
        started += [_words(pod) for pod in await read_items(client, _PATH, StartedPod, wanted)]
    if not started:
        raise KubeProblem(
            "not_found",
            "kube-proxy does not run as pods of this cluster",
            "Nothing, where other sources tell the range of pods.",
        )
    if len({flag(words, _FLAG) for words in started}) > 1:
        raise KubeProblem(
            "not_found",
            f"pods of kube-proxy have different values of --{_FLAG}, so none of them counts",
            "Nothing, where other sources tell the range of pods.",
        )
    return started[0]


def _words(pod: StartedPod) -> tuple[str, ...]:
    """GKE starts it by a shell, with all arguments in one text."""
    started = [[*(each.command or ()), *(each.args or ())] for each in pod.spec.containers or ()]
    return tuple(word for arguments in started for text in arguments for word in text.split())
