"""A Kubernetes API server's read side for the demonstration's clusters, over real HTTP.

One server answers for all clusters: each lives under its own path, `/clusters/<name>`, which kubeconfig allows. It
speaks what a spoke uses: discovery, paged lists, metadata-only lists, watches with bookmarks, and the review of
one's own permissions. Nothing can be written to it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from periplus_hub.api.demo import objects, plugins
from periplus_hub.api.demo.allocators import Served, custom_kinds
from periplus_hub.api.demo.fleet import DemoCluster
from periplus_hub.api.demo.names import Object

CORE: Final[Mapping[str, Served]] = {
    "/api/v1/namespaces": Served("Namespace", objects.namespaces),
    "/api/v1/nodes": Served("Node", objects.nodes),
    "/api/v1/pods": Served("Pod", objects.pods),
    "/api/v1/services": Served("Service", objects.services),
    "/apis/apps/v1/deployments": Served("Deployment", objects.deployments),
    "/apis/apps/v1/replicasets": Served("ReplicaSet", objects.replica_sets),
    "/apis/apps/v1/daemonsets": Served("DaemonSet", objects.daemon_sets),
    "/apis/apps/v1/statefulsets": Served("StatefulSet", lambda _: []),
    "/apis/batch/v1/jobs": Served("Job", lambda _: []),
    "/apis/batch/v1/cronjobs": Served("CronJob", lambda _: []),
    "/apis/discovery.k8s.io/v1/endpointslices": Served("EndpointSlice", objects.endpoint_slices),
    "/apis/networking.k8s.io/v1/servicecidrs": Served("ServiceCIDR", objects.service_cidrs),
    "/apis/networking.k8s.io/v1/ipaddresses": Served("IPAddress", objects.ip_addresses),
}
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
            ("/api/v1/namespaces/{namespace}/pods", self._pods_of, ["GET"]),
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
        for name, versions in _groups_of(cluster).items():
            served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
            groups.append({"name": name, "versions": served, "preferredVersion": served[0]})
        return JSONResponse({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def _group_resources(self, cluster: DemoCluster, request: Request) -> Response:
        group, version = request.path_params["group"], request.path_params["version"]
        if version not in _groups_of(cluster).get(group, ()):
            return _status(404, "NotFound", f"the server does not serve {group}/{version}")
        return _resource_list(cluster, f"/apis/{group}/{version}/", f"{group}/{version}")

    async def _core_resources(self, cluster: DemoCluster, _: Request) -> Response:
        return _resource_list(cluster, "/api/v1/", "v1")

    async def _namespace(self, cluster: DemoCluster, request: Request) -> Response:
        wanted = request.path_params["namespace"]
        found = next((item for item in objects.namespaces(cluster) if item["metadata"]["name"] == wanted), None)
        if found is None:
            return _status(404, "NotFound", f'namespaces "{wanted}" not found')
        return JSONResponse({"kind": "Namespace", "apiVersion": "v1"} | found)

    async def _config_map(self, cluster: DemoCluster, request: Request) -> Response:
        name = request.path_params["name"]
        found = plugins.config_maps(cluster).get(name)
        if found is None or request.path_params["namespace"] != "kube-system":
            return _status(404, "NotFound", f'configmaps "{name}" not found')
        return JSONResponse({"kind": "ConfigMap", "apiVersion": "v1"} | found)

    async def _pods_of(self, cluster: DemoCluster, request: Request) -> Response:
        wanted, selector = request.path_params["namespace"], request.query_params.get("labelSelector", "")
        pods = [
            pod
            for pod in objects.pods(cluster)
            if pod["metadata"]["namespace"] == wanted and _selects(selector, pod["metadata"]["labels"])
        ]
        return _page("Pod", "v1", pods, request)

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
        served = _served_by(cluster).get(resource)
        if served is None:
            return _status(404, "NotFound", "the server could not find the requested resource")
        if request.query_params.get("watch", "").lower() in {"true", "1"}:
            watch = self._watch(served.kind, _version_of(resource))
            return StreamingResponse(watch, media_type="application/json")
        return _page(served.kind, _version_of(resource), served.objects(cluster), request)

    async def _watch(self, kind: str, version: str) -> AsyncIterator[bytes]:
        """Bookmarks only: the demonstration's clusters hold still."""
        bookmark = {"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": _REVISION}}
        line = json.dumps({"type": "BOOKMARK", "object": bookmark}).encode() + b"\n"
        while not self.closing.is_set():
            yield line
            try:
                await asyncio.wait_for(self.closing.wait(), _BOOKMARK_S)
            except TimeoutError:
                continue


def _served_by(cluster: DemoCluster) -> Mapping[str, Served]:
    return {**CORE, **custom_kinds(cluster)}


def _version_of(path: str) -> str:
    return path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0]


def _groups_of(cluster: DemoCluster) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in _served_by(cluster):
        group, separator, version = _version_of(path).partition("/")
        if separator and version not in found.setdefault(group, []):
            found[group].append(version)
    return found


def _selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Of the language of selectors what a spoke asks: `key in (a,b)`, or nothing."""
    key, separator, values = selector.partition(" in ")
    return not separator or labels.get(key) in values.strip("()").split(",")


def _resource_list(cluster: DemoCluster, prefix: str, version: str) -> Response:
    resources = [
        {"name": path.removeprefix(prefix), "kind": served.kind, "verbs": ["get", "list", "watch"], "namespaced": False}
        for path, served in _served_by(cluster).items()
        if path.startswith(prefix)
    ]
    return JSONResponse({"kind": "APIResourceList", "groupVersion": version, "resources": resources})


def _page(kind: str, version: str, items: list[Object], request: Request) -> Response:
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
