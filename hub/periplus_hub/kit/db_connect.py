"""Connecting to whichever of the URL's hosts can be used.

The driver tries hosts one after the other in one common time, so the first that hangs, as a machine does that died,
hides all others. Here each has its share of the time, and the one that was right last is asked first.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Refusal

CONNECT_S: Final = 10.0
_FILES: Final = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl"})


class Connector:
    """New connections to the database of a URL."""

    def __init__(self, dsn: str, timeout_s: float = CONNECT_S) -> None:
        _refuse_unreadable_files(dsn)
        self._hosts = one_host_each(dsn)
        self._timeout_s = timeout_s

    async def connect(
        self, settings: Mapping[str, str] | None = None, command_timeout_s: float | None = None
    ) -> "asyncpg.Connection[asyncpg.Record]":
        """Raises what the driver said of the last host that was tried."""
        hosts = tuple(self._hosts)
        timeout_s = self._timeout_s / len(hosts)
        for host in hosts:
            try:
                connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                    host, server_settings=dict(settings or {}), timeout=timeout_s, command_timeout=command_timeout_s
                )
            except DATABASE_ERRORS:
                if host == hosts[-1]:
                    raise
            else:
                # A failover is met once: all who connect after it begin with the host that answered.
                self._hosts.remove(host)
                self._hosts.insert(0, host)
                return connection
        raise AssertionError("unreachable: a URL has at least one host")


def _refuse_unreadable_files(dsn: str) -> None:
    """The driver would only say that there is no such file, as of a server's socket that is not there."""
    for name, value in parse_qsl(urlsplit(dsn).query):
        try:
            if name in _FILES:
                Path(value).read_bytes()
        except OSError as error:
            raise Refusal(
                f"{name}={value} in the database's URL cannot be read: {error.strerror}",
                "Correct the path in the URL, or the file's permissions.",
                slug="database-url-file",
            ) from error


def one_host_each(dsn: str) -> list[str]:
    """The URL once for each of its hosts, whether they stand before the path or in `host=`."""
    parts = urlsplit(dsn)
    login, at, places = parts.netloc.rpartition("@")
    if places:
        return [parts._replace(netloc=f"{login}{at}{place}").geturl() for place in places.split(",")]
    query = dict(parse_qsl(parts.query))
    hosts, ports = query.get("host", "").split(","), query.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(hosts) == 1 or len(ports) != len(hosts):  # with the latter the driver says what is wrong
        return [dsn]
    pairs = [{"host": host, "port": port} if port else {"host": host} for host, port in zip(hosts, ports, strict=True)]
    return [parts._replace(query=urlencode(query | pair)).geturl() for pair in pairs]
