"""A Kubernetes API server's read side for the demonstration's clusters, over real HTTP.

One server answers for all clusters: each lives under its own path, `/clusters/<name>`, which kubeconfig allows. It
speaks what a spoke uses: discovery, paged lists, metadata-only lists, watches with bookmarks, and the review of
one's own permissions. Nothing can be written to it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from periplus_hub.api.demo import objects
from periplus_hub.api.demo.fleet import DemoCluster
from periplus_hub.api.demo.objects import Object

RESOURCES: Final[dict[str, tuple[str, Callable[[DemoCluster], list[Object]]]]] = {
    "/api/v1/namespaces": ("Namespace", objects.namespaces),
    "/api/v1/nodes": ("Node", objects.nodes),
    "/api/v1/pods": ("Pod", objects.pods),
    "/api/v1/services": ("Service", objects.services),
    "/apis/apps/v1/deployments": ("Deployment", objects.deployments),
    "/apis/apps/v1/replicasets": ("ReplicaSet", objects.replica_sets),
    "/apis/apps/v1/daemonsets": ("DaemonSet", objects.daemon_sets),
    "/apis/apps/v1/statefulsets": ("StatefulSet", lambda _: []),
    "/apis/batch/v1/jobs": ("Job", lambda _: []),
    "/apis/batch/v1/cronjobs": ("CronJob", lambda _: []),
    "/apis/discovery.k8s.io/v1/endpointslices": ("EndpointSlice", objects.endpoint_slices),
    "/apis/networking.k8s.io/v1/servicecidrs": ("ServiceCIDR", objects.service_cidrs),
    "/apis/networking.k8s.io/v1/ipaddresses": ("IPAddress", objects.ip_addresses),
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": ("CustomResourceDefinition", lambda _: []),
}
_GROUPS: Final = {"apps": "v1", "batch": "v1", "discovery.k8s.io": "v1", "networking.k8s.io": "v1"}
_BOOKMARK_S: Final = 30.0
_REVISION: Final = "1000"


class SimulatedFleet:
    """The ASGI application over `clusters`; `closing` ends open watches so that a server can stop at once."""

    def __init__(self, clusters: tuple[DemoCluster, ...]) -> None:
        self._clusters = {cluster.name: cluster for cluster in clusters}
        self.closing = asyncio.Event()
        handlers: list[tuple[str, Callable[[DemoCluster, Request], Awaitable[Response]], list[str]]] = [
            ("/version", self._version, ["GET"]),
            ("/apis", self._groups, ["GET"]),
            ("/apis/authorization.k8s.io/v1/{review}", self._review, ["POST"]),
            ("/api/v1/namespaces/{namespace}", self._namespace, ["GET"]),
            ("/api/v1/namespaces/{namespace}/configmaps/{name}", self._config_map, ["GET"]),
            ("/apis/{group}/{version}", self._group_resources, ["GET"]),
            ("/api/v1", self._core_resources, ["GET"]),
            ("/{rest:path}", self._list, ["GET"]),
        ]
        self.app = Starlette(
            routes=[
                Route("/clusters/{cluster}" + path, self._for_cluster(handler), methods=methods)
                for path, handler, methods in handlers
            ]
        )

    def _for_cluster(
        self, handler: Callable[[DemoCluster, Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            cluster = self._clusters.get(request.path_params["cluster"])
            return await handler(cluster, request) if cluster else _status(404, "NotFound", "no such cluster")

        return endpoint

    async def _version(self, cluster: DemoCluster, _: Request) -> Response:
        major, minor, *_rest = cluster.version.removeprefix("v").split(".")
        return JSONResponse({"major": major, "minor": minor, "gitVersion": cluster.version, "platform": "linux/amd64"})

    async def _groups(self, cluster: DemoCluster, _: Request) -> Response:
        groups = []
        for name, version in _groups_of(cluster).items():
            served = {"groupVersion": f"{name}/{version}", "version": version}
            groups.append({"name": name, "versions": [served], "preferredVersion": served})
        return JSONResponse({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def _group_resources(self, cluster: DemoCluster, request: Request) -> Response:
        group, version = request.path_params["group"], request.path_params["version"]
        if _groups_of(cluster).get(group) != version:
            return _status(404, "NotFound", f"the server does not serve {group}/{version}")
        return _resource_list(f"/apis/{group}/{version}/", f"{group}/{version}")

    async def _core_resources(self, _: DemoCluster, __: Request) -> Response:
        return _resource_list("/api/v1/", "v1")

    async def _namespace(self, cluster: DemoCluster, request: Request) -> Response:
        wanted = request.path_params["namespace"]
        found = next((item for item in objects.namespaces(cluster) if item["metadata"]["name"] == wanted), None)
        if found is None:
            return _status(404, "NotFound", f'namespaces "{wanted}" not found')
        return JSONResponse({"kind": "Namespace", "apiVersion": "v1"} | found)

    async def _config_map(self, cluster: DemoCluster, request: Request) -> Response:
        name = request.path_params["name"]
        found = objects.config_maps(cluster).get(name)
        if found is None or request.path_params["namespace"] != "kube-system":
            return _status(404, "NotFound", f'configmaps "{name}" not found')
        return JSONResponse({"kind": "ConfigMap", "apiVersion": "v1"} | found)

    async def _review(self, _: DemoCluster, request: Request) -> Response:
        asked = json.loads(await request.body())
        if request.path_params["review"] == "selfsubjectrulesreviews":
            rule = {"verbs": ["get", "list", "watch"], "apiGroups": ["*"], "resources": ["*"]}
            return JSONResponse(asked | {"status": {"resourceRules": [rule], "incomplete": False}}, status_code=201)
        attributes = asked.get("spec", {}).get("resourceAttributes", {})
        allowed = attributes.get("verb") in {"get", "list", "watch"} and attributes.get("resource") != "secrets"
        return JSONResponse(asked | {"status": {"allowed": allowed}}, status_code=201)

    async def _list(self, cluster: DemoCluster, request: Request) -> Response:
        resource = "/" + request.path_params["rest"]
        if resource not in RESOURCES:
            return _status(404, "NotFound", "the server could not find the requested resource")
        if request.query_params.get("watch", "").lower() in {"true", "1"}:
            kind = RESOURCES[resource][0]
            return StreamingResponse(self._watch(kind, resource), media_type="application/json")
        return _page(cluster, resource, request)

    async def _watch(self, kind: str, resource: str) -> AsyncIterator[bytes]:
        """Bookmarks only: the demonstration's clusters hold still."""
        version = resource.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0]
        bookmark = {"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": _REVISION}}
        line = json.dumps({"type": "BOOKMARK", "object": bookmark}).encode() + b"\n"
        while not self.closing.is_set():
            yield line
            try:
                await asyncio.wait_for(self.closing.wait(), _BOOKMARK_S)
            except TimeoutError:
                continue


def _groups_of(cluster: DemoCluster) -> dict[str, str]:
    return _GROUPS | ({"cilium.io": "v2"} if cluster.cni == "cilium-kubernetes" else {})


def _resource_list(prefix: str, version: str) -> Response:
    resources = [
        {"name": path.removeprefix(prefix), "kind": kind, "verbs": ["get", "list", "watch"], "namespaced": False}
        for path, (kind, _) in RESOURCES.items()
        if path.startswith(prefix)
    ]
    return JSONResponse({"kind": "APIResourceList", "groupVersion": version, "resources": resources})


def _page(cluster: DemoCluster, resource: str, request: Request) -> Response:
    kind, make = RESOURCES[resource]
    items = make(cluster)
    start = int(request.query_params.get("continue") or 0)
    limit = int(request.query_params.get("limit") or len(items) or 1)
    metadata: dict[str, Any] = {"resourceVersion": _REVISION}
    if start + limit < len(items):
        metadata["continue"] = str(start + limit)
        metadata["remainingItemCount"] = len(items) - start - limit
    page = items[start : start + limit]
    if "PartialObjectMetadataList" in request.headers.get("accept", ""):
        page = [{"metadata": item["metadata"]} for item in page]
        kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
    else:
        version = resource.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0]
    return JSONResponse({"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": page})


def _status(code: int, reason: str, message: str) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return JSONResponse(body | {"code": code}, status_code=code)


def kubeconfig(base_url: str, clusters: tuple[DemoCluster, ...]) -> dict[str, Any]:
    """A kubeconfig with one context per cluster, each named as the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": clusters[0].name if clusters else "",
        "clusters": [
            {"name": cluster.name, "cluster": {"server": f"{base_url}/clusters/{cluster.name}"}} for cluster in clusters
        ],
        "users": [{"name": "demo", "user": {"token": "demo"}}],
        "contexts": [
            {"name": cluster.name, "context": {"cluster": cluster.name, "user": "demo"}} for cluster in clusters
        ],
    }
