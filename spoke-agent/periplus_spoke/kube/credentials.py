"""Who we are to an API server: the protocol, and a pod's ServiceAccount. Kubeconfigs are in `kubeconfig`."""

import base64
from pathlib import Path
from typing import Any, Protocol, cast

from kubernetes_asyncio.config.config_exception import ConfigException
from kubernetes_asyncio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from periplus_spoke.kube.connection import Configuration
from periplus_spoke.kube.problems import KubeProblem


class Credentials(Protocol):
    """A source of configurations; `load` is called again whenever the API server answers 401."""

    @property
    def label(self) -> str:
        """What people call this cluster: the context, or nothing."""

    async def load(self) -> Configuration:
        """Read everything afresh. Raises KubeProblem."""


class InClusterCredentials:
    """A pod's ServiceAccount: the token file is read again at least every minute, as it rotates."""

    label = ""

    def __init__(self, token_file: str = SERVICE_TOKEN_FILENAME, ca_file: str = SERVICE_CERT_FILENAME) -> None:
        self._token_file = token_file
        self._ca_file = ca_file

    async def load(self) -> Configuration:
        """Read the mounted files and the service environment."""
        configuration = Configuration()
        try:
            InClusterConfigLoader(self._token_file, self._ca_file).load_and_set(cast("Any", configuration))
        except (ConfigException, OSError) as error:
            raise KubeProblem(
                "bad_kubeconfig",
                f"not usable as a pod's credentials: {error}",
                "Run the spoke in a pod with a ServiceAccount, or name a kubeconfig with --kubeconfig.",
            ) from error
        return configuration


def ca_bytes(configuration: Configuration) -> bytes:
    """The first certificate of the cluster's CA in DER form; empty when the system's own CAs are used."""
    path = configuration.ssl_ca_cert
    if not path:
        return b""
    text = Path(path).read_text(errors="replace")
    body = text.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END CERTIFICATE-----")[0]
    try:
        return base64.b64decode("".join(body.split()))
    except ValueError:
        return b""
