"""What an API server is and serves: version, groups, kinds, single objects."""

from typing import Final, TypeVar

import msgspec

from periplus_spoke.kube.client import JSON, METADATA_LIST, KubeClient, Params
from periplus_spoke.kube.lists import ListMeta
from periplus_spoke.kube.problems import KubeProblem, from_exception

T = TypeVar("T")


class ServerVersion(msgspec.Struct, rename="camel"):
    """version.Info."""

    git_version: str = ""
    platform: str = ""


class _GroupVersion(msgspec.Struct):
    version: str = ""


class _Group(msgspec.Struct):
    name: str
    versions: list[_GroupVersion] | None = None


class _Groups(msgspec.Struct):
    groups: list[_Group] | None = None


class _Kind(msgspec.Struct):
    name: str
    verbs: list[str] | None = None


class _Kinds(msgspec.Struct):
    resources: list[_Kind] | None = None


class _Counted(msgspec.Struct):
    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


Groups = dict[str, tuple[str, ...]]
"""API group to its served versions, the preferred first."""
_NOT_SERVED: Final = "not_found"


async def read(client: KubeClient, path: str, kind: type[T], params: Params | None = None, accept: str = JSON) -> T:
    """GET `path` as `kind`. Raises KubeProblem, also for an answer of another shape."""
    body = await client.get(path, params, accept=accept)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise from_exception(error, f"GET {path}") from error


async def server_version(client: KubeClient) -> ServerVersion:
    """GET /version."""
    return await read(client, "/version", ServerVersion)


async def api_groups(client: KubeClient) -> Groups:
    """GET /apis."""
    answer = await read(client, "/apis", _Groups)
    return {group.name: tuple(item.version for item in group.versions or ()) for group in answer.groups or ()}


async def listable(client: KubeClient, group: str, version: str) -> frozenset[str]:
    """Plurals of `group/version` that can be listed; empty when it is not served."""
    try:
        answer = await read(client, f"/apis/{group}/{version}", _Kinds)
    except KubeProblem as problem:
        if problem.reason == _NOT_SERVED:
            return frozenset()
        raise
    return frozenset(item.name for item in answer.resources or () if "list" in (item.verbs or ()))


async def count(client: KubeClient, path: str) -> int:
    """How many objects a collection has, for the price of one: metadata only, and only the first."""
    answer = await read(client, path, _Counted, {"limit": "1"}, METADATA_LIST)
    return len(answer.items or ()) + (answer.metadata.remaining_item_count or 0)
