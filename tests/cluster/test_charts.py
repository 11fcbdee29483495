"""From zero to a joined fleet by the charts: Helm installs them, and their pods run as they say, until the overlaps
that are there are told.

There is no kubelet: `tests/cluster/rig/kubelet.py` acts its part, with the objects as the API server has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from periplus_spoke.collectors.rbac import manifests

from tests.cluster.rig.admin import Json
from tests.cluster.rig.chart_fleet import NAMESPACE, READY_S, ChartFleet
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.helm import Helm
from tests.cluster.rig.polling import wait_for
from tests.support.shown_commands import FENCE, ROOT

pytestmark = pytest.mark.needs("pods")
PAGE: Final = ROOT / "docs/operate/helm.md"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NAME = f"{NAMESPACE}-periplus-spoke"


@pytest.fixture(scope="module")
def fleet(
    helm: Helm, aws_cluster: ControlPlane, gcp_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChartFleet]:
    """Both charts installed in two clusters, and their pods running."""
    made = ChartFleet(helm, (aws_cluster, gcp_cluster), tmp_path_factory.mktemp("fleet"))
    try:
        made.start_hub()
        for plane in made.planes:
            made.start_spoke(plane)
        yield made
    finally:
        made.close()


def states(clusters: list[dict[str, Any]]) -> set[str]:
    return {each["state"] for each in clusters}


def pod_ranges(plane: ControlPlane) -> set[str]:
    """Those that its nodes have, and that of the whole cluster."""
    nodes = plane.admin.items("/api/v1/nodes")
    return {cidr for node in nodes for cidr in node["spec"]["podCIDRs"]} | {plane.spec.pod_cidr}


def test_the_overlaps_of_two_clusters_are_told(fleet: ChartFleet) -> None:
    fleet.until_clusters("both ask to join", lambda found: len(found) == 2)
    for plane in fleet.planes:
        fleet.cli("clusters", "approve", plane.spec.name)
    for name, port in fleet.health.items():
        fleet.until_ready(name, port)
    fleet.until_clusters("both are read whole", lambda found: states(found) == {"complete"})
    shared = set.intersection(*map(pod_ranges, fleet.planes))

    def told() -> list[dict[str, Any]]:
        found = fleet.ask("overlaps", "--json")  # fails until overlaps were computed once
        groups = found.document["overlapGroups"] if found.code == 0 else []
        return [member for group in groups for member in group["members"]]

    wait_for("the ranges of both", lambda: {each["cidr"] for each in told()} == shared, timeout_s=60, interval_s=0.5)
    assert {(each["kind"], each["cluster"]) for each in told()} == {("pod", plane.spec.name) for plane in fleet.planes}


@pytest.mark.promise("spokes-only-read")
def test_a_spoke_has_the_rights_that_are_documented_and_no_others(fleet: ChartFleet) -> None:
    documented = {each["kind"]: each.get("rules") for each in manifests()}
    for plane in fleet.planes:
        cluster_role = plane.admin.get(f"{_RBAC}/clusterroles/{_NAME}")
        role = plane.admin.get(f"{_RBAC}/namespaces/kube-system/roles/{_NAME}")
        assert cluster_role["rules"] == documented["ClusterRole"]
        assert role["rules"] == documented["Role"]
        account: Json = {"kind": "ServiceAccount", "name": "periplus-spoke", "namespace": NAMESPACE}
        bindings = [*plane.admin.items(f"{_RBAC}/clusterrolebindings"), *plane.admin.items(f"{_RBAC}/rolebindings")]
        bound = [each["roleRef"]["name"] for each in bindings if account in each.get("subjects", ())]
        assert bound == [_NAME, _NAME]
        checked = fleet.pods[plane.spec.name].exec(
            "periplus-spoke", "check", "--config", "/etc/periplus/config/spoke.toml"
        )
        assert "Everything the spoke reads can be read." in checked, checked


def test_pods_are_admitted_where_only_restricted_ones_are(fleet: ChartFleet) -> None:
    """Made by the controllers of the real control plane; a pod that is refused is never there."""
    for plane in fleet.planes:

        def pods(plane: ControlPlane = plane) -> set[str]:
            found = plane.admin.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
            return {each["metadata"]["labels"]["app.kubernetes.io/name"] for each in found}

        expected = {"periplus-hub", "periplus-spoke"} if plane is fleet.planes[0] else {"periplus-spoke"}
        wait_for("pods are made", lambda pods=pods, expected=expected: pods() == expected, timeout_s=60)


def test_a_spoke_that_has_joined_starts_again_without_its_token(fleet: ChartFleet) -> None:
    plane = fleet.planes[1]
    name = plane.spec.name
    fleet.pods[name].child.kill()
    plane.admin.delete(f"/api/v1/namespaces/{NAMESPACE}/secrets/periplus-spoke-join")
    fleet.run(plane, "deployments/periplus-spoke", name)
    fleet.until_ready(name, fleet.health[name])
    fleet.until_clusters("it is the same one", lambda found: len(found) == 2 and states(found) == {"complete"})


def test_the_hub_backs_itself_up_and_goes_on_from_a_backup_on_another_volume(fleet: ChartFleet) -> None:
    """The path of the page about Helm, with the manifest that stands there."""
    (manifests,) = [block for block in FENCE.findall(PAGE.read_text()) if "kind: Pod" in block]
    (shown,) = set(re.findall(r"periplus-\d{8}T\d{6}Z", manifests))
    folder = fleet.claim("periplus-hub-backups")
    wait_for("a backup", lambda: any(folder.glob("periplus-*Z")), timeout_s=READY_S)
    newest = max(folder.glob("periplus-*Z")).name
    verified = fleet.pods["hub"].exec("periplus", "backup", "--verify", f"/var/lib/periplus-backups/{newest}")
    assert "is whole and undamaged" in verified
    before = {each["name"] for each in fleet.cli("clusters", "list", "--json").document}
    by_hand = f"/var/lib/periplus-backups/{shown}"  # of now: the scheduled one may be older than the clusters
    fleet.pods["hub"].exec("periplus", "backup", by_hand, "--config", "/etc/periplus/config/hub.toml")
    fleet.restore_hub(manifests, "restored")
    fleet.until_clusters("they are there, and heard", lambda found: {each["name"] for each in found} == before)
    fleet.until_clusters("they are read whole again", lambda found: states(found) == {"complete"})
