"""A hub in the first of some clusters and a spoke in each, made by the charts and run by `kubelet`."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.helm import CHARTS, Helm
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.kubelet import Kubelet, Pod
from tests.cluster.rig.polling import answers_ok, wait_for
from tests.cluster.rig.processes import free_port
from tests.support.certificates import self_signed
from tests.support.commands import Outcome, periplus

NAMESPACE = "by-charts"
HUB = "hub.example.org"
IMAGE = {"registry": "registry.example.org/team"}
READY_S = 180.0
ADMIN_TOKEN = "periplus hub admin-token --config /etc/periplus/config/hub.toml"


class ChartFleet:
    """Use `close` at the end: it ends the pods and uninstalls what was installed."""

    def __init__(self, helm: Helm, planes: tuple[ControlPlane, ...], folder: Path) -> None:
        self.planes = planes
        self.ports = {name: free_port() for name in ("spokes", "api", "metrics", "workMetrics")}
        self.health = {plane.spec.name: free_port() for plane in planes}
        self.pods: dict[str, Pod] = {}
        self._helm = helm
        self._folder = folder
        self._installed: list[tuple[ControlPlane, str]] = []
        self._certificate, self._key = self_signed(folder, HUB, "127.0.0.1")
        hosts = {HUB: "127.0.0.1"}
        self._kubelets = {plane.spec.name: Kubelet(plane, folder / plane.spec.name, hosts) for plane in planes}
        self._token = ""
        for plane in planes:
            write_kubeconfig(self._kubeconfig(plane), [plane.context()])
            _restricted_namespace(plane)

    def start_hub(self) -> None:
        """The chart with embedded stores and a Secret with its certificate; the first token as its notes say."""
        plane = self.planes[0]
        _tls_secret(plane, "hub-tls", self._certificate, self._key)
        notes = self._install(plane, "periplus-hub", self._hub_values())
        assert f"exec statefulset/periplus-hub -- {ADMIN_TOKEN}\n" in notes
        self._run_hub()

    def _hub_values(self) -> dict[str, Any]:
        return {
            "tls": {"mode": "secret", "secretName": "hub-tls"},
            "ports": self.ports,
            "config": {"settle_after_s": 0},
            "backup": {"enabled": True},
        }

    def _run_hub(self) -> None:
        hub = self.run(self.planes[0], "statefulsets/periplus-hub", "hub")
        self.until_ready("hub", self.ports["metrics"])
        self._token = hub.exec(*ADMIN_TOKEN.split()).strip()

    def restore_hub(self, manifests: str, claim: str) -> None:
        """As the page about Helm says: the hub ends, a pod fills a new claim, and the hub goes on there."""
        plane = self.planes[0]
        self.pods["hub"].child.kill()
        plane.admin.delete(f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/periplus-hub")
        for each in yaml.safe_load_all(manifests):
            each["metadata"]["namespace"] = NAMESPACE
            plane.admin.dry_run(each)
            made = plane.admin.apply(each)
        restoring = self._kubelets[plane.spec.name].start({**made, "spec": {"template": {"spec": made["spec"]}}})
        assert restoring.finished(READY_S) == 0, restoring.log()
        plane.admin.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{made['metadata']['name']}")
        words = ["upgrade", "periplus-hub", str(CHARTS / "periplus-hub"), "--namespace", NAMESPACE]
        values = {"image": IMAGE, **self._hub_values(), "persistence": {"existingClaim": claim}}
        self._helm.run(*words, values=values, kubeconfig=self._kubeconfig(plane))
        self._run_hub()

    def claim(self, name: str) -> Path:
        """Where this machine has a claim of the hub's cluster."""
        return self._folder / self.planes[0].spec.name / "claims" / NAMESPACE / name

    def start_spoke(self, plane: ControlPlane) -> None:
        """The chart with the hub's address, its authority and a join token."""
        name = plane.spec.name
        token = self.cli("join-token", "create", "--cluster-name", name).out.strip()
        ca = {"pem": self._certificate.read_text()}
        values = {
            "hub": {"url": f"https://{HUB}:{self.ports['spokes']}", "ca": ca},
            "joinToken": {"value": token},
            "agent": {"healthPort": self.health[name]},
        }
        self._install(plane, "periplus-spoke", values)
        self.run(plane, "deployments/periplus-spoke", name)

    def run(self, plane: ControlPlane, path: str, name: str) -> Pod:
        """The pod of an installed workload; a second one has the volumes of the first."""
        workload = plane.admin.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/{path}")
        self.pods[name] = self._kubelets[plane.spec.name].start(workload)
        return self.pods[name]

    def until_ready(self, name: str, port: int) -> None:
        """The readiness probe of a pod passes."""

        def passes() -> bool:
            self.pods[name].child.check()
            return answers_ok(f"http://127.0.0.1:{port}/readyz", self._certificate)

        wait_for(f"{name} is ready", passes, timeout_s=READY_S)

    def cli(self, *words: str) -> Outcome:
        """As `ask`, of a command that has to succeed."""
        outcome = self.ask(*words)
        assert outcome.code == 0, outcome.err
        return outcome

    def ask(self, *words: str) -> Outcome:
        """`periplus …` from outside, with the token that the hub's pod gave."""
        given = {
            "PERIPLUS_URL": f"https://127.0.0.1:{self.ports['api']}",
            "PERIPLUS_TOKEN": self._token,
            "PERIPLUS_CA_FILE": str(self._certificate),
        }
        return periplus(*words, home=self._folder, **given)

    def until_clusters(self, what: str, holds: Callable[[list[dict[str, Any]]], bool]) -> None:
        """`periplus clusters list` says so."""
        wait_for(
            what,
            lambda: holds(self.cli("clusters", "list", "--json").document),
            timeout_s=READY_S,
            interval_s=0.5,
        )

    def close(self) -> None:
        """Leaves the clusters as they were, but for the namespace."""
        for kubelet in self._kubelets.values():
            kubelet.stop()
        for plane, chart in reversed(self._installed):
            self._helm.run("uninstall", chart, "--namespace", NAMESPACE, kubeconfig=self._kubeconfig(plane))

    def _kubeconfig(self, plane: ControlPlane) -> Path:
        return self._folder / f"{plane.spec.name}.kubeconfig"

    def _install(self, plane: ControlPlane, chart: str, values: dict[str, Any]) -> str:
        """Returns what Helm says."""
        words = ["install", chart, str(CHARTS / chart), "--namespace", NAMESPACE]
        said = self._helm.run(*words, values={"image": IMAGE, **values}, kubeconfig=self._kubeconfig(plane))
        self._installed.append((plane, chart))
        return said


def _restricted_namespace(plane: ControlPlane) -> None:
    """It refuses pods that the PodSecurity level `restricted` does not allow."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})


def _tls_secret(plane: ControlPlane, name: str, certificate: Path, key: Path) -> None:
    files = {"tls.crt": certificate, "tls.key": key}
    plane.admin.apply({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {each: base64.b64encode(path.read_bytes()).decode() for each, path in files.items()},
    })  # fmt: skip
