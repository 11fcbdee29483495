"""Reads pages of metrics: each address behind a URL is an exporter of its own."""

import asyncio
import socket
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from periplus_spoke.collectors.metrics_http import MetricsHttp, Question
from periplus_spoke.conversion.prometheus.answers import AnswerError
from periplus_spoke.conversion.prometheus.exposition import Reading, read_page
from periplus_spoke.conversion.prometheus.rule import FlowRule
from periplus_spoke.kit.config import SpokeConfig

MOST_EXPORTERS: Final = 1_000
_PORTS: Final = {"http": 80, "https": 443}
_OK: Final = 200
# Other formats write the same numbers differently, and say more than is looked for.
TEXT_FORMAT: Final = "text/plain;version=0.0.4"
_STATUSES: Final = {
    401: "it wants to know who asks: give prometheus_token_file or prometheus_basic_auth_file",
    403: "who asks may not read it: look at the rights of the token or user",
    404: "it has no such page: give exporter_urls the path, too",
}


class Exporter(NamedTuple):
    """One address behind a URL."""

    url: str
    address: str
    """With brackets, if it is one of IPv6; empty where the URL leads to one alone."""

    def __str__(self) -> str:
        """For a person."""
        is_said = not self.address or urlsplit(self.url).hostname == self.address.strip("[]")
        return self.url if is_said else f"{self.url} at {self.address}"


class ExporterClient:
    """Implements `Exporters`. Raises ConfigError when its authority cannot be read."""

    def __init__(self, config: SpokeConfig, answer_s: float) -> None:
        self._urls = config.exporter_urls
        self._http = MetricsHttp(config, answer_s)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    def has(self, rule: FlowRule) -> bool:
        """Which they have is seen when they are read."""
        del rule
        return True

    def urls(self) -> tuple[str, ...]:
        """As they are configured."""
        return self._urls

    async def behind(self, url: str) -> list[Exporter]:
        """The exporters that there are now: the Service of a DaemonSet without an address leads to each of its pods.

        One with addresses of both families is one exporter. Raises AnswerError.
        """
        parts = urlsplit(url)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
        except OSError as error:
            msg = f"nobody knows the address of {url}: {error}"
            raise AnswerError(msg[:500]) from None
        v4 = {str(each[4][0]) for each in found if each[0] is socket.AF_INET}
        v6 = {f"[{each[4][0]}]" for each in found if each[0] is socket.AF_INET6}
        return [Exporter(url, address) for address in sorted(v4 or v6)]

    async def read(self, exporter: Exporter, metrics: list[str]) -> Reading:
        """Its page. Raises AnswerError."""
        parts = urlsplit(exporter.url)
        at_address = parts._replace(netloc=f"{exporter.address}:{_port(parts)}").geturl()
        headers = {"Accept": TEXT_FORMAT, "Host": parts.netloc}
        server_name = parts.hostname if parts.scheme == "https" else None
        status, body = await self._http.get(Question(at_address, {}, headers, server_name), str(exporter))
        if status != _OK:
            why = _STATUSES.get(status, "it cannot answer")
            msg = f"{exporter} answers with status {status}: {why}"
            raise AnswerError(msg)
        return await read_aside(exporter, body, metrics)


async def read_aside(exporter: Exporter, body: bytes, metrics: list[str]) -> Reading:
    """What its page says, read in a thread: large pages hold up nobody. Raises AnswerError."""
    try:
        return await asyncio.to_thread(read_page, body, metrics)
    except AnswerError as error:
        msg = f"{exporter}: {error}"
        raise AnswerError(msg) from None


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
