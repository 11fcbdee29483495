"""TCP through a SOCKS 5 proxy (RFC 1928, name and password RFC 1929), as `ssh -D` is one."""

import asyncio
import contextlib
import ipaddress
import socket
from asyncio import Transport
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from periplus_spoke.kube.proxy import Proxy, ProxyError

_VERSION: Final = 5
_CONNECT: Final = 1
_NO_LOGIN: Final = 0
_PASSWORD: Final = 2
_IPV4, _NAME, _IPV6 = 1, 3, 4
_KINDS: Final = {4: _IPV4, 6: _IPV6}
_MAX_TEXT_BYTES: Final = 255
_REPLIES: Final = {
    1: "it failed",
    2: "its rules forbid it",
    3: "it cannot reach the network",
    4: "it cannot reach or find the host",
    5: "nobody listens there",
    6: "it took too long",
    7: "it makes no connections",
    8: "it does not take this kind of address",
}


class _Unresolved(AbstractResolver):
    """Leaves names to the proxy: they may mean something only there."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


class SocksConnector(aiohttp.TCPConnector):
    """Every connection goes through `proxy`; what runs in it, TLS too, is aiohttp's business as ever."""

    def __init__(self, proxy: Proxy, **options: Any) -> None:
        super().__init__(resolver=_Unresolved(), use_dns_cache=False, **options)
        self._proxy = proxy

    async def _wrap_create_connection(self, *args: Any, **options: Any) -> tuple[Transport, ResponseHandler]:
        """What aiohttp calls when it has addresses, and no part of what it promises: tests fail when that changes."""
        # The name itself, as `_Unresolved` hands it on.
        host, port = options.pop("addr_infos")[0][4][:2]
        async with asyncio.timeout(options["timeout"].sock_connect):
            opened = await _opened(self._proxy, host, port)
        try:
            return await self._wrap_existing_connection(*args, sock=opened, **options)
        except BaseException:
            opened.close()
            raise


async def _opened(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A socket that the proxy has connected to `host` and `port`. Raises ProxyError, naming the proxy."""
    opened: socket.socket | None = None
    try:
        opened = await _dialled(proxy)
        await _log_in(opened, proxy)
        await _connect(opened, host, port)
    except BaseException as error:
        if opened is not None:
            opened.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            msg = f"the proxy {proxy.shown}: {error.strerror or error}"
            raise ProxyError(msg) from error
        raise
    return opened


async def _dialled(proxy: Proxy) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM):
        dialled = socket.socket(family, kind, protocol)
        with contextlib.ExitStack() as undo:
            undo.callback(dialled.close)
            # The loop's calls want a socket that never blocks.
            dialled.settimeout(0)
            try:
                await loop.sock_connect(dialled, address)
            except OSError as error:
                failure = error
                continue
            undo.pop_all()
            return dialled
    raise failure or OSError("its name has no address")


async def _log_in(opened: socket.socket, proxy: Proxy) -> None:
    ways = bytes([_NO_LOGIN, _PASSWORD] if proxy.name else [_NO_LOGIN])
    await _send(opened, bytes([_VERSION, len(ways)]) + ways)
    version, way = await _read(opened, 2)
    if version != _VERSION:
        raise OSError("what answers there speaks no SOCKS 5")
    if way not in ways:
        raise OSError("it wants another name and password than proxy-url holds, or any")
    if way == _PASSWORD:
        await _send(opened, b"\x01" + _counted(proxy.name) + _counted(proxy.password))
        if (await _read(opened, 2))[1] != 0:
            raise OSError("it does not take the name and password of proxy-url")


async def _connect(opened: socket.socket, host: str, port: int) -> None:
    await _send(opened, bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2, "big"))
    _, reply, _, kind = await _read(opened, 4)
    if reply != 0:
        raise OSError(f"it does not connect to {host}:{port}: {_REPLIES.get(reply, f'reply {reply}')}")
    # Where it connected from, which nobody needs, and the port.
    lengths = {_IPV4: 4, _IPV6: 16}
    length = lengths[kind] if kind in lengths else (await _read(opened, 1))[0]
    await _read(opened, length + 2)


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bytes([_NAME]) + _counted(host)
    return bytes([_KINDS[address.version]]) + address.packed


def _counted(text: str) -> bytes:
    content = text.encode()
    if len(content) > _MAX_TEXT_BYTES:
        raise OSError("SOCKS has no room for a name or password that long")
    return bytes([len(content)]) + content


async def _send(opened: socket.socket, content: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(opened, content)


async def _read(opened: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        chunk = await asyncio.get_running_loop().sock_recv(opened, length - len(content))
        if not chunk:
            raise OSError("it hung up instead of answering")
        content += chunk
    return content
