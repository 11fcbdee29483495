"""Kubernetes objects of a demonstration cluster, as an API server would return them. Pure and deterministic."""

import hashlib
import ipaddress
import itertools
import json
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from periplus_hub.api.demo.fleet import CLUSTERS, DemoCluster

# A decoded JSON object; its shape is Kubernetes' own.
Object = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CREATED: Final = "2026-06-01T08:00:00Z"
STARTED: Final = "2026-11-01T09:30:00Z"
_NAMESPACES: Final = ("default", "kube-system", "kube-public", "shop", "platform")


def stable_uid(*parts: str) -> str:
    """A uid that is the same in every run, so that a demonstration can be repeated."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def meta(cluster: DemoCluster, kind: str, name: str, namespace: str = "", **more: object) -> Object:
    """`metadata` with everything a spoke may look at."""
    found: Object = {
        "name": name,
        "uid": stable_uid(cluster.name, kind, namespace, name),
        "resourceVersion": "1000",
        "creationTimestamp": CREATED,
        "labels": {},
    }
    if namespace:
        found["namespace"] = namespace
    return found | more


def _networks(cidrs: tuple[str, ...]) -> list[Network]:
    return [ipaddress.ip_network(cidr) for cidr in cidrs]


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
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": cluster.region,
        "topology.kubernetes.io/zone": zone,
        "node.kubernetes.io/instance-type": "metal" if cluster.provider == "metal" else "standard-4",
    }
    if cluster.cni == "gke":
        labels["cloud.google.com/gke-nodepool"] = "default-pool"
    return labels


def nodes(cluster: DemoCluster) -> list[Object]:
    """Nodes with addresses out of the machine range and one pod block per family."""
    machines = ipaddress.ip_network(cluster.node_cidr).hosts()
    hosts = list(itertools.islice(machines, 9, 9 + cluster.nodes))
    blocks = [_blocks(network, cluster) for network in _networks(cluster.pod_cidrs)]
    made = []
    for index in range(cluster.nodes):
        name, zone = f"{cluster.name}-node-{index + 1}", cluster.zones[index % len(cluster.zones)]
        annotations = {}
        if cluster.cni == "flannel":
            annotations = {"flannel.alpha.coreos.com/kube-subnet-manager": "true"}
        pod_cidrs = [str(next(block)) for block in blocks]
        metadata = meta(cluster, "Node", name, labels=_node_labels(cluster, zone, name), annotations=annotations)
        addresses = [{"type": "InternalIP", "address": str(hosts[index])}, {"type": "Hostname", "address": name}]
        made.append(
            {
                "metadata": metadata,
                "spec": {
                    "podCIDR": pod_cidrs[0],
                    "podCIDRs": pod_cidrs,
                    "providerID": _provider_id(cluster, zone, name),
                },
                "status": {
                    "addresses": addresses,
                    "allocatable": {"pods": "110"},
                    "capacity": {"pods": "110"},
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "nodeInfo": {"kubeletVersion": cluster.version},
                },
            }
        )
    return made


def _blocks(network: Network, cluster: DemoCluster) -> Iterator[Network]:
    bits = cluster.pod_block_bits if isinstance(network, ipaddress.IPv4Network) else 64
    yield from network.subnets(new_prefix=bits)


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
    machines = nodes(cluster)
    next_host = {node["metadata"]["name"]: itertools.count(10) for node in machines}
    round_robin = itertools.cycle(machines)
    made = []
    for app in cluster.apps:
        for index in range(_replicas(cluster, app)):
            node = next(round_robin)
            made.append(_pod(cluster, app, index, node, next(next_host[node["metadata"]["name"]])))
    made.extend(_agent(cluster, node) for node in machines)
    return made


def _pod(cluster: DemoCluster, app: str, index: int, node: Object, offset: int) -> Object:
    namespace = _namespace_of(app)
    name = f"{app}-7d9c5-{stable_uid(cluster.name, app, str(index))[:5]}"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{app}-7d9c5",
        "uid": stable_uid(cluster.name, "ReplicaSet", namespace, f"{app}-7d9c5"),
        "controller": True,
    }
    blocks = _networks(tuple(node["spec"]["podCIDRs"]))
    addresses = [{"ip": str(block.network_address + offset)} for block in blocks]
    return {
        "metadata": meta(cluster, "Pod", name, namespace, ownerReferences=[owner], labels={"app": app}),
        "spec": {"nodeName": node["metadata"]["name"]},
        "status": {
            "phase": "Running",
            "podIP": addresses[0]["ip"],
            "podIPs": addresses,
            "startTime": STARTED,
        },
    }


def _agent(cluster: DemoCluster, node: Object) -> Object:
    name = f"node-agent-{stable_uid(str(node['metadata']['name']))[:5]}"
    address = node["status"]["addresses"][0]["address"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "name": "node-agent",
        "uid": stable_uid(cluster.name, "DaemonSet", "kube-system", "node-agent"),
        "controller": True,
    }
    return {
        "metadata": meta(cluster, "Pod", name, "kube-system", ownerReferences=[owner]),
        "spec": {"nodeName": node["metadata"]["name"], "hostNetwork": True},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "startTime": STARTED},
    }


def daemon_sets(cluster: DemoCluster) -> list[Object]:
    """The one node agent every cluster runs."""
    return [{"metadata": meta(cluster, "DaemonSet", "node-agent", "kube-system"), "spec": {}}]


def services(cluster: DemoCluster) -> list[Object]:
    """A ClusterIP per app and family, and one load balancer for the first app."""
    networks = _networks(cluster.service_cidrs)
    made = []
    for index, app in enumerate(cluster.apps):
        cluster_ips = [str(network.network_address + 20 + index) for network in networks]
        port = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "appProtocol": "http"}
        spec: Object = {
            "type": "LoadBalancer" if index == 0 else "ClusterIP",
            "clusterIP": cluster_ips[0],
            "clusterIPs": cluster_ips,
            "ports": [port],
            "selector": {"app": app},
            "ipFamilies": [f"IPv{network.version}" for network in networks],
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


def config_maps(cluster: DemoCluster) -> dict[str, Object]:
    """Named ConfigMaps of kube-system a spoke may read, by name."""
    found: dict[str, Object] = {}
    if cluster.kubeadm:
        networking = {
            "podSubnet": ",".join(cluster.pod_cidrs),
            "serviceSubnet": ",".join(cluster.service_cidrs),
            "dnsDomain": "cluster.local",
        }
        # JSON is YAML, and needs no YAML writer.
        document = json.dumps({"clusterName": cluster.name, "networking": networking})
        found["kubeadm-config"] = _config_map(cluster, "kubeadm-config", {"ClusterConfiguration": document})
    if cluster.cni == "cilium-kubernetes":
        found["cilium-config"] = _config_map(
            cluster, "cilium-config", {"ipam": "kubernetes", "cluster-name": cluster.name, "routing-mode": "tunnel"}
        )
    return found


def _config_map(cluster: DemoCluster, name: str, data: dict[str, str]) -> Object:
    return {"metadata": meta(cluster, "ConfigMap", name, "kube-system"), "data": data}
