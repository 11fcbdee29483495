"""Kubernetes objects of a demonstration cluster, as an API server would return them. Pure and deterministic."""

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Final

from periplus_hub.api.demo import plugins
from periplus_hub.api.demo.fleet import CLUSTERS, DemoCluster
from periplus_hub.api.demo.names import SYSTEM, Network, Object, meta, networks, stable_uid

STARTED: Final = "2026-11-01T09:30:00Z"
_NAMESPACES: Final = ("default", "kube-system", "kube-public", "shop", "platform")


def _provider_id(cluster: DemoCluster, zone: str, name: str) -> str:
    match cluster.provider:
        case "aws":
            return f"aws:///{zone}/i-{stable_uid(cluster.name, name)[:8]}{stable_uid(name)[:9].replace('-', '')}"
        case "gcp":
            return f"gce://{cluster.account}/{zone}/{name}"
        case "azure":
            group = f"MC_{cluster.name}_{cluster.region}"
            scale_set = "providers/Microsoft.Compute/virtualMachineScaleSets/aks-pool1-vmss"
            return f"azure:///subscriptions/{cluster.account}/resourceGroups/{group}/{scale_set}/virtualMachines/0"
        case "metal":
            return ""


def _node_labels(cluster: DemoCluster, zone: str, name: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": cluster.region,
        "topology.kubernetes.io/zone": zone,
        "node.kubernetes.io/instance-type": "metal" if cluster.provider == "metal" else "standard-4",
    } | plugins.labels(cluster)


def pod_blocks(cluster: DemoCluster) -> dict[str, tuple[Network, ...]]:
    """Of each node by name, the block per family that its pods get addresses of."""
    carved: list[Iterator[Network]] = [
        each.subnets(new_prefix=cluster.block_bits(each.version)) for each in networks(cluster.pod_cidrs)
    ]
    names = (f"{cluster.name}-node-{index + 1}" for index in range(cluster.nodes))
    return {name: tuple(next(blocks) for blocks in carved) for name in names}


def nodes(cluster: DemoCluster) -> list[Object]:
    """Nodes with addresses out of the machine range, and their blocks where the plugin takes those."""
    machines = ipaddress.ip_network(cluster.node_cidr).hosts()
    hosts = itertools.islice(machines, 9, 9 + cluster.nodes)
    blocks = pod_blocks(cluster).items()
    return [
        _node(cluster, index, str(host), *block) for index, (host, block) in enumerate(zip(hosts, blocks, strict=True))
    ]


def _node(cluster: DemoCluster, index: int, address: str, name: str, blocks: tuple[Network, ...]) -> Object:
    zone = cluster.zones[index % len(cluster.zones)]
    spec: Object = {"providerID": _provider_id(cluster, zone, name)}
    if cluster.cni in plugins.TAKES_POD_CIDRS:
        spec |= {"podCIDR": str(blocks[0]), "podCIDRs": [str(block) for block in blocks]}
    labels, annotations = _node_labels(cluster, zone, name), plugins.annotations(cluster, index)
    return {
        "metadata": meta(cluster, "Node", name, labels=labels, annotations=annotations),
        "spec": spec,
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "allocatable": {"pods": "110"},
            "capacity": {"pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": cluster.version},
        },
    }


def namespaces(cluster: DemoCluster) -> list[Object]:
    """A few namespaces with owner labels, as a platform team would set them."""
    teams = {"shop": "web", "platform": "platform", "kube-system": "platform"}
    return [
        {
            "metadata": meta(
                cluster,
                "Namespace",
                name,
                labels={"kubernetes.io/metadata.name": name}
                | ({"team": teams[name], "cost-center": f"cc-{len(teams[name]) * 100}"} if name in teams else {}),
            ),
            "status": {"phase": "Active"},
        }
        for name in _NAMESPACES
    ]


def _namespace_of(app: str) -> str:
    return "platform" if app in {"gateway", "metrics", "registry", "auth"} else "shop"


def deployments(cluster: DemoCluster) -> list[Object]:
    """One Deployment per app."""
    return [
        {
            "metadata": meta(cluster, "Deployment", app, _namespace_of(app), labels={"app": app}),
            "spec": {"replicas": _replicas(cluster, app)},
        }
        for app in cluster.apps
    ]


def _replicas(cluster: DemoCluster, app: str) -> int:
    return 2 + (len(app) + cluster.nodes) % 5


def replica_sets(cluster: DemoCluster) -> list[Object]:
    """The ReplicaSet between each Deployment and its pods."""
    made = []
    for app in cluster.apps:
        namespace = _namespace_of(app)
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": app,
            "uid": stable_uid(cluster.name, "Deployment", namespace, app),
            "controller": True,
        }
        metadata = meta(cluster, "ReplicaSet", f"{app}-7d9c5", namespace, ownerReferences=[owner], labels={"app": app})
        made.append({"metadata": metadata, "spec": {"replicas": _replicas(cluster, app)}})
    return made


def pods(cluster: DemoCluster) -> list[Object]:
    """Pods spread over the nodes, addressed out of their node's blocks, plus one host-network agent per node."""
    blocks = pod_blocks(cluster)
    offsets = {node: itertools.count(10) for node in blocks}
    round_robin = itertools.cycle(blocks)
    made = []
    for app in cluster.apps:
        for index in range(_replicas(cluster, app)):
            node = next(round_robin)
            offset = next(offsets[node])
            addresses = [str(block.network_address + offset) for block in blocks[node]]
            made.append(_pod(cluster, app, index, node, addresses))
    made.extend(_agent(cluster, node) for node in nodes(cluster))
    return made


def _pod(cluster: DemoCluster, app: str, index: int, node: str, addresses: list[str]) -> Object:
    namespace = _namespace_of(app)
    name = f"{app}-7d9c5-{stable_uid(cluster.name, app, str(index))[:5]}"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{app}-7d9c5",
        "uid": stable_uid(cluster.name, "ReplicaSet", namespace, f"{app}-7d9c5"),
        "controller": True,
    }
    return {
        "metadata": meta(cluster, "Pod", name, namespace, ownerReferences=[owner], labels={"app": app}),
        "spec": {"nodeName": node},
        "status": {
            "phase": "Running",
            "podIP": addresses[0],
            "podIPs": [{"ip": address} for address in addresses],
            "startTime": STARTED,
        },
    }


def _agent(cluster: DemoCluster, node: Object) -> Object:
    agent = plugins.AGENTS[cluster.cni]
    name = f"{agent}-{stable_uid(str(node['metadata']['name']))[:5]}"
    address = node["status"]["addresses"][0]["address"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "name": agent,
        "uid": stable_uid(cluster.name, "DaemonSet", SYSTEM, agent),
        "controller": True,
    }
    return {
        "metadata": meta(cluster, "Pod", name, SYSTEM, ownerReferences=[owner]),
        "spec": {"nodeName": node["metadata"]["name"], "hostNetwork": True},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "startTime": STARTED},
    }


def daemon_sets(cluster: DemoCluster) -> list[Object]:
    """The agent of the network plugin."""
    return [{"metadata": meta(cluster, "DaemonSet", plugins.AGENTS[cluster.cni], SYSTEM), "spec": {}}]


def services(cluster: DemoCluster) -> list[Object]:
    """A ClusterIP per app and family, and one load balancer for the first app."""
    ranges = networks(cluster.service_cidrs)
    made = []
    for index, app in enumerate(cluster.apps):
        cluster_ips = [str(network.network_address + 20 + index) for network in ranges]
        port = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "appProtocol": "http"}
        spec: Object = {
            "type": "LoadBalancer" if index == 0 else "ClusterIP",
            "clusterIP": cluster_ips[0],
            "clusterIPs": cluster_ips,
            "ports": [port],
            "selector": {"app": app},
            "ipFamilies": [f"IPv{network.version}" for network in ranges],
        }
        ingress = [{"ip": _load_balancer(cluster)}] if index == 0 else []
        metadata = meta(cluster, "Service", app, _namespace_of(app), labels={"app": app})
        made.append({"metadata": metadata, "spec": spec, "status": {"loadBalancer": {"ingress": ingress}}})
    return made


def _load_balancer(cluster: DemoCluster) -> str:
    """An address in the machine range for metal, elsewhere a documentation address (RFC 5737) of the cluster's own."""
    if cluster.provider == "metal":
        return str(ipaddress.ip_network(cluster.node_cidr).network_address + 240)
    return str(ipaddress.IPv4Address("203.0.113.20") + CLUSTERS.index(cluster))


def endpoint_slices(cluster: DemoCluster) -> list[Object]:
    """One slice per service with its pods."""
    by_app: dict[str, list[Object]] = {app: [] for app in cluster.apps}
    for pod in pods(cluster):
        app = str(pod["metadata"]["labels"].get("app", ""))
        if app in by_app:
            by_app[app].append(pod)
    return [_slice(cluster, app, members) for app, members in by_app.items()]


def _slice(cluster: DemoCluster, app: str, members: list[Object]) -> Object:
    namespace = _namespace_of(app)
    endpoints = [
        {
            "addresses": [pod["status"]["podIPs"][0]["ip"]],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": {
                "kind": "Pod",
                "namespace": namespace,
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
        }
        for pod in members
    ]
    labels = {
        "kubernetes.io/service-name": app,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    return {
        "metadata": meta(cluster, "EndpointSlice", f"{app}-x7k2p", namespace, labels=labels),
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


def service_cidrs(cluster: DemoCluster) -> list[Object]:
    """The default ServiceCIDR object."""
    spec = {"cidrs": list(cluster.service_cidrs)}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return [{"metadata": meta(cluster, "ServiceCIDR", "kubernetes"), "spec": spec, "status": status}]


def ip_addresses(cluster: DemoCluster) -> list[Object]:
    """One IPAddress per ClusterIP."""
    made: list[Object] = []
    for service in services(cluster):
        metadata: Object = service["metadata"]
        parent = {"resource": "services", "namespace": metadata["namespace"], "name": metadata["name"]}
        made.extend(
            {"metadata": meta(cluster, "IPAddress", str(address)), "spec": {"parentRef": parent}}
            for address in service["spec"]["clusterIPs"]
        )
    return made
