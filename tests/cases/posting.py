"""Puts what a case says of a cluster into its API server, and takes it out again."""

from http import HTTPStatus
from typing import Any

from tests.cases import manifests
from tests.cases.case import Cluster
from tests.cluster.rig.admin import ApiClient, ApiError
from tests.cluster.rig.polling import wait_for

Json = dict[str, Any]

_TIMEOUT_S = 30.0


class Posted:
    """What one case put into one API server."""

    def __init__(self, admin: ApiClient) -> None:
        self._admin = admin
        self._paths: list[str] = []
        self._groups: list[str] = []
        self.leaves_namespaces = False
        """Whether there is something that only a controller manager could take out again."""

    def post(self, cluster: Cluster) -> None:
        """All of it; raises ApiError for what the API server does not take."""
        self._post_custom(cluster)
        for spec in cluster.nodes:
            self._create(manifests.node(spec))
        for name in cluster.daemon_sets:
            path = self._create(manifests.daemon_set(name))
            self._admin.patch(f"{path}/status", manifests.daemon_set_status(len(cluster.nodes)))
        for config in cluster.config_maps:
            self._create(manifests.config_map(config))
        for service in cluster.services:
            path = self._create(manifests.service(service))
            if service.load_balancer_ips:
                self._admin.patch(f"{path}/status", manifests.service_status(service))
        addresses = {node.name: node.internal for node in cluster.nodes}
        for pod in cluster.pods:
            path = self._create(manifests.pod(pod))
            self._admin.patch(f"{path}/status", manifests.pod_status(pod, addresses.get(pod.node, [])))

    def take_out(self) -> None:
        """Until the API server serves nothing of it any more."""
        for path in reversed(self._paths):
            self._admin.delete(path)
        wait_for("objects of the case gone", lambda: not any(map(self._is_there, self._paths)), timeout_s=_TIMEOUT_S)
        wait_for("kinds of the case gone", lambda: not self._served(), timeout_s=_TIMEOUT_S)

    def _post_custom(self, cluster: Cluster) -> None:
        namespaced = {each["kind"] for each in cluster.objects if each["metadata"].get("namespace")}
        for crd in cluster.crds:
            self._create(manifests.crd(crd, is_namespaced=crd.kind in namespaced))
            self._groups.append(crd.group)
        for each in cluster.objects:
            self._create_object({name: value for name, value in each.items() if name != "resource"})

    def _create_object(self, manifest: Json) -> None:
        what = f"{manifest['kind']} served"
        path = wait_for(what, lambda: self._create_if_served(manifest), timeout_s=_TIMEOUT_S)
        self._patch_status(path, manifest.get("status"))

    def _create_if_served(self, manifest: Json) -> str | None:
        """A kind is served a moment after its definition was taken."""
        try:
            return self._create(manifest)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def _patch_status(self, path: str, status: Json | None) -> None:
        """Kinds with a status of its own forget it at their creation; the others have it already."""
        if status is not None:
            try:
                self._admin.patch(f"{path}/status", {"status": status})
            except ApiError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

    def _create(self, manifest: Json) -> str:
        namespace = manifest["metadata"].get("namespace")
        path = self._admin.path_of(manifest)
        if namespace is not None and not self._is_there(f"/api/v1/namespaces/{namespace}"):
            self._admin.create_namespace(namespace)
            self.leaves_namespaces = True
        self._admin.create(manifest)
        self._paths.append(path)
        return path

    def _is_there(self, path: str) -> bool:
        try:
            self._admin.get(path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True

    def _served(self) -> set[str]:
        return {group["name"] for group in self._admin.get("/apis")["groups"]}.intersection(self._groups)
