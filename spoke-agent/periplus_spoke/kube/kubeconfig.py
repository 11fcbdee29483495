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
from kubernetes_asyncio.config.kube_config import ConfigNode, KubeConfigLoader

from periplus_spoke.kube import impersonation
from periplus_spoke.kube.connection import BEARER, Configuration
from periplus_spoke.kube.credential_plugin import run_plugin
from periplus_spoke.kube.kubeconfig_checks import FILES, check
from periplus_spoke.kube.kubeconfig_files import KINDS, Entry, KubeconfigFiles
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
        files = KubeconfigFiles(self._path)
        entries = {kind: files.entries(kind) for kind in KINDS}
        context = self._chosen(files, entries["contexts"])
        check(self._path, context, entries)
        cluster, user = _readied("cluster", context, entries), _readied("user", context, entries)
        configuration = Configuration(acting_as=impersonation.headers(user.content if user else {}))
        try:
            alone = _alone(entries["contexts"][context], cluster, user)
            # One context alone: the library would read, and trip over, entries that this context does not use.
            loader = _Loader(config_dict=alone, active_context=context, config_base_path=None)
            loader.need_no_user()
            loader.plugin_files = self._plugin_files
            if loader.provider == "oidc":
                # A refreshed token may replace the refresh token itself; losing it would log the person out.
                loader.keep_changes(files.save_changes)
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

    def _chosen(self, files: KubeconfigFiles, contexts: dict[str, Entry]) -> str:
        context = self._context or files.current_context
        if context not in contexts:
            asked = f"no context {context!r}" if context else "no current context"
            raise KubeProblem("no_such_context", f"{asked} in {self._path}; it has {', '.join(contexts) or 'none'}")
        return context


def _readied(kind: str, context: str, entries: dict[str, dict[str, Entry]]) -> Entry | None:
    """The context's cluster or user as the library takes it, in a mapping of its own; None when there is none.

    Null and "" mean "not there" to kubectl, and something to the library; paths become absolute, for it takes those of
    a user from the folder of the cluster.
    """
    name = (entries["contexts"][context].content["context"] or {}).get(kind)
    if not name:
        return None
    content, path = entries[f"{kind}s"][name]
    kept = {key: value for key, value in (content.get(kind) or {}).items() if value is not None and value != ""}
    kept |= {key: str(path.absolute().parent / kept[key]) for key in FILES[kind] if key in kept}
    if "tokenFile" in kept:
        kept.pop("token", None)  # of the two kubectl reads the file
    return Entry(kept, path)


def _alone(context: Entry, cluster: Entry | None, user: Entry | None) -> ConfigNode:
    """A kubeconfig of this context and nothing else."""
    chosen = context.content["context"]
    listed: dict[str, list[ConfigNode]] = {"contexts": [_node(context)], "clusters": [], "users": []}
    for kind, entry in (("cluster", cluster), ("user", user)):
        if entry is not None:
            listed[f"{kind}s"].append(_node(Entry({"name": chosen[kind], kind: entry.content}, entry.path)))
    return ConfigNode("kubeconfig", listed)


def _node(entry: Entry) -> ConfigNode:
    return ConfigNode(entry.content["name"], entry.content, str(entry.path.absolute()))


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
