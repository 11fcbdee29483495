"""Pages of metrics in a cluster, read from outside of it: its API server passes the request on to each pod."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from periplus_spoke.collectors.exporter_client import TEXT_FORMAT, Exporter, read_aside
from periplus_spoke.collectors.passed_on import passed_on
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource, with_pages
from periplus_spoke.conversion.pods_behind import PodPort
from periplus_spoke.conversion.prometheus.answers import AnswerError
from periplus_spoke.conversion.prometheus.exposition import Reading
from periplus_spoke.conversion.prometheus.rule import FlowRule
from periplus_spoke.kube.client import KubeClient


class ExportersByApiServer:
    """Implements `Exporters` over a client that stays the caller's to close.

    They are the pods behind the Service of the source that is chosen; none where a Prometheus is found, which is asked
    instead (`prometheus_by_api_server`).
    """

    def __init__(
        self,
        kube: KubeClient,
        sources: Callable[[], Sequence[Chosen]],
        behind: Callable[[FlowSource], Sequence[PodPort]],
    ) -> None:
        self._kube = kube
        self._sources = sources
        self._behind = behind

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to end."""

    def has(self, rule: FlowRule) -> bool:
        """Of the source that is chosen."""
        source = with_pages(self._sources())
        return source is not None and source.kind == rule.name

    def urls(self) -> tuple[str, ...]:
        """The Service, as a person writes it."""
        source = with_pages(self._sources())
        return () if source is None else (source.where,)

    async def behind(self, url: str) -> list[Exporter]:
        """A path below the API server for each pod. Raises AnswerError."""
        source = with_pages(self._sources())
        pods = () if source is None else self._behind(source)
        if not pods:
            msg = f"no pod is behind {url}"
            raise AnswerError(msg)
        return [Exporter(_path(each), "") for each in pods]

    async def read(self, exporter: Exporter, metrics: list[str]) -> Reading:
        """Its page. Raises AnswerError."""
        _, _, _, _, namespace, *_ = exporter.url.split("/")
        right = f"'get' on pods/proxy in the namespace {namespace}"
        body = await passed_on(self._kube, exporter.url, right=right, accept=TEXT_FORMAT)
        return await read_aside(exporter, body, metrics)


def _path(at: PodPort) -> str:
    return f"/api/v1/namespaces/{at.namespace}/pods/http:{at.pod}:{at.port}/proxy/metrics"
