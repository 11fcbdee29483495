"""A small Kubernetes API server in this process: lists with pages, watches with bookmarks, and scripted trouble.

Objects are plain dicts, as JSON. `put` and `delete` move the resourceVersion and feed every watch. Trouble is a list of
`Trouble` per path; each is used up by the requests it hits.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from tests.support.web_apps import listening

Object = dict[str, Any]

DEFAULT_COLLECTIONS = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/services",
    "/api/v1/configmaps",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/batch/v1/jobs",
    "/apis/batch/v1/cronjobs",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/networking.k8s.io/v1/servicecidrs",
    "/apis/networking.k8s.io/v1/ipaddresses",
)


@dataclass
class Trouble:
    """What happens to the next `times` requests of a path instead of an answer."""

    status: int = 0
    """Answer with this HTTP status; 0 keeps the normal answer."""
    times: int = 1
    message: str = "scripted"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    """Never answer."""
    body: bytes | None = None
    """Answer 200 with exactly these bytes."""
    watch: bool | None = None
    """Only watches (True), only other requests (False), or both."""
    error_event: int = 0
    """A watch that starts with an ERROR event of this code."""

    def matches(self, *, watch: bool) -> bool:
        return self.times > 0 and self.watch in {None, watch}


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    accept: str
    token: str
    acting_as: list[tuple[str, str]]
    """Its headers Impersonate-…, in small letters."""

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"


class FakeKube:
    """Run it with `async with fake.serving() as url`."""

    def __init__(self, collections: Iterable[str] = DEFAULT_COLLECTIONS) -> None:
        self.collections: dict[str, dict[str, Object]] = {path: {} for path in collections}
        self.troubles: dict[str, list[Trouble]] = {}
        self.requests: list[Request] = []
        self.denied: set[tuple[str, str]] = set()
        """(verb, resource) that access reviews deny."""
        self.token = ""
        """When set, the only token that is accepted."""
        self.passed_on: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {}
        """Who answers what the API server passes on: the path up to `…/proxy`, and whoever is behind it."""
        self.git_version = "v1.33.1"
        self.extra_groups: dict[str, tuple[str, ...]] = {}
        self.version = 100
        self.compacted = 0
        """Watches from a resourceVersion below this one are told 410."""
        self._events: dict[str, list[tuple[int, bytes, bytes]]] = {}
        self._moved = asyncio.Condition()
        self._ended = 0
        self._asked = asyncio.Event()
        self.add_namespace("kube-system", "uid-kube-system")

    # ---------------------------------------------------------------------------------------------- objects

    def add_namespace(self, name: str, uid: str = "") -> Object:
        return self.put("/api/v1/namespaces", {"metadata": {"name": name, "uid": uid or f"uid-ns-{name}"}})

    def put(self, path: str, thing: Object) -> Object:
        """Create or replace; fills in uid and resourceVersion."""
        thing = copy.deepcopy(thing)
        meta = thing.setdefault("metadata", {})
        key = _key(meta)
        known = self.collections[path].get(key)
        meta.setdefault("uid", known["metadata"]["uid"] if known else f"uid-{path.rpartition('/')[2]}-{key}")
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        self.collections[path][key] = thing
        self._tell(path, "MODIFIED" if known else "ADDED", thing)
        return thing

    def delete(self, path: str, name: str, namespace: str = "") -> None:
        """Remove one object."""
        thing = self.collections[path].pop(_key({"name": name, "namespace": namespace}))
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self._tell(path, "DELETED", thing)

    def forget(self, path: str, name: str, namespace: str = "") -> None:
        """Remove one object so that no watch ever hears of it (as during a partition)."""
        del self.collections[path][_key({"name": name, "namespace": namespace})]
        self.version += 1

    def bookmark(self, path: str) -> None:
        """Send watches the present resourceVersion."""
        self._tell(path, "BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def trouble(self, path: str, trouble: Trouble) -> None:
        """Script trouble for a path (exactly as requested, without query)."""
        self.troubles.setdefault(path, []).append(trouble)

    async def end_watches(self) -> None:
        """End every open watch, as its timeout would; what has happened before is still sent."""
        self._ended += 1
        await self._notify()

    async def asked(self, condition: Callable[[Request], bool] = lambda _: True) -> None:
        """Return once a request that meets `condition` has come."""
        while not any(condition(request) for request in self.requests):
            self._asked.clear()
            await self._asked.wait()

    def _tell(self, path: str, kind: str, thing: Object) -> None:
        version = int(thing["metadata"]["resourceVersion"])
        meta = {"kind": "PartialObjectMetadata", "metadata": thing["metadata"]}
        whole, part = (json.dumps({"type": kind, "object": item}).encode() + b"\n" for item in (thing, meta))
        self._events.setdefault(path, []).append((version, whole, part))
        with suppress(RuntimeError):  # built before the loop runs: nobody watches yet
            asyncio.get_running_loop().create_task(self._notify())

    async def _notify(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    # ---------------------------------------------------------------------------------------------- serving

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a free port of loopback; yields the URL."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        async with listening(app, handler_cancellation=True) as (host, port):
            yield f"http://{host}:{port}"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        acting_as = [(name.lower(), value) for name, value in request.headers.items()]
        seen = Request(
            request.method,
            request.path,
            dict(request.query),
            request.headers.get("Accept", ""),
            token,
            [each for each in acting_as if each[0].startswith("impersonate-")],
        )
        self.requests.append(seen)
        self._asked.set()
        if self.token and token != self.token:
            return _status(401, "Unauthorized")
        trouble = self._next_trouble(seen)
        if trouble is not None:
            if trouble.hang:
                await asyncio.Event().wait()
            if trouble.body is not None:
                return web.Response(body=trouble.body, content_type="application/json")
            if trouble.status:
                return _status(trouble.status, trouble.message, trouble.headers)
        before, proxy, _ = seen.path.partition("/proxy/")
        if proxy and (behind := self.passed_on.get(f"{before}/proxy")) is not None:
            return await behind(request)
        if seen.is_watch:
            return await self._watch(request, seen, trouble)
        return self._answer(seen, await request.read())

    def _next_trouble(self, seen: Request) -> Trouble | None:
        for trouble in self.troubles.get(seen.path, []):
            if trouble.matches(watch=seen.is_watch):
                trouble.times -= 1
                return trouble
        return None

    def _answer(self, seen: Request, body: bytes) -> web.Response:
        if seen.method == "POST":
            return self._review(body)
        if seen.path == "/version":
            return web.json_response({"gitVersion": self.git_version, "platform": "linux/amd64"})
        if seen.path == "/apis":
            return web.json_response({"groups": self._groups()})
        if seen.path in self.collections:
            return self._list(seen)
        single = self._single(seen.path)
        if single is not None:
            return web.json_response(single)
        kinds = [path.rpartition("/")[2] for path in self.collections if path.rpartition("/")[0] == seen.path]
        if kinds:
            return web.json_response({"resources": [{"name": kind, "verbs": ["list", "watch"]} for kind in kinds]})
        return _status(404, "the server could not find the requested resource")

    def _groups(self) -> list[Object]:
        found: dict[str, list[str]] = {name: list(versions) for name, versions in self.extra_groups.items()}
        for path in self.collections:
            parts = path.split("/")
            if parts[1] == "apis" and parts[3] not in found.setdefault(parts[2], []):
                found[parts[2]].append(parts[3])
        return [{"name": name, "versions": [{"version": item} for item in items]} for name, items in found.items()]

    def _single(self, path: str) -> Object | None:
        parts = path.split("/")
        if "namespaces" in parts[:-2]:
            at = parts.index("namespaces")
            collection = "/".join([*parts[:at], parts[at + 2]])
            return self.collections.get(collection, {}).get(_key({"namespace": parts[at + 1], "name": parts[-1]}))
        collection, _, name = path.rpartition("/")
        return self.collections.get(collection, {}).get(_key({"name": name}))

    def _list(self, seen: Request) -> web.Response:
        keys = sorted(self.collections[seen.path])
        start = int(seen.query.get("continue", "0"))
        limit = int(seen.query.get("limit", "0")) or len(keys)
        items = [self.collections[seen.path][key] for key in keys[start : start + limit]]
        if "PartialObjectMetadataList" in seen.accept:
            items = [{"metadata": item["metadata"]} for item in items]
        meta: Object = {"resourceVersion": str(self.version)}
        if start + limit < len(keys):
            meta |= {"continue": str(start + limit), "remainingItemCount": len(keys) - start - limit}
        return web.json_response({"metadata": meta, "items": items})

    def _review(self, body: bytes) -> web.Response:
        wanted = json.loads(body)["spec"]["resourceAttributes"]
        allowed = (wanted["verb"], wanted["resource"]) not in self.denied
        return web.json_response({"status": {"allowed": allowed}}, status=201)

    async def _watch(self, request: web.Request, seen: Request, trouble: Trouble | None) -> web.StreamResponse:
        if seen.path not in self.collections:
            return _status(404, "not found")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        version = int(seen.query["resourceVersion"])
        code = trouble.error_event if trouble else 410 if version < self.compacted else 0
        if code:
            status = {"code": code, "message": "too old resource version"}
            await response.write(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
            return response
        ended = self._ended
        slim = "PartialObjectMetadata" in seen.accept
        while True:
            fresh = [event for event in self._events.get(seen.path, []) if event[0] > version]
            for event in fresh:
                await response.write(event[2] if slim else event[1])
                version = event[0]
            async with self._moved:
                if any(event[0] > version for event in self._events.get(seen.path, [])):
                    continue
                if self._ended != ended:
                    return response
                await self._moved.wait()


def _key(meta: Object) -> str:
    return f"{meta.get('namespace', '')}/{meta['name']}"


def _status(code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code, headers=headers)


def write_kubeconfig(path: Path, url: str, *, context: str = "fake", token: str = "") -> Path:
    """A kubeconfig with one context for a FakeKube."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": url}}],
        "users": [{"name": context, "user": {"token": token} if token else {}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path
