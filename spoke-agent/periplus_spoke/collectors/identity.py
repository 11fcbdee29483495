"""Who this cluster is, before it joins: what enrolment needs."""

import logging
import re
from datetime import datetime, timedelta
from typing import Final

from periplus_contract.limits import MAX_MACHINES
from periplus_contract.messages import is_fact
from periplus_contract.text import visible
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.conversion.objects import ConfigMap, Node, Thing
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import LEFT_OUT_REMEDY, first_page, read, server_version
from periplus_spoke.kube.problems import KubeProblem

_NOT_NAME: Final = re.compile(r"[^a-z0-9.-]+")
_NAME_CHARS: Final = 63
_UID_CHARS: Final = 8
_SHOWN_CHARS: Final = 60
_NODES: Final = 50
"""Enough to tell a cluster from its copy, and little to decode."""

_HEARD_WITHIN: Final = timedelta(minutes=15)
"""Of a machine that is there: kubelet reports each five minutes, with up to half of that as jitter, also where nothing
changes (nodeStatusReportFrequency), and clocks may differ."""

_log: Final = logging.getLogger(__name__)


async def identify(client: KubeClient, now: datetime) -> ClusterIdentity:
    """Ask the API server. Raises KubeProblem when it cannot be reached or does not tell its uid."""
    version = await server_version(client)
    if version.left_out:
        _log.warning(version.left_out, extra={"remedy": LEFT_OUT_REMEDY})
    system = await read(client, "/api/v1/namespaces/kube-system", Thing)
    if not system.metadata.uid:
        raise KubeProblem("server_error", "the namespace kube-system has no uid")
    if not is_fact(system.metadata.uid):
        shown = visible(system.metadata.uid[:_SHOWN_CHARS])
        raise KubeProblem("server_error", f"the namespace kube-system has the uid '{shown}', which is none")
    nodes, node_count = await _first_nodes(client)
    return ClusterIdentity(
        uid=system.metadata.uid,
        name=await _name(client, system.metadata.uid),
        kubernetes_version=version.git_version,
        api_ca_sha256=await client.ca_sha256(),
        node_count=node_count,
        machines=tuple(machine for node in nodes for machine in machines_of(node, now))[:MAX_MACHINES],
    )


async def _first_nodes(client: KubeClient) -> tuple[list[Node], int]:
    """By name, as an API server lists: two that ask see the same ones. And how many there are."""
    try:
        return await first_page(client, "/api/v1/nodes", Node, _NODES)
    except KubeProblem:
        return [], 0  # the inventory's sources say why


def machines_of(node: Node, now: datetime) -> list[str]:
    """`uid=address` of each address the machine has inside; nothing of a node that is not ready, or was not heard.

    An etcd backup brings the nodes of another cluster along. Their machines never report to this API server, so they
    are not ready here; in the first minute they still seem to be, as they were when the backup was made.
    """
    for each in node.status.conditions or ():
        if each.type == "Ready" and (each.status != "True" or _is_old(each.last_heartbeat_time, now)):
            return []
    addresses = (each.address for each in node.status.addresses or () if each.type == "InternalIP")
    return [machine for address in addresses if is_fact(machine := f"{node.metadata.uid}={address}")]


def _is_old(heartbeat: datetime | None, now: datetime) -> bool:
    return heartbeat is not None and now - heartbeat > _HEARD_WITHIN


async def _name(client: KubeClient, uid: str) -> str:
    name = suggested_name(client.label)
    if not name:
        try:
            config = await read(client, "/api/v1/namespaces/kube-system/configmaps/cilium-config", ConfigMap)
        except KubeProblem:
            config = ConfigMap()  # most clusters have none; the name is only a suggestion
        given = (config.data or {}).get("cluster-name", "")
        name = "" if given == "default" else suggested_name(given)
    return name or f"cluster-{uid[:_UID_CHARS]}"


def suggested_name(context: str) -> str:
    """A cluster name from a context: `arn:…:cluster/prod`, `gke_project_zone_prod` and `admin@prod` are all prod."""
    name = context.rpartition("/")[2].rpartition("@")[2]
    if name.startswith("gke_"):
        name = name.rpartition("_")[2]
    return _NOT_NAME.sub("-", name.lower()).strip("-.")[:_NAME_CHARS].rstrip("-.")
