"""A tiny client for the Kubernetes API: the second pair of eyes that checks Periplus.

It shares nothing with the spoke's client on purpose.
"""

from __future__ import annotations

import json
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, TypeAlias

from tests.cluster.rig import manifests

Json: TypeAlias = dict[str, Any]

_TIMEOUT_S = 30.0
_PAGE = 500
_FIELD_MANAGER = "periplus-test-rig"


class ApiError(RuntimeError):
    """The API server answered with an error; `status` is HTTP's, `reason` Kubernetes' own."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class ApiClient:
    """One user at one API server. Keeps no connection open, so it may be shared by threads."""

    def __init__(self, server: str, ca_file: Path, token: str | None) -> None:
        url = urllib.parse.urlsplit(server)
        self._host, self._port = url.hostname or "", url.port or 443
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._token = token
        self._plurals: dict[str, Json] = {}

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """One request; an answer of 400 and above raises `ApiError`."""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        payload = None if body is None else json.dumps(body)
        connection = HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=self._tls)
        try:
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _error(answer.status, text)
        parsed: Json = json.loads(text)
        return parsed

    def get(self, path: str) -> Json:
        """One object by its path, such as `/api/v1/nodes/a`."""
        return self.request("GET", path)

    def items(self, path: str, **parameters: str) -> Iterator[Json]:
        """All objects of a collection, page by page; `labelSelector=...` and the like narrow it."""
        query = parameters | {"limit": str(_PAGE)}
        while True:
            page = self.get(f"{path}?{urllib.parse.urlencode(query)}")
            yield from page["items"]
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    def collections(self) -> Iterator[str]:
        """The path of every collection this server can list, over all namespaces."""
        groups = [group["preferredVersion"]["groupVersion"] for group in self.get("/apis")["groups"]]
        for prefix in ("/api/v1", *(f"/apis/{group}" for group in groups)):
            for each in self.get(prefix)["resources"]:
                if "/" not in each["name"] and "list" in each["verbs"]:
                    yield f"{prefix}/{each['name']}"

    def create(self, manifest: Json) -> Json:
        """Creates any object, custom resources too: discovery tells its path."""
        return self.request("POST", self._collection(manifest), manifest)

    def apply(self, manifest: Json) -> Json:
        """Server-side apply, forced: creates or changes."""
        query = f"fieldManager={_FIELD_MANAGER}&force=true"
        path = f"{self.path_of(manifest)}?{query}"
        return self.request("PATCH", path, manifest, "application/apply-patch+yaml")

    def dry_run(self, manifest: Json) -> Json:
        """What `apply` would make of it; nothing is kept. A field that is not known or given twice is refused."""
        query = f"fieldManager={_FIELD_MANAGER}&force=true&dryRun=All&fieldValidation=Strict"
        return self.request("PATCH", f"{self.path_of(manifest)}?{query}", manifest, "application/apply-patch+yaml")

    def patch(self, path: str, change: Mapping[str, Any]) -> Json:
        """A JSON merge patch; add `/status` to the path to change what controllers report."""
        return self.request("PATCH", path, change, "application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Deletes one object at once, without grace; that it is gone already is fine."""
        options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        try:
            self.request("DELETE", path, options)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def path_of(self, manifest: Json) -> str:
        """The path of the object that a manifest describes."""
        return f"{self._collection(manifest)}/{manifest['metadata']['name']}"

    def _collection(self, manifest: Json) -> str:
        version, kind = manifest["apiVersion"], manifest["kind"]
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        resource = self._resource(prefix, kind)
        if not resource["namespaced"]:
            return f"{prefix}/{resource['name']}"
        namespace = manifest["metadata"].get("namespace", "default")
        return f"{prefix}/namespaces/{namespace}/{resource['name']}"

    def _resource(self, prefix: str, kind: str) -> Json:
        key = f"{prefix} {kind}"
        # A miss asks again: a CRD may have been installed since.
        if key not in self._plurals:
            for each in self.get(prefix)["resources"]:
                if "/" not in each["name"]:
                    self._plurals[f"{prefix} {each['kind']}"] = each
        if key not in self._plurals:
            raise ApiError(HTTPStatus.NOT_FOUND, "NotFound", f"{prefix} serves no {kind}")
        return self._plurals[key]

    def create_namespace(self, name: str) -> Json:
        """Creates a namespace, or returns the one that is there."""
        return self.apply(manifests.namespace(name))

    def create_node(self, spec: manifests.NodeSpec) -> Json:
        """Registers a node as its kubelet would; kwok makes it ready."""
        return self.create(manifests.node(spec))

    def create_deployment(self, spec: manifests.WorkloadSpec) -> Json:
        """Creates a Deployment of containers that are never really run."""
        return self.create(manifests.deployment(spec))

    def create_service(self, spec: manifests.WorkloadSpec) -> Json:
        """Creates the Service in front of a workload."""
        return self.create(manifests.service(spec))

    def grant(self, namespace: str, service_account: str, rules: Sequence[Json]) -> None:
        """Makes a ServiceAccount and lets it do exactly `rules`, in the whole cluster."""
        for manifest in manifests.granted(namespace, service_account, rules):
            self.apply(manifest)

    def token_for(
        self,
        namespace: str,
        service_account: str,
        *,
        audience: str | None = None,
        seconds: int = 3600,
    ) -> str:
        """A real ServiceAccount token through TokenRequest.

        Without an audience it is good for this API server, with one only for that audience. The
        API server refuses less than 600 seconds.
        """
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        spec: Json = {"expirationSeconds": seconds}
        if audience is not None:
            spec["audiences"] = [audience]
        answer = self.request("POST", path, {"spec": spec})
        return str(answer["status"]["token"])


def _error(status: int, text: str) -> ApiError:
    try:
        answer = json.loads(text)
    except ValueError:
        return ApiError(status, "", text)
    return ApiError(status, answer.get("reason", ""), answer.get("message", text))
