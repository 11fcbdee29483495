"""What a control plane that runs as pods was started with: its flags name the ranges that it hands out."""

from typing import Final

from periplus_spoke.conversion.ipam import Flags
from periplus_spoke.conversion.objects import StartedPod
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import read_items

SOURCE: Final = "kube-system/control-plane"
API_SERVER: Final = "kube-apiserver"
CONTROLLERS: Final = "kube-controller-manager"
_COMPONENTS: Final = (API_SERVER, CONTROLLERS)
_LABEL: Final = "component"
_PATH: Final = "/api/v1/namespaces/kube-system/pods"


async def control_plane_flags(client: KubeClient) -> Flags:
    """By component; of several replicas the first by name. Empty on a control plane that is not in the cluster.

    Raises KubeProblem.
    """
    wanted = {"labelSelector": f"{_LABEL} in ({','.join(_COMPONENTS)})", "limit": "50"}
    found: dict[str, tuple[str, ...]] = {}
    pods = await read_items(client, _PATH, StartedPod, wanted)
    for pod in sorted(pods, key=lambda each: each.metadata.name):
        component = (pod.metadata.labels or {}).get(_LABEL, "")
        if component in _COMPONENTS:
            found.setdefault(component, _arguments(pod))
    return found


def _arguments(pod: StartedPod) -> tuple[str, ...]:
    started = [[*(each.command or ()), *(each.args or ())] for each in pod.spec.containers or ()]
    return tuple(text for arguments in started for text in arguments)
