"""Writes kubeconfig files. They are JSON, which every YAML reader reads."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.rig.pki import KeyPair


@dataclass(frozen=True, kw_only=True)
class Context:
    """One cluster as one user sees it; give a token or a client certificate.

    `cluster` and `user` are the names of these two in the file: the context's, unless given.
    """

    name: str
    server: str
    ca_data: bytes
    token: str | None = None
    client: KeyPair | None = None
    namespace: str = "default"
    cluster: str = ""
    user: str = ""
    proxy_url: str = ""
    acts_as: str = ""


def write_kubeconfig(path: Path, contexts: Sequence[Context], *, current: str = "") -> Path:
    """Writes one file readable by its owner only; the first context is current unless named."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current or contexts[0].name,
        "clusters": [{"name": each.cluster or each.name, "cluster": _cluster(each)} for each in contexts],
        "users": [{"name": each.user or each.name, "user": _user(each)} for each in contexts],
        "contexts": [{"name": each.name, "context": _context(each)} for each in contexts],
    }
    # Created with its mode: a token must not be readable for even a moment.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=1)
    return path


def _cluster(context: Context) -> dict[str, Any]:
    proxy = {"proxy-url": context.proxy_url} if context.proxy_url else {}
    return {"server": context.server, "certificate-authority-data": _encoded(context.ca_data)} | proxy


def _user(context: Context) -> dict[str, Any]:
    return _credentials(context) | ({"as": context.acts_as} if context.acts_as else {})


def _credentials(context: Context) -> dict[str, Any]:
    if context.token is not None:
        return {"token": context.token}
    if context.client is None:
        return {}
    return {
        "client-certificate-data": _encoded(context.client.certificate.read_bytes()),
        "client-key-data": _encoded(context.client.key.read_bytes()),
    }


def _context(context: Context) -> dict[str, Any]:
    named = {"cluster": context.cluster or context.name, "user": context.user or context.name}
    return named | {"namespace": context.namespace}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
