"""What an API server is and serves: version, groups, kinds, single objects."""

from typing import Final, NamedTuple, TypeVar

import msgspec

from periplus_contract.messages import MAX_FACT_CHARS, is_fact
from periplus_contract.text import visible
from periplus_spoke.kube.client import KubeClient, Params
from periplus_spoke.kube.lists import Page, PageDecoder
from periplus_spoke.kube.problems import KubeProblem, from_exception
from periplus_spoke.kube.session import JSON

T = TypeVar("T")


class _Version(msgspec.Struct, rename="camel"):
    """version.Info."""

    git_version: str = ""
    platform: str = ""


class ServerVersion(NamedTuple):
    """What an API server says it is; empty is unknown."""

    git_version: str = ""
    platform: str = ""
    left_out: str = ""
    """What it says that is no version, in words for people; empty when all of it is."""


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


Groups = dict[str, tuple[str, ...]]
"""API group to its served versions, the preferred first."""
LEFT_OUT_REMEDY: Final = "Look at what answers as this cluster's API server."
_NOT_SERVED: Final = "not_found"
_SHOWN_CHARS: Final = 60
_NO_FACT: Final = f"is left out: it is not a text of at most {MAX_FACT_CHARS} printable characters"


async def read(client: KubeClient, path: str, kind: type[T], params: Params | None = None, accept: str = JSON) -> T:
    """GET `path` as `kind`. Raises KubeProblem, also for an answer of another shape."""
    body = await client.get(path, params, accept=accept)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise from_exception(error, f"GET {path}") from error


async def read_items(client: KubeClient, path: str, kind: type[T], params: Params | None = None) -> list[T]:
    """The objects of a list of one page. Raises KubeProblem; objects of another shape are left out."""
    return (await _page(client, path, kind, params)).items


async def _page(client: KubeClient, path: str, kind: type[T], params: Params | None) -> Page[T]:
    body = await client.get(path, params, accept=JSON)
    try:
        return PageDecoder(kind).page(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise from_exception(error, f"GET {path}") from error


async def server_version(client: KubeClient) -> ServerVersion:
    """GET /version. A text that no hub takes is left out."""
    told = await read(client, "/version", _Version)
    texts = {"gitVersion": told.git_version, "platform": told.platform}
    odd = [f"{name} '{visible(text[:_SHOWN_CHARS])}' {_NO_FACT}" for name, text in texts.items() if not is_fact(text)]
    git_version, platform = (text if is_fact(text) else "" for text in texts.values())
    return ServerVersion(git_version, platform, f"of the API server's version {'; '.join(odd)}" if odd else "")


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


async def first_page(client: KubeClient, path: str, kind: type[T], limit: int) -> tuple[list[T], int]:
    """The first objects of a collection, without those of another shape, and how many it has. Raises KubeProblem."""
    page = await _page(client, path, kind, {"limit": str(limit)})
    return page.items, len(page.items) + len(page.misfits) + (page.metadata.remaining_item_count or 0)
