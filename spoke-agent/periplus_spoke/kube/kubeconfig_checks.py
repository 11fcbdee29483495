"""What is wrong with a kubeconfig, in the file's own words: the library meets it with whatever its first step raises.

Nothing of a credential is ever quoted.
"""

import base64
import binascii
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import yaml

from periplus_spoke.kube import impersonation, proxy
from periplus_spoke.kube.problems import KubeProblem

_Keys = Mapping[str, tuple[str, ...]]
_Values = Mapping[str, Any]


class _Listed(Protocol):
    """An entry of a list, and the file it stands in."""

    @property
    def content(self) -> dict[str, Any]: ...

    @property
    def path(self) -> Path: ...


_Entries = Mapping[str, Mapping[str, _Listed]]

FILES: Final[_Keys] = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
"""Paths, meant from the folder of the file that names them."""

_LISTS: Final = ("clusters", "contexts", "users")
_TEXTS: Final[_Keys] = {
    "context": ("cluster", "user"),
    "cluster": ("server", "certificate-authority", "certificate-authority-data", "tls-server-name", "proxy-url"),
    "user": (
        *("token", "tokenFile", "username", "password"),
        *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
        *("as", "as-uid"),
    ),
}
_TRUTHS: Final[_Keys] = {"cluster": ("insecure-skip-tls-verify",)}
_MAPPINGS: Final[_Keys] = {"user": ("exec", "auth-provider")}
_TYPES: Final[tuple[tuple[type, str, _Keys], ...]] = (
    (str, "text", _TEXTS),
    (bool, "true or false", _TRUTHS),
    (dict, "a mapping", _MAPPINGS),
)
_CERTIFICATE: Final = "certificate-authority-data"
_ENCODED: Final = {
    "cluster": {_CERTIFICATE: b"CERTIFICATE-----"},
    "user": {"client-certificate-data": b"CERTIFICATE-----", "client-key-data": b"PRIVATE KEY-----"},
}
_HALVES: Final = ("client-certificate", "client-key")


def read(path: Path) -> dict[str, Any] | None:
    """The file's document, None when it is empty; raises KubeProblem naming why it is no kubeconfig."""
    try:
        document = yaml.safe_load(path.read_bytes().decode())
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise KubeProblem("bad_kubeconfig", message, "Check its permissions.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        stopped = getattr(error, "problem_mark", None)
        place = f" (line {stopped.line + 1})" if stopped else ""
        raise KubeProblem("bad_kubeconfig", f"{path} is not a kubeconfig: it is not YAML{place}") from error
    if document is None:
        return None
    why = next(_of_document(document), "")
    if why:
        raise KubeProblem("bad_kubeconfig", f"{path} is not a kubeconfig: {why}")
    return dict(document)


def check(path: str, context: str, entries: _Entries) -> None:
    """Hold the context, its cluster and its user against what they must be; raises KubeProblem.

    `entries` has, of each list, the entries by name. Without a user the API server is asked as nobody.
    """
    why = next(_of_context(context, entries), "")
    if why:
        raise KubeProblem("bad_kubeconfig", f"context {context!r} of {path}: {why}", _REMEDY)


_REMEDY: Final = (
    "Repair the entry in the file, or get it anew from whoever gave you the cluster, as with its command line."
)


def _of_document(document: object) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "it does not hold clusters, users and contexts"
        return
    if not isinstance(document.get("current-context"), str | None):
        yield "current-context is not text"
    for kind in _LISTS:
        listed = document.get(kind)
        if listed is not None and not isinstance(listed, list):
            yield f"{kind} is not a list"
            return
        for each in listed or ():
            if not isinstance(each, dict):
                yield f"an entry of {kind} is not a mapping with name and {kind[:-1]}"
            elif not isinstance(each.get("name"), str):
                yield f"an entry of {kind} has no name, or one that is not text"


def _of_context(context: str, entries: _Entries) -> Iterator[str]:
    chosen = entries["contexts"][context].content.get("context")
    yield from _of_entry("context", "it", chosen)
    for kind in ("cluster", "user"):
        name = (chosen or {}).get(kind)
        if not name and kind == "cluster":
            yield "it names no cluster"
        elif name and name not in entries[f"{kind}s"]:
            # A name that leads nowhere is a damaged file. To ask as nobody instead would end in a "forbidden" that
            # explains nothing.
            yield f"there is no {kind} {name!r} in the file, which the context names"
        elif name:
            content, path = entries[f"{kind}s"][name].content, entries[f"{kind}s"][name].path
            found = content.get(kind)
            yield from _of_entry(kind, f"{kind} {name!r}", found)
            yield from (_of_cluster if kind == "cluster" else _of_user)(f"{kind} {name!r}", found or {})
            yield from _of_files(kind, f"{kind} {name!r}", found or {}, path)


def _of_entry(kind: str, what: str, entry: object) -> Iterator[str]:
    """Kinds of values. What is null is not there."""
    if not isinstance(entry, dict | None):
        yield f"{what} is not a mapping"
        return
    for type_, said, keys in _TYPES:
        for key in keys.get(kind, ()):
            value = (entry or {}).get(key)
            if value is not None and not isinstance(value, type_):
                yield f"{key} of {what} is not {said}"
    for key, label in _ENCODED.get(kind, {}).items():
        value = (entry or {}).get(key)
        if value and not _is_pem(value, label):
            yield f"{key} of {what} is not PEM in base64: it is damaged or cut off"


def _of_files(kind: str, what: str, entry: _Values, path: Path) -> Iterator[str]:
    """Of what stands in the file itself and in another one, the latter is not read."""
    for key in FILES[kind]:
        if (named := entry.get(key)) and not entry.get(f"{key}-data"):
            try:
                (path.absolute().parent / named).read_bytes()
            except OSError as error:
                yield f"{key} of {what}: {path.absolute().parent / named}: {error.strerror}"
            except ValueError:
                yield f"{key} of {what} is no path"


def _of_cluster(what: str, cluster: _Values) -> Iterator[str]:
    server = cluster.get("server")
    if not server:
        yield f"{what} has no server"
        return
    try:
        place = urlsplit(server)
        is_url = place.scheme in {"http", "https"} and bool(place.hostname) and (place.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url:
        yield f"server of {what} is not a URL like https://api.example.org:6443"
    if through := cluster.get("proxy-url"):
        try:
            proxy.parse(through)
        except ValueError as error:
            yield f"proxy-url of {what} {error}"
    if data := cluster.get(_CERTIFICATE):
        try:
            # Read by what will read it: PEM that looks well may still hold no certificate.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=base64.b64decode(data).decode())
        except (ssl.SSLError, ValueError):
            yield f"{_CERTIFICATE} of {what} holds no certificate that can be read"


def _of_user(what: str, user: _Values) -> Iterator[str]:
    has = [bool(user.get(half) or user.get(f"{half}-data")) for half in _HALVES]
    if any(has) and not all(has):
        yield f"{what} has a {_HALVES[has.index(True)]} and no {_HALVES[has.index(False)]}"
    yield from impersonation.why_not(what, user)
    plugin = user.get("exec")
    if plugin is None:
        return
    if not isinstance(plugin.get("command"), str) or not plugin["command"]:
        yield f"exec of {what} names no command"
    arguments, variables = plugin.get("args") or [], plugin.get("env") or []
    if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
        yield f"args in exec of {what} is not a list of texts"
    if not isinstance(variables, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in variables
    ):
        yield f"env in exec of {what} is not a list of names and values"


def _is_pem(value: str, label: bytes) -> bool:
    try:
        content = base64.b64decode(value)
    except (binascii.Error, ValueError):
        return False
    return label in content.partition(label)[2]
