"""Questions to the Prometheus of a cluster from outside of it: its API server passes them on to the Service."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from periplus_spoke.collectors.passed_on import passed_on
from periplus_spoke.collectors.prometheus_client import parameters, read_aside
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource
from periplus_spoke.conversion.prometheus.answers import Vector
from periplus_spoke.kube.client import KubeClient

_MOST_ASKED: Final = 4
"""Of those that are found, the nearest."""


class PrometheusByApiServer:
    """Implements `Prometheis` over a client that stays the caller's to close."""

    def __init__(self, kube: KubeClient, sources: Callable[[], Sequence[Chosen]], answer_s: float) -> None:
        self._kube = kube
        self._sources = sources
        self._answer_s = answer_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to end."""

    def urls(self) -> tuple[str, ...]:
        """Paths below the API server, of what is found now."""
        found = (each.source for each in self._sources() if each.source.kind == "prometheus")
        return tuple(_path(source) for source in found if source.state == "found")[:_MOST_ASKED]

    async def ask(self, url: str, query: str, at_s: int) -> Vector:
        """The answer of the Prometheus behind that path, as of that time. Raises AnswerError."""
        _, _, _, _, namespace, _, name, *_ = url.split("/")
        right = f"'get' on services/proxy of the name {name} in the namespace {namespace}"
        params = parameters(query, at_s, self._answer_s)
        body = await passed_on(self._kube, f"{url}/api/v1/query", params, right=right)
        return await read_aside(url, body)


def _path(source: FlowSource) -> str:
    scheme = "https:" if source.is_tls else "http:"
    return f"/api/v1/namespaces/{source.namespace}/services/{scheme}{source.service}:{source.port}/proxy{source.path}"
