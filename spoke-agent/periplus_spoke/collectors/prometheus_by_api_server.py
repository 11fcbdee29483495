"""Questions to the Prometheus of a cluster from outside of it: its API server passes them on to the Service.

Nothing but `get` is asked, and the API server decides whether it may be. What is passed on carries no credentials.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from periplus_spoke.collectors.metrics_http import MOST_BYTES
from periplus_spoke.collectors.prometheus_client import parameters, read_aside
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource
from periplus_spoke.conversion.prometheus.answers import AnswerError, Vector
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import KubeProblem

_MOST_ASKED: Final = 4
"""Of those that are found, the nearest."""
_UNKNOWN_TO_IT: Final = frozenset(("unauthorized", "expired_token"))


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
        try:
            body = await self._kube.get(
                f"{url}/api/v1/query", parameters(query, at_s, self._answer_s), max_bytes=MOST_BYTES
            )
        except KubeProblem as problem:
            raise AnswerError(_refused(url, problem)) from problem
        return await read_aside(url, body)


def _path(source: FlowSource) -> str:
    scheme = "https:" if source.is_tls else "http:"
    return f"/api/v1/namespaces/{source.namespace}/services/{scheme}{source.service}:{source.port}/proxy{source.path}"


def _refused(url: str, problem: KubeProblem) -> str:
    """Whether the API server refused, or what is behind it, shows in the message alone."""
    _, _, _, _, namespace, _, name, *_ = url.split("/")
    if problem.reason == "forbidden":
        return (
            f"{problem.message}. It takes the right 'get' on services/proxy of the name {name} in the namespace "
            f"{namespace}"
        )
    if problem.reason in _UNKNOWN_TO_IT:
        return f"{problem.message}. A Prometheus that wants to know who asks cannot be asked through an API server"
    return problem.message
