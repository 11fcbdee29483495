"""Volumes of a pod as folders of this machine, with owners and modes as a kubelet gives them."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.cluster.rig.admin import ApiError
from tests.cluster.rig.control_plane import ControlPlane

Json = dict[str, Any]
TOKEN_PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
_EVERYBODY = 0o777
"""A kubelet makes an emptyDir so, and only `fsGroup` changes its group."""


@dataclass(frozen=True)
class Volumes:
    """Of one pod. Claims and folders of the node outlive it, and are the same for the next."""

    plane: ControlPlane
    node: Path
    home: Path
    namespace: str

    def mounted(self, workload: Json, pod_name: str) -> dict[str, Path]:
        """Where in the container → which folder of this machine."""
        spec = workload["spec"]["template"]["spec"]
        group = spec.get("securityContext", {}).get("fsGroup")
        claims = {each["metadata"]["name"]: each for each in workload["spec"].get("volumeClaimTemplates", ())}
        known = {each["name"]: each for each in spec.get("volumes", ())}
        found = {}
        for mount in spec["containers"][0]["volumeMounts"]:
            name = mount["name"]
            folder = self._claim(f"{name}-{pod_name}", group) if name in claims else self._folder_of(known[name], group)
            found[mount["mountPath"]] = folder
        if self._has_token(spec):
            found[TOKEN_PLACE] = self._token(spec["serviceAccountName"], group)
        return found

    def _has_token(self, spec: Json) -> bool:
        """What the pod says wins over what its ServiceAccount says."""
        if "automountServiceAccountToken" in spec:
            return bool(spec["automountServiceAccountToken"])
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{spec['serviceAccountName']}"
        return bool(self.plane.admin.get(path).get("automountServiceAccountToken", True))

    def _folder_of(self, volume: Json, group: int | None) -> Path:
        (kind,) = volume.keys() - {"name"}
        source = volume[kind]
        if kind == "persistentVolumeClaim":
            return self._claim(source["claimName"], group)
        if kind == "hostPath":
            assert source["type"] == "DirectoryOrCreate", source
            folder = self.node / "host" / source["path"].strip("/")
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        folder = self.home / "volumes" / volume["name"]
        folder.mkdir(parents=True)
        if kind == "emptyDir":
            folder.chmod(_EVERYBODY)
            return _for_group(folder, group)
        files = self._files(kind, source)
        return self._written(folder, files, source.get("defaultMode", 0o644), group)

    def _files(self, kind: str, source: Json) -> Mapping[str, bytes]:
        assert kind in {"configMap", "secret"}, kind
        try:
            if kind == "secret":
                found = self.secret(self.plane, self.namespace, source["secretName"])
            else:
                path = f"/api/v1/namespaces/{self.namespace}/configmaps/{source['name']}"
                found = {name: text.encode() for name, text in self.plane.admin.get(path)["data"].items()}
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND and source.get("optional"):
                return {}
            raise
        if "items" not in source:
            return found
        return {item["path"]: found[item["key"]] for item in source["items"]}

    @staticmethod
    def secret(plane: ControlPlane, namespace: str, name: str) -> dict[str, bytes]:
        """What a Secret holds."""
        data = plane.admin.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    def _token(self, account: str, group: int | None) -> Path:
        """The projected volume that every pod with a token has."""
        folder = self.home / "volumes" / "kube-api-access"
        folder.mkdir(parents=True)
        files = {
            "token": self.plane.admin.token_for(self.namespace, account).encode(),
            "ca.crt": self.plane.ca_file.read_bytes(),
            "namespace": self.namespace.encode(),
        }
        return self._written(folder, files, 0o640, group)

    def _claim(self, name: str, group: int | None) -> Path:
        """A new volume belongs to root."""
        folder = self.node / "claims" / self.namespace / name
        folder.mkdir(parents=True, exist_ok=True)
        return _for_group(folder, group)

    @staticmethod
    def _written(folder: Path, files: Mapping[str, bytes], mode: int, group: int | None) -> Path:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(mode)
            if group is not None:
                os.chown(folder / name, 0, group)
        return folder


def _for_group(folder: Path, group: int | None) -> Path:
    """As `fsGroup` says: the group may write, and what is made there has the group."""
    if group is not None:
        os.chown(folder, 0, group)
        folder.chmod(folder.stat().st_mode & 0o7777 | 0o2770)
    return folder
