"""What aws-node, the DaemonSet of AWS VPC CNI, is set up with: it decides how pods leave their VPC."""

from typing import Final

from periplus_spoke.collectors.ipam.aws_vpc_cni import AWS_NODE, SETTINGS
from periplus_spoke.conversion.objects import SetUpDaemonSet
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import read_items
from periplus_spoke.kube.problems import KubeProblem

SOURCE: Final = f"kube-system/{AWS_NODE}"
_PATH: Final = "/apis/apps/v1/namespaces/kube-system/daemonsets"


async def aws_node_settings(client: KubeClient) -> tuple[str, ...]:
    """`NAME=value` of those that matter and are set. Raises KubeProblem, also where there is no such DaemonSet.

    It is listed by its name and not got, because a spoke may list DaemonSets and no more.
    """
    found = await read_items(client, _PATH, SetUpDaemonSet, {"fieldSelector": f"metadata.name={AWS_NODE}"})
    if not found:
        raise KubeProblem(
            "not_found",
            f"there is no DaemonSet {SOURCE}",
            "Nothing, where another network plugin hands out the addresses of pods.",
        )
    containers = found[0].spec.template.spec.containers or ()
    texts = {f"{each.name}={each.value}" for one in containers for each in one.env or () if each.name in SETTINGS}
    return tuple(sorted(texts))
