"""Questions to a Prometheus, which is trusted with nothing."""

import asyncio
from types import TracebackType
from typing import Final, Self

from periplus_spoke.collectors.metrics_http import MetricsHttp, Question
from periplus_spoke.conversion.prometheus.answers import AnswerError, Vector, read
from periplus_spoke.kit.config import SpokeConfig

_OK: Final = 200
_WITH_A_REASON: Final = frozenset((400, 422, 503))
"""With these, Prometheus answers a document that says what is wrong."""
_STATUSES: Final = {
    401: "it wants to know who asks: give prometheus_token_file or prometheus_basic_auth_file",
    403: "who asks may not ask it: look at the rights of the token or user",
    404: "its API is not there: give prometheus_urls the path before /api/v1, too",
}


class PrometheusClient:
    """Use as an async context manager. Raises ConfigError when its authority cannot be read."""

    def __init__(self, config: SpokeConfig, answer_s: float) -> None:
        self._answer_s = answer_s
        self._urls = config.prometheus_urls
        self._http = MetricsHttp(config, answer_s)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    def urls(self) -> tuple[str, ...]:
        """As they are configured."""
        return self._urls

    async def ask(self, url: str, query: str, at_s: int) -> Vector:
        """The answer of the Prometheus at `url`, as of that time. Raises AnswerError."""
        params = parameters(query, at_s, self._answer_s)
        status, body = await self._http.get(Question(f"{url}/api/v1/query", params), url)
        if status != _OK and status not in _WITH_A_REASON:
            why = _STATUSES.get(status, "it cannot answer")
            msg = f"{url} answers with status {status}: {why}"
            raise AnswerError(msg)
        return await read_aside(url, body)


def parameters(query: str, at_s: int, answer_s: float) -> dict[str, str]:
    """Of a question that may take so long. Thanos leaves out replicas by the last."""
    return {"query": query, "time": str(at_s), "timeout": f"{answer_s:.0f}s", "dedup": "true"}


async def read_aside(url: str, body: bytes) -> Vector:
    """What the Prometheus at `url` answered, read in a thread: large answers hold up nobody. Raises AnswerError."""
    try:
        return await asyncio.to_thread(read, body)
    except AnswerError as error:
        msg = f"{url}: {error}"
        raise AnswerError(msg) from None
