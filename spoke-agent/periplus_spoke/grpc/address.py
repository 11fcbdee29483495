"""Where a gRPC server is, and how it is told apart from others."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
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
        """Raises OSError, which names them, for files that cannot be used."""
        with _naming(self.ca):
            made = ssl.create_default_context(cafile=self.ca)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_alpn_protocols(["h2"])
        if self.certificate is not None:
            with _naming(self.certificate, self.key):
                made.load_cert_chain(self.certificate, self.key)
        return made


@contextmanager
def _naming(*files: Path | None) -> Iterator[None]:
    """Errors of OpenSSL and of the system do not say of which file they are."""
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        names = ", ".join(str(each) for each in files if each is not None)
        msg = f"{names}: {error.strerror or error}"
        raise OSError(msg) from error


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
