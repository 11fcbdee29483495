"""What a connection to an API server is made of: the library's loaders fill it in, `session` reads it.

It stands in for the library's own `Configuration`, which has these attributes and forty more, and whose import alone
costs 3 MiB (urllib3, for a method that nobody calls).
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

BEARER = "BearerToken"


def _content(path: str | None) -> tuple[str | None, bytes]:
    try:
        return path, hashlib.sha256(Path(path).read_bytes()).digest() if path else b""
    except OSError:
        return path, b""  # whoever loads it says what is wrong


class Configuration(msgspec.Struct, kw_only=True):
    """Attribute names are the library's, but for `acting_as`."""

    host: str = ""
    ssl_ca_cert: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl: bool = True
    tls_server_name: str | None = None
    proxy: str | None = None
    """The kubeconfig's; without it the environment may name one."""
    acting_as: tuple[tuple[str, str], ...] = ()
    """Headers of ours that go with every request: whom the API server takes us for."""
    api_key: dict[str, str] = {}
    refresh_api_key_hook: Callable[[Any], None] | None = None
    """Brings a token that rotates up to date; called before each request."""

    def authorization(self) -> str:
        """The header's value now; empty without a token."""
        if self.refresh_api_key_hook is not None:
            self.refresh_api_key_hook(self)
        return self.api_key.get(BEARER, "").strip()

    def identity(self) -> tuple[object, ...]:
        """Equal when open connections can be kept: a token goes with each request, all else with the connection.

        Certificates count by their content now: they are replaced in place, under the same path.
        """
        files = (self.ssl_ca_cert, self.cert_file, self.key_file)
        return (self.host, *map(_content, files), self.verify_ssl, self.tls_server_name, self.proxy)
