"""The life of a release in a real cluster: from the chart of before to this one, back, and away without a trace."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cluster.rig.admin import ApiError, Json
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.helm import CHARTS, Helm, HelmError
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.polling import wait_for

NAMESPACE: Final = "by-upgrade"
IMAGE: Final = {"registry": "registry.example.org/team"}
TLS: Final = {"mode": "secret", "secretName": "hub-tls"}
STORES: Final = {"existingSecret": "stores"}
KEPT: Final = {"persistentvolumeclaims", "events"}
"""What stays on purpose: a volume of stores, and what Kubernetes itself noted."""


@dataclass(frozen=True)
class Life:
    """A chart with values, and a setting that an upgrade changes."""

    chart: str
    values: dict[str, Any]
    change: dict[str, Any]
    shown: str
    """What a ConfigMap holds then, and did not before."""
    workloads: frozenset[str]


LIVES: Final = {
    "embedded": Life(
        "periplus-hub",
        {"image": IMAGE, "tls": TLS},
        {"config": {"settle_after_s": 7}},
        "settle_after_s = 7",
        frozenset({"StatefulSet"}),
    ),
    "replicated": Life(
        "periplus-hub",
        # Nobody runs pods here, so the Job that Helm waits for would never end.
        {"image": IMAGE, "tls": TLS, "database": STORES, "flowStore": STORES, "migrations": {"enabled": False}},
        {"config": {"settle_after_s": 7}},
        "settle_after_s = 7",
        frozenset({"Deployment"}),
    ),
    "spoke": Life(
        "periplus-spoke",
        {"image": IMAGE, "hub": {"url": "https://hub.example.org:7946"}, "joinToken": {"value": "id.secret"}},
        {"config": {"ipam_interval_s": 77}},
        "ipam_interval_s = 77",
        frozenset({"Deployment"}),
    ),
}


@pytest.fixture(scope="module")
def charts_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charts as they were before the last commit that changed them."""
    root, folder = CHARTS.parent, tmp_path_factory.mktemp("before")
    last = _git(root, "rev-list", "-1", "HEAD", "--", "charts").decode().strip()
    with tarfile.open(fileobj=BytesIO(_git(root, "archive", f"{last}~1", "charts"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "charts"


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True).stdout


class Release:
    """Helm in one namespace of one cluster."""

    def __init__(self, helm: Helm, plane: ControlPlane, folder: Path, life: Life) -> None:
        self.name = f"up-{life.chart.removeprefix('periplus-')}"
        self.life = life
        self._helm, self.admin = helm, plane.admin
        self._kubeconfig = folder / "kubeconfig"
        write_kubeconfig(self._kubeconfig, [plane.context()])
        plane.admin.create_namespace(NAMESPACE)

    def helm(self, *words: str, values: dict[str, Any] | None = None) -> str:
        return self._helm.run(*words, "--namespace", NAMESPACE, values=values, kubeconfig=self._kubeconfig)

    def manifest(self) -> list[Json]:
        return [each for each in yaml.safe_load_all(self.helm("get", "manifest", self.name)) if each]

    def live(self) -> dict[str, Json]:
        """What the API server has of the release's objects, by path; what it lacks is absent."""
        found = {}
        for each in self.manifest():
            path = self.admin.path_of(each)
            try:
                found[path] = self.admin.get(path)
            except ApiError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
        return found

    def configured(self) -> str:
        return "\n".join(
            text for each in self.live().values() if each["kind"] == "ConfigMap" for text in each["data"].values()
        )

    def checksums(self) -> set[str]:
        """By these pods are made anew when their configuration changes."""
        kinds = [each for each in self.live().values() if each["kind"] in self.life.workloads]
        assert kinds
        return {each["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for each in kinds}

    def left(self) -> list[str]:
        """Paths of what still says that it is of the release."""
        selector = f"app.kubernetes.io/instance={self.name}"
        return [
            f"{path}/{each['metadata']['name']}"
            for path in self.admin.collections()
            if path.rpartition("/")[2] not in KEPT
            for each in self.admin.items(path, labelSelector=selector)
        ]


@pytest.fixture(params=LIVES)
def release(request: pytest.FixtureRequest, helm: Helm, aws_cluster: ControlPlane, tmp_path: Path) -> Iterator[Release]:
    made = Release(helm, aws_cluster, tmp_path, LIVES[request.param])
    try:
        yield made
    finally:
        made.helm("uninstall", made.name, "--ignore-not-found")


def test_a_release_goes_up_and_back_and_leaves_nothing(release: Release, charts_before: Path) -> None:
    life, now = release.life, str(CHARTS / release.life.chart)
    release.helm("install", release.name, str(charts_before / life.chart), values=life.values)
    first, before = release.manifest(), release.configured()
    assert set(release.live()) == {release.admin.path_of(each) for each in first}
    assert life.shown not in before
    checksums = release.checksums()

    release.helm("upgrade", release.name, now, values=life.values | life.change)
    assert set(release.live()) == {release.admin.path_of(each) for each in release.manifest()}
    assert life.shown in release.configured()
    assert not release.checksums() & checksums, "pods would keep the configuration of before"
    added = set(release.live()) - {release.admin.path_of(each) for each in first}

    release.helm("rollback", release.name, "1")
    assert release.manifest() == first
    assert (release.configured(), release.checksums()) == (before, checksums)
    for path in added:
        with pytest.raises(ApiError, match="404"):
            release.admin.get(path)

    release.helm("uninstall", release.name)
    wait_for("all of it is gone", lambda: not release.left(), timeout_s=120, interval_s=0.5)


def test_an_upgrade_that_contradicts_itself_changes_nothing(release: Release) -> None:
    life = release.life
    chart = str(CHARTS / life.chart)
    release.helm("install", release.name, chart, values=life.values)
    before = release.live()
    with pytest.raises(HelmError, match=r"image\.registry"):
        release.helm("upgrade", release.name, chart, values=life.values | {"image": {}})
    assert {path: each["metadata"]["uid"] for path, each in release.live().items()} == {
        path: each["metadata"]["uid"] for path, each in before.items()
    }
    assert release.helm("history", release.name).count("deployed") == 1
