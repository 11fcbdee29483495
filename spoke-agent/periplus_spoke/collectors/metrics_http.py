"""Questions to servers of metrics that are trusted with nothing: answers are read in time, no further than a limit."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import aiohttp

from periplus_contract.tls_trouble import tls_trouble
from periplus_spoke.conversion.prometheus.answers import AnswerError
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kit.http import plain_session, trust

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of one answer."""
_CONNECT_S: Final = 10.0
_LONGEST_SECRET: Final = 64 * 1024


class Question(NamedTuple):
    """What is asked."""

    url: str
    params: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    server_name: str | None = None
    """Whose certificate is expected, where that is not the host of the URL."""


class MetricsHttp:
    """Use as an async context manager. Raises ConfigError when its authority cannot be read."""

    def __init__(self, config: SpokeConfig, answer_s: float) -> None:
        self._answer_s = answer_s
        self._tls = trust(config.prometheus_ca, "prometheus_ca", "Prometheus")
        self._headers = _secrets(config)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = plain_session(tls=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, question: Question, place: str) -> tuple[int, bytes]:
        """Status and body. Raises AnswerError, which names the place."""
        if self._session is None:
            msg = "the connection is closed"
            raise AnswerError(msg)
        try:
            async with self._session.get(
                question.url,
                params=question.params,
                headers={**question.headers, **await asyncio.to_thread(self._headers)},
                timeout=aiohttp.ClientTimeout(total=self._answer_s, sock_connect=_CONNECT_S),
                allow_redirects=False,
                server_hostname=question.server_name,
            ) as response:
                return response.status, await _whole(response)
        except TimeoutError:
            msg = f"{place} did not answer within {self._answer_s:.0f} s"
            raise AnswerError(msg) from None
        except aiohttp.ClientSSLError as error:
            msg = f"no TLS connection to {place} that can be trusted: {tls_trouble(error)[1]}"
            raise AnswerError(msg) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            msg = f"no answer from {place}: {error}"
            raise AnswerError(msg[:500]) from error


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MOST_BYTES:
            msg = f"the answer exceeds {MOST_BYTES} bytes"
            raise AnswerError(msg)
    return bytes(content)


def _secrets(config: SpokeConfig) -> Callable[[], Mapping[str, str]]:
    """Reads anew what proves who asks: tokens of Kubernetes are replaced while the agent runs. Raises OSError."""
    token, user = config.prometheus_token_file, config.prometheus_basic_auth_file

    def headers() -> Mapping[str, str]:
        if token is not None:
            return {"Authorization": f"Bearer {_secret(token)}"}
        if user is not None:
            return {"Authorization": f"Basic {base64.b64encode(_secret(user).encode()).decode()}"}
        return {}

    return headers


def _secret(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_LONGEST_SECRET).decode().strip()
