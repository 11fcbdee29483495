"""One context of a kubeconfig as credentials.

Imported only by a spoke that is given one: in a pod, YAML and all that a kubeconfig may name would only cost memory.
"""

import os
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

from kubernetes_asyncio.config.config_exception import ConfigException
from kubernetes_asyncio.config.kube_config import ConfigNode, KubeConfigLoader, KubeConfigMerger

from periplus_spoke.kube.connection import BEARER, Configuration
from periplus_spoke.kube.kubeconfig_checks import check, read
from periplus_spoke.kube.plugin import run_plugin
from periplus_spoke.kube.problems import KubeProblem


class KubeconfigCredentials:
    """One context of a kubeconfig: tokens, token files, client certificates, exec plugins, OIDC."""

    def __init__(self, path: str | None = None, context: str | None = None) -> None:
        self._path = path or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        self._context = context
        self.label = context or ""
        self._plugin_files = _PluginFiles()

    async def load(self) -> Configuration:
        """Read the files, and run the credential plugin when there is one."""
        merged = self._read()
        context = self._chosen(merged)
        entries = {kind: _entries(merged, kind) for kind in ("contexts", "clusters", "users")}
        check(self._path, context, entries)
        _drop_what_is_empty(context, entries)
        configuration = Configuration()
        try:
            loader = _Loader(config_dict=merged.config, active_context=context, config_base_path=None)
            loader.need_no_user()
            loader.plugin_files = self._plugin_files
            if loader.provider == "oidc":
                # A refreshed token may replace the refresh token itself; losing it would log the person out.
                loader.keep_changes(merged.save_changes)
            await loader.load_and_set(configuration)
        except KubeProblem as problem:
            message = f"context {context!r} of {self._path}: {problem.message}"
            raise KubeProblem(problem.reason, message, problem.remedy) from problem
        except (ConfigException, AssertionError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            # What the checks do not look at, like an OIDC provider, the library meets with whatever it raises first.
            raise KubeProblem("bad_kubeconfig", f"context {context!r} of {self._path}: {error}") from error
        if BEARER in configuration.api_key:
            configuration.api_key[BEARER] = configuration.api_key[BEARER].strip()
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
        # An empty file is none, as it is to kubectl.
        filled = [str(path) for path in paths if path.is_file() and read(path) is not None]
        return KubeConfigMerger(separator.join(filled))

    def _chosen(self, merged: KubeConfigMerger) -> str:
        names = _entries(merged, "contexts")
        context = self._context or (merged.config.value.get("current-context") if merged.config else "") or ""
        if context not in names:
            asked = f"no context {context!r}" if context else "no current context"
            raise KubeProblem("no_such_context", f"{asked} in {self._path}; it has {', '.join(names) or 'none'}")
        return str(context)


def _entries(merged: KubeConfigMerger, kind: str) -> dict[str, Any]:
    """By name; of several with one name the first is in `merged`, as kubectl takes it."""
    listed = merged.config.value[kind] if merged.config else ()
    return {each["name"]: each for each in map(_value, listed)}


def _drop_what_is_empty(context: str, entries: dict[str, dict[str, Any]]) -> None:
    """Of the context's cluster and user: null and "" mean "not there" to kubectl, and something to the library."""
    chosen = entries["contexts"][context]["context"]
    for kind in ("cluster", "user"):
        if (entry := entries[f"{kind}s"].get(chosen.get(kind) or "")) is not None:
            entry[kind] = {
                key: value for key, value in (entry.get(kind) or {}).items() if value is not None and value != ""
            }


class _PluginFiles:
    """Certificates that a plugin gave, in a folder of our own: each takes the place of the one before it.

    They are good for an hour or so and come with their key, so they must not pile up.
    """

    def __init__(self) -> None:
        self._folder = ""

    def keep(self, name: str, content: str) -> str:
        """The path of the file."""
        if not self._folder:
            self._folder = mkdtemp(prefix="periplus-spoke-")
            finalize(self, rmtree, self._folder, ignore_errors=True)
        path = Path(self._folder, name)
        path.write_text(content)
        return str(path)


class _Loader(KubeConfigLoader):
    """The library's loader with our own way to run plugins."""

    cert_file: str | None
    key_file: str | None
    plugin_files: _PluginFiles

    def need_no_user(self) -> None:
        """A context may name none; the library would trip over what is not there."""
        if self._user is None:
            self._user = ConfigNode("user", {})

    def keep_changes(self, save: Any) -> None:  # noqa: ANN401 - a callback of the untyped library
        self._config_persister = save

    async def load_from_exec_plugin(self) -> bool:
        user, cluster = _value(self._user), _value(self._cluster)
        folder = self._get_base_path(self._user.path) if self._user else ""
        credential = await run_plugin(_value(user["exec"]), cluster, folder=folder)
        if credential.token:
            self.token = f"Bearer {credential.token}"
        if credential.client_certificate_data and credential.client_key_data:
            self.cert_file = self.plugin_files.keep("tls.crt", credential.client_certificate_data)
            self.key_file = self.plugin_files.keep("tls.key", credential.client_key_data)
        return True


def _value(node: Any) -> Any:  # noqa: ANN401 - ConfigNode or what it wraps
    return getattr(node, "value", node)
