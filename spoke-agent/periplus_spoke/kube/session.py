"""Open connections to one API server, made of a configuration: trust, client certificate, proxy.

Neither `.netrc` nor cookies nor redirections: who we are is in the configuration and nowhere else.
"""

import os
import ssl
from typing import Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from periplus_spoke.kube import proxy as proxies
from periplus_spoke.kube.connection import Configuration
from periplus_spoke.kube.problems import KubeProblem
from periplus_spoke.kube.proxy import Proxy
from periplus_spoke.kube.socks import SocksConnector

JSON: Final = "application/json"
_READ_BUFFER_BYTES: Final = 2 * 1024 * 1024
"""One event of a watch can be as large as etcd's largest object."""
_CONNECTIONS: Final = 100


class Request(msgspec.Struct, frozen=True):
    """One request; `path` begins below the server's address."""

    method: str
    path: str
    params: dict[str, str]
    accept: str
    body: bytes | None
    timeout: aiohttp.ClientTimeout

    @property
    def what(self) -> str:
        """For messages."""
        return f"{self.method} {self.path}"


class Session:
    """Build and close it on the loop that uses it."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises KubeProblem for a proxy of a kind that cannot be used, OSError for certificates that do not load."""
        self.proxy = proxy_of(configuration)
        self._server_name = configuration.tls_server_name or None
        socks = self.proxy is not None and self.proxy.is_socks
        self._http_proxy = self.proxy.url if self.proxy is not None and not socks else None
        tls = _tls(configuration)
        self._session = aiohttp.ClientSession(
            connector=SocksConnector(self.proxy, limit=_CONNECTIONS, ssl=tls)
            if self.proxy is not None and socks
            else aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            read_bufsize=_READ_BUFFER_BYTES,
        )

    async def ask(self, configuration: Configuration, authorization: str, request: Request) -> aiohttp.ClientResponse:
        """The answer, its body unread. Raises whatever aiohttp does."""
        headers = [("Accept", request.accept), ("User-Agent", "periplus-spoke"), *configuration.acting_as]
        if authorization:
            headers.append(("Authorization", authorization))
        if request.body is not None:
            headers.append(("Content-Type", JSON))
        query = f"?{urlencode(request.params)}" if request.params else ""
        return await self._session.request(
            request.method,
            f"{configuration.host}{request.path}{query}",
            headers=headers,
            data=request.body,
            timeout=request.timeout,
            proxy=self._http_proxy,
            server_hostname=self._server_name,
            allow_redirects=False,
        )

    async def close(self) -> None:
        """Drop all connections."""
        await self._session.close()


def proxy_of(configuration: Configuration) -> Proxy | None:
    """Through which proxy this API server is asked. Raises KubeProblem."""
    if configuration.proxy:
        return proxies.parse(configuration.proxy)  # held against the kinds there are when the kubeconfig was read
    variable, url = proxies.of_environment(configuration.host, os.environ)
    try:
        return proxies.parse(url) if variable else None
    except ValueError as error:
        remedy = f"Set {variable} to a proxy of another kind, or name this API server in NO_PROXY."
        raise KubeProblem("bad_kubeconfig", f"{variable} {error}", remedy) from error


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # As lenient as client-go: many cluster CAs lack the extensions that this flag asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
