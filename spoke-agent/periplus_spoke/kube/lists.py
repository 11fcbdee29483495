"""Pages of a list, decoded as they arrive: only one page of JSON is ever in memory."""

from collections.abc import AsyncIterator
from typing import Final, Generic, TypeVar

import msgspec

from periplus_spoke.kube.client import METADATA_LIST, KubeClient
from periplus_spoke.kube.problems import from_exception
from periplus_spoke.kube.session import JSON

PAGE_SIZE: Final = 500

T = TypeVar("T")


class Resource(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Something the API server lists."""

    source: str
    """The name of its row in the table `sources`: `pods`, `networking.k8s.io/servicecidrs`."""
    group: str
    plural: str
    version: str
    type: type[T]
    metadata_only: bool = False
    """Ask for PartialObjectMetadata: the server leaves out spec and status."""

    @property
    def path(self) -> str:
        """The cluster-wide collection."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/{self.plural}"


class ListMeta(msgspec.Struct, rename="camel"):
    """metav1.ListMeta."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")
    remaining_item_count: int | None = None


class _Typed(msgspec.Struct, Generic[T]):
    metadata: ListMeta
    items: list[T] | None = None


class _Uid(msgspec.Struct):
    uid: str = ""


class _Identified(msgspec.Struct):
    metadata: _Uid = msgspec.field(default_factory=_Uid)


def uid_of(body: bytes | msgspec.Raw) -> str:
    """The uid of an object whose shape is otherwise unknown; empty when not even that is where it should be."""
    try:
        return msgspec.json.decode(body, type=_Identified).metadata.uid
    except msgspec.ValidationError:
        return ""


class Page(msgspec.Struct, Generic[T]):
    """Some objects of a list. `misfits` are objects of a shape we cannot read, as (message, uid or nothing)."""

    items: list[T]
    metadata: ListMeta
    misfits: list[tuple[str, str]]


class PageDecoder(Generic[T]):
    """Decodes pages of `type`; one bad object costs only itself."""

    def __init__(self, kind: type[T]) -> None:
        self._whole = msgspec.json.Decoder(_Typed[kind])  # type: ignore[valid-type] # a type made at run time
        self._raw = msgspec.json.Decoder(_Typed[msgspec.Raw])
        self._one = msgspec.json.Decoder(kind)

    def page(self, body: bytes) -> Page[T]:
        """Raises MsgspecError when `body` is not a list at all."""
        try:
            typed = self._whole.decode(body)
        except msgspec.ValidationError:
            return self._one_by_one(body)
        return Page(typed.items or [], typed.metadata, [])

    def one(self, body: bytes | msgspec.Raw) -> T:
        """A single object."""
        return self._one.decode(body)

    def _one_by_one(self, body: bytes) -> Page[T]:
        raw = self._raw.decode(body)
        page: Page[T] = Page([], raw.metadata, [])
        for item in raw.items or ():
            try:
                page.items.append(self._one.decode(item))
            except msgspec.ValidationError as error:
                page.misfits.append((str(error), uid_of(item)))
        return page


async def pages(
    client: KubeClient, resource: Resource[T], decoder: PageDecoder[T], limit: int = PAGE_SIZE
) -> AsyncIterator[Page[T]]:
    """Every page; all share one resourceVersion. Raises KubeProblem, `gone` when the list aged while being read."""
    accept = METADATA_LIST if resource.metadata_only else JSON
    token = ""
    while True:
        params = {"limit": str(limit)} | ({"continue": token} if token else {})
        body = await client.get(resource.path, params, accept=accept)
        try:
            page = decoder.page(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise from_exception(error, f"list {resource.source}") from error
        del body
        yield page
        token = page.metadata.continue_
        if not token:
            return
