"""Where a gRPC server is, and how it is told apart from others."""

import ssl
from pathlib import Path
from typing import NamedTuple


class Tls(NamedTuple):
    """How to encrypt. Files are read when a connection is made, so that renewed ones are taken."""

    ca: Path | None = None
    """Who may have signed the server's certificate; None for what this machine trusts."""
    server_name: str = ""
    """The name in the server's certificate, where that is not its host."""
    certificate: Path | None = None
    key: Path | None = None
    """The client's own, where the server asks for one."""

    def context(self) -> ssl.SSLContext:
        """Raises OSError (of which ssl.SSLError is one) for files that cannot be used."""
        made = ssl.create_default_context(cafile=self.ca)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_alpn_protocols(["h2"])
        if self.certificate is not None:
            made.load_cert_chain(self.certificate, self.key)
        return made


class Address(NamedTuple):
    """A server."""

    host: str
    port: int
    tls: Tls | None = None
    """None for plain text."""

    @property
    def authority(self) -> str:
        """As requests name it."""
        name = self.tls.server_name if self.tls and self.tls.server_name else self.host
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"
