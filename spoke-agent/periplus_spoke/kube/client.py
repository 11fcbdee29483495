"""One API server: requests within a budget and a deadline, credentials renewed on 401, answers as bytes."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec
from kubernetes_asyncio.config.config_exception import ConfigException

from periplus_spoke.kit.clock import Timer
from periplus_spoke.kube.connection import Configuration
from periplus_spoke.kube.credentials import Credentials, ca_bytes
from periplus_spoke.kube.pace import Pace
from periplus_spoke.kube.problems import KubeProblem, decode_status, from_exception, from_status
from periplus_spoke.kube.session import JSON, Request, Session

METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
METADATA_WATCH: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

Params = Mapping[str, str]
_UNAUTHORIZED: Final = frozenset(("unauthorized", "expired_token"))
_TLS_RELOAD_US: Final = 60_000_000
_OK: Final = range(200, 300)
_LEADS_ELSEWHERE: Final = frozenset((301, 302, 303, 307, 308))
_NOT_AN_API_SERVER: Final = (
    "Name the API server itself as the server of this context: what answers there is a login page or a proxy."
)
_FAILURES: Final = (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError)


class KubeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one client."""

    request_timeout_s: float = 30.0
    connect_timeout_s: float = 10.0
    requests_per_s: float = 5.0
    burst: int = 40
    """Enough for the first page and watch of every kind; after that the rate holds."""
    max_answer_bytes: int = 256 * 1024 * 1024
    max_line_bytes: int = 16 * 1024 * 1024
    watch_quiet_s: float = 150.0
    """A watch on which bookmarks come, one a minute, is dead after this long without a word."""


def _shown(server: str) -> str:
    """A server's address without the name and password that one may hold."""
    scheme, separator, address = server.partition("://")
    return f"{scheme}{separator}{address.rpartition('@')[2]}"


async def _within(seconds: float, chunk: Coroutine[None, None, bytes]) -> bytes:
    async with asyncio.timeout(seconds):
        return await chunk


class KubeClient:
    """Built inert; connects at the first request. Close it on the loop that used it."""

    def __init__(self, credentials: Credentials, timer: Timer, settings: KubeSettings | None = None) -> None:
        self.settings = settings or KubeSettings()
        self._credentials = credentials
        self._timer = timer
        self._pace = Pace(timer, per_s=self.settings.requests_per_s, burst=self.settings.burst)
        self._lock = asyncio.Lock()
        self._configuration: Configuration | None = None
        self._session: Session | None = None
        self._retired: list[Session] = []
        self._made_of: tuple[object, ...] = ()
        self._generation = 0
        self._next_tls_reload_us = 0

    @property
    def label(self) -> str:
        """What people call this cluster: the kubeconfig's context, or nothing."""
        return self._credentials.label

    async def ca_sha256(self) -> str:
        """Lower-case hex over the cluster's CA certificate (DER), or nothing when it has none of its own."""
        await self._ready()
        der = ca_bytes(self._configuration) if self._configuration else b""
        return hashlib.sha256(der).hexdigest() if der else ""

    async def way_sha256(self, vantage: str) -> str:
        """Lower-case hex; equal for clients that reach one API server from one place, which `vantage` names."""
        await self._ready()
        found = self._configuration or Configuration()
        parts = (vantage, found.host, found.proxy or "", found.tls_server_name or "", ca_bytes(found).hex())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    async def get(
        self, path: str, params: Params | None = None, *, accept: str = JSON, max_bytes: int | None = None
    ) -> bytes:
        """The body of a 2xx answer, of so many bytes at most. Raises KubeProblem."""
        return await self._whole(Request("GET", path, dict(params or {}), accept, None, self._patience()), max_bytes)

    async def post(self, path: str, document: object) -> bytes:
        """Create `document` (used for access reviews, which store nothing). Raises KubeProblem."""
        return await self._whole(Request("POST", path, {}, JSON, msgspec.json.encode(document), self._patience()))

    async def lines(
        self, path: str, params: Params, *, accept: str = JSON, quiet_s: Callable[[], float]
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a streamed answer, without their ends; `quiet_s` of silence is a timeout problem.

        It is asked before each wait: what was heard so far may say how long silence can last.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=self.settings.connect_timeout_s, sock_read=quiet_s())
        async with self._answer(Request("GET", path, dict(params), accept, None, timeout)) as response:
            tail = bytearray()
            try:
                while chunk := await _within(quiet_s(), response.content.readany()):
                    tail += chunk
                    if b"\n" not in chunk:
                        self._bound(len(tail), self.settings.max_line_bytes, path)
                        continue
                    *whole, rest = tail.split(b"\n")
                    tail = bytearray(rest)
                    for line in whole:
                        if line:
                            yield bytes(line)
            except _FAILURES as error:
                raise from_exception(error, f"watch {path}") from error

    async def close(self) -> None:
        """Drop all connections."""
        for session in [*self._retired, *([self._session] if self._session else [])]:
            await session.close()
        self._retired, self._session = [], None

    def _patience(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=self.settings.request_timeout_s, sock_connect=self.settings.connect_timeout_s
        )

    async def _whole(self, request: Request, max_bytes: int | None = None) -> bytes:
        async with self._answer(request) as response:
            try:
                return await self._read(response, request.path, max_bytes or self.settings.max_answer_bytes)
            except _FAILURES as error:
                raise from_exception(error, request.what) from error

    async def _read(self, response: aiohttp.ClientResponse, path: str, max_bytes: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            self._bound(size, max_bytes, path)
        return b"".join(chunks)

    @staticmethod
    def _bound(size: int, bound: int, path: str) -> None:
        if size > bound:
            raise KubeProblem("server_error", f"GET {path}: more than {bound} bytes in one answer")

    @asynccontextmanager
    async def _answer(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """A 2xx answer, its body unread; a 401, or a broken trust, renews the credentials and asks once more."""
        # Once more and no further: a server that refuses fresh credentials too means it.
        for last in (False, True):
            generation = await self._ready()
            try:
                response = await self._send(request)
            except KubeProblem as failure:
                if last or failure.reason != "tls" or not self._may_reload():
                    raise
                await self._renew(generation)
                continue
            try:
                problem = await self._refusal(response, request.what)
                if problem is None:
                    yield response
                    return
            finally:
                response.close()
            if problem.reason not in _UNAUTHORIZED or last:
                raise problem
            await self._renew(generation)

    def _may_reload(self) -> bool:
        """Whether the certificates may be read again now: their authority may have been replaced."""
        now_us = self._timer.monotonic_us()
        if now_us < self._next_tls_reload_us:
            return False
        self._next_tls_reload_us = now_us + _TLS_RELOAD_US
        return True

    @staticmethod
    def _authorization(configuration: Configuration) -> str:
        try:
            return configuration.authorization()
        except (ConfigException, OSError, ValueError) as error:
            raise KubeProblem(
                "unauthorized",
                f"the token cannot be read now: {error}",
                "Check the token file that these credentials name.",
            ) from error

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        session, configuration = self._session, self._configuration
        if session is None or configuration is None:
            raise KubeProblem("unreachable", f"{request.what}: the client is closed")
        await self._pace.turn()
        authorization = self._authorization(configuration)
        try:
            response = await session.ask(configuration, authorization, request)
        except _FAILURES as error:
            what = f"{request.method} {_shown(configuration.host)}{request.path}"
            raise from_exception(error, what, session.proxy) from error
        if response.status in _LEADS_ELSEWHERE:
            # Not followed: nothing from there is of this cluster, and the credentials are not for it.
            response.close()
            what = f"{request.what}: the answer leads elsewhere (HTTP {response.status})"
            raise KubeProblem("server_error", what, _NOT_AN_API_SERVER)
        return response

    async def _refusal(self, response: aiohttp.ClientResponse, what: str) -> KubeProblem | None:
        if response.status in _OK:
            return None
        try:
            body = await response.content.read(64 * 1024)
        except _FAILURES as error:
            return from_exception(error, what)
        return from_status(response.status, decode_status(body), what, response.headers.get("Retry-After"))

    async def _ready(self) -> int:
        """Load the credentials if nobody has; the generation they belong to."""
        if self._session is None:
            await self._renew(0)
        return self._generation

    async def _renew(self, seen: int) -> None:
        """Load the credentials again, unless that has happened since generation `seen`."""
        async with self._lock:
            # Many requests meet the same 401 at once: the first renews, and the others find another generation.
            if self._generation != seen:
                return
            fresh = await self._credentials.load()
            made_of = fresh.identity()
            # A new token goes into the next request's head. Connections are made anew only for what TLS is made of, as
            # every watch would break with them.
            if self._session is None or made_of != self._made_of:
                try:
                    session = Session(fresh)
                except (OSError, ValueError) as error:
                    raise KubeProblem("tls", f"the certificates of this context do not load: {error}") from error
                await self._retire()
                self._session, self._made_of = session, made_of
            self._configuration = fresh
            self._generation += 1

    async def _retire(self) -> None:
        """Set the present connections aside: their watches may end by themselves. Those before them are closed."""
        for session in self._retired:
            await session.close()
        self._retired = [self._session] if self._session is not None else []
