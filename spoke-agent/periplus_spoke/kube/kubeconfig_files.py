"""Kubeconfig files as kubectl merges them: of two entries, or current contexts, the first file's counts."""

import copy
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from periplus_spoke.kube.kubeconfig_checks import read
from periplus_spoke.kube.problems import KubeProblem

KINDS: Final = ("contexts", "clusters", "users")


class Entry(NamedTuple):
    """One cluster, user or context, and the file it stands in: relative paths are meant from there."""

    content: dict[str, Any]
    path: Path


class KubeconfigFiles:
    """The files of `paths`, separated as in KUBECONFIG. Those that are absent or empty are none, as to kubectl."""

    def __init__(self, paths: str) -> None:
        """Raises KubeProblem when there is no file at all, or one is no kubeconfig."""
        found = [path for part in paths.split(os.pathsep) if part and (path := Path(part).expanduser()).is_file()]
        if not found:
            message = f"there is no kubeconfig at {paths}"
            raise KubeProblem("bad_kubeconfig", message, "Name one with --kubeconfig or $KUBECONFIG.")
        documents = {path: read(path) for path in dict.fromkeys(found)}
        self._documents = {path: document for path, document in documents.items() if document is not None}
        self._saved = copy.deepcopy(self._documents)

    @property
    def current_context(self) -> str:
        """Its name, or nothing."""
        return next((name for each in self._documents.values() if (name := each.get("current-context"))), "")

    def entries(self, kind: str) -> dict[str, Entry]:
        """Of the list `kind`, by name."""
        found: dict[str, Entry] = {}
        for path, document in self._documents.items():
            for each in document.get(kind) or ():
                found.setdefault(each["name"], Entry(each, path))
        return found

    def save_changes(self, *_: object) -> None:
        """Write the files whose content was changed in place, as by a refreshed token."""
        for path, document in self._documents.items():
            if document != self._saved[path]:
                path.write_text(yaml.safe_dump(document, default_flow_style=False))
        self._saved = copy.deepcopy(self._documents)
