"""Where the API server is and who we are: from a kubeconfig context, or from inside a pod."""

import base64
import os
from pathlib import Path
from typing import Any, Final, Protocol

import yaml
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio.config.config_exception import ConfigException
from kubernetes_asyncio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes_asyncio.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger

from periplus_spoke.kube.plugin import run_plugin
from periplus_spoke.kube.problems import KubeProblem

_BEARER: Final = "BearerToken"


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
        configuration = _configuration()
        try:
            InClusterConfigLoader(self._token_file, self._ca_file).load_and_set(configuration)
        except (ConfigException, OSError) as error:
            raise KubeProblem(
                "bad_kubeconfig",
                f"not usable as a pod's credentials: {error}",
                "Run the spoke in a pod with a ServiceAccount, or name a kubeconfig with --kubeconfig.",
            ) from error
        return configuration


class KubeconfigCredentials:
    """One context of a kubeconfig: tokens, token files, client certificates, exec plugins, OIDC."""

    def __init__(self, path: str | None = None, context: str | None = None) -> None:
        self._path = path or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        self._context = context
        self.label = context or ""

    async def load(self) -> Configuration:
        """Read the files, and run the credential plugin when there is one."""
        merged = self._read()
        context = self._chosen(merged)
        configuration = _configuration()
        try:
            loader = _Loader(config_dict=merged.config, active_context=context, config_base_path=None)
            if loader.provider == "oidc":
                # A refreshed token may replace the refresh token itself; losing it would log the person out.
                loader.keep_changes(merged.save_changes)
            await loader.load_and_set(configuration)
        except KubeProblem:
            raise
        except (ConfigException, AssertionError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            # The library meets a malformed file with whatever its first wrong step raises.
            raise KubeProblem("bad_kubeconfig", f"context {context!r} of {self._path}: {error}") from error
        _strip_token(configuration)
        self.label = context
        return configuration

    def _read(self) -> KubeConfigMerger:
        separator = os.pathsep
        paths = [Path(part).expanduser() for part in self._path.split(separator) if part]
        if not any(path.is_file() for path in paths):
            raise KubeProblem(
                "bad_kubeconfig",
                f"there is no kubeconfig at {self._path}",
                "Name one with --kubeconfig or $KUBECONFIG.",
            )
        try:
            merged = KubeConfigMerger(separator.join(map(str, paths)))
        except (yaml.YAMLError, OSError, UnicodeDecodeError, AttributeError, TypeError, KeyError) as error:
            first = str(error).partition("\n")[0]
            raise KubeProblem("bad_kubeconfig", f"{self._path} is not a kubeconfig: {first}") from error
        return merged

    def _chosen(self, merged: KubeConfigMerger) -> str:
        names = _context_names(merged)
        context = self._context or (merged.config.value.get("current-context") if merged.config else "") or ""
        if context not in names:
            asked = f"no context {context!r}" if context else "no current context"
            raise KubeProblem("no_such_context", f"{asked} in {self._path}; it has {', '.join(names) or 'none'}")
        return str(context)


def kubeconfig_contexts(path: str | None = None) -> list[str]:
    """Names of all contexts, in file order. Raises KubeProblem bad_kubeconfig."""
    return _context_names(KubeconfigCredentials(path)._read())  # noqa: SLF001 - same module, same file


def _context_names(merged: KubeConfigMerger) -> list[str]:
    contexts = merged.config.value.get("contexts") if merged.config else None
    items = [_value(item) for item in contexts or ()]
    return [str(item["name"]) for item in items if isinstance(item, dict) and "name" in item]


class _Loader(KubeConfigLoader):
    """The library's loader with our own way to run plugins."""

    cert_file: str | None
    key_file: str | None

    def keep_changes(self, save: Any) -> None:  # noqa: ANN401 - a callback of the untyped library
        self._config_persister = save

    async def load_from_exec_plugin(self) -> bool:
        user, cluster = _value(self._user), _value(self._cluster)
        credential = await run_plugin(_value(user["exec"]), cluster)
        if credential.token:
            self.token = f"Bearer {credential.token}"
        if credential.client_certificate_data and credential.client_key_data:
            self.cert_file = _file(credential.client_certificate_data)
            self.key_file = _file(credential.client_key_data)
        return True


def _file(content: str) -> str | None:
    path: str | None = FileOrData({"data": content}, "file", "data", base64_file_content=False).as_file()
    return path


def _value(node: Any) -> Any:  # noqa: ANN401 - ConfigNode or what it wraps
    return getattr(node, "value", node)


def _configuration() -> Configuration:
    configuration = Configuration()
    # As lenient as client-go: many cluster CAs lack the extensions that VERIFY_X509_STRICT asks for.
    configuration.disable_strict_ssl_verification = True
    return configuration


def _strip_token(configuration: Configuration) -> None:
    token = configuration.api_key.get(_BEARER)
    if token:
        configuration.api_key[_BEARER] = token.strip()


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
