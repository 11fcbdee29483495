"""Proves the rig: what it starts is Kubernetes, and does what the other suites rely on."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import textwrap
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPSConnection
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.rig.admin import ApiError
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.fixtures import ClusterFactory
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.manifests import NodeSpec
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.populate import ready_addresses, wait_for_nodes
from tests.cluster.rig.processes import ProcessDiedError
from tests.cluster.rig.spec import ClusterSpec
from tests.cluster.rig.toolchain import KUBERNETES, Tools

_PODS = "/api/v1/pods"
_LIST_PODS = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie of somebody else's still answers to signals.
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def _nodes(plane: ControlPlane) -> list[dict[str, Any]]:
    return list(plane.admin.items("/api/v1/nodes"))


def _internal_ips(plane: ControlPlane) -> set[str]:
    addresses = (each for node in _nodes(plane) for each in node["status"]["addresses"])
    return {each["address"] for each in addresses if each["type"] == "InternalIP"}


def test_version_is_the_pinned_one(aws_cluster: ControlPlane) -> None:
    version = aws_cluster.admin.get("/version")
    assert version["gitVersion"] == KUBERNETES.version == "v1.36.3"
    assert (version["major"], version["minor"]) == ("1", "36")


def test_service_range_is_an_object(aws_cluster: ControlPlane) -> None:
    found = aws_cluster.admin.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes")
    assert found["spec"]["cidrs"] == [aws_cluster.spec.service_cidr]


@pytest.mark.parametrize("cluster", ["aws_cluster", "gcp_cluster"])
def test_nodes_are_ready_and_posed(cluster: str, request: pytest.FixtureRequest) -> None:
    plane: ControlPlane = request.getfixturevalue(cluster)
    nodes = _nodes(plane)
    ranges = [ip_network(node["spec"]["podCIDR"]) for node in nodes]
    assert len(nodes) == len(set(ranges)) == plane.spec.node_count
    assert all(each.network_address in ip_network(plane.spec.pod_cidr) for each in ranges)
    wanted = {spec.name: spec for spec in plane.spec.nodes()}
    for node in nodes:
        spec, labels = wanted[node["metadata"]["name"]], node["metadata"]["labels"]
        assert node["spec"]["providerID"] == spec.provider_id
        assert labels["topology.kubernetes.io/region"] == spec.region
        assert labels["topology.kubernetes.io/zone"] == spec.zone
        assert {"type": "InternalIP", "address": spec.internal_ip} in node["status"]["addresses"]


def test_provider_ids_look_like_the_clouds(aws_cluster: ControlPlane, gcp_cluster: ControlPlane) -> None:
    aws_ids = [node["spec"]["providerID"] for node in _nodes(aws_cluster)]
    gcp_ids = [node["spec"]["providerID"] for node in _nodes(gcp_cluster)]
    assert all(each.startswith("aws:///eu-west-1") for each in aws_ids)
    assert all(each.startswith("gce://example-project/europe-west1-") for each in gcp_ids)


def test_pod_ranges_overlap_and_node_addresses_do_not(aws_cluster: ControlPlane, gcp_cluster: ControlPlane) -> None:
    first = {node["spec"]["podCIDR"] for node in _nodes(aws_cluster)}
    second = {node["spec"]["podCIDR"] for node in _nodes(gcp_cluster)}
    assert first & second
    assert not _internal_ips(aws_cluster) & _internal_ips(gcp_cluster)


@pytest.mark.parametrize("cluster", ["aws_cluster", "gcp_cluster"])
def test_pods_run_inside_their_nodes_range(cluster: str, request: pytest.FixtureRequest) -> None:
    plane: ControlPlane = request.getfixturevalue(cluster)
    ranges = {n["metadata"]["name"]: ip_network(n["spec"]["podCIDR"]) for n in _nodes(plane)}
    pods = list(plane.admin.items(_PODS))
    assert len(pods) == plane.spec.pod_count
    assert len({pod["status"]["podIP"] for pod in pods}) == len(pods)
    for pod in pods:
        assert pod["status"]["phase"] == "Running"
        assert ip_address(pod["status"]["podIP"]) in ranges[pod["spec"]["nodeName"]]
        assert pod["status"]["hostIP"] in _internal_ips(plane)


def test_endpoint_slices_name_every_pod(aws_cluster: ControlPlane) -> None:
    behind = ready_addresses(aws_cluster.admin)
    named = {address for addresses in behind.values() for address in addresses}
    assert named == {pod["status"]["podIP"] for pod in aws_cluster.admin.items(_PODS)}
    assert all(behind[key] for key in (("shop", "web"), ("payments", "ledger")))


def test_a_narrow_token_reads_pods_and_no_secrets(aws_cluster: ControlPlane) -> None:
    aws_cluster.admin.grant("default", "narrow", _LIST_PODS)
    narrow = aws_cluster.client(aws_cluster.admin.token_for("default", "narrow"))
    assert len(list(narrow.items(_PODS))) == aws_cluster.spec.pod_count
    with pytest.raises(ApiError) as refused:
        narrow.get("/api/v1/secrets")
    assert refused.value.status == HTTPStatus.FORBIDDEN


def test_a_token_for_another_audience_is_refused_here(aws_cluster: ControlPlane) -> None:
    aws_cluster.admin.grant("default", "narrow", _LIST_PODS)
    token = aws_cluster.admin.token_for("default", "narrow", audience="periplus", seconds=600)
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["aud"] == ["periplus"]
    assert claims["iss"] == aws_cluster.issuer
    with pytest.raises(ApiError) as refused:
        aws_cluster.client(token).get(_PODS)
    assert refused.value.status == HTTPStatus.UNAUTHORIZED


def test_nobody_gets_in_without_a_token_or_over_to_the_other_cluster(
    aws_cluster: ControlPlane, gcp_cluster: ControlPlane
) -> None:
    with pytest.raises(ApiError) as refused:
        aws_cluster.client(None).get(_PODS)
    assert refused.value.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    gcp_cluster.admin.grant("default", "stranger", _LIST_PODS)
    token = gcp_cluster.admin.token_for("default", "stranger")
    with pytest.raises(ApiError) as refused:
        aws_cluster.client(token).get(_PODS)
    assert refused.value.status == HTTPStatus.UNAUTHORIZED


def test_a_kubeconfig_holds_many_clusters(aws_cluster: ControlPlane, gcp_cluster: ControlPlane, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    contexts = [aws_cluster.context(namespace="shop"), gcp_cluster.context("a-token")]
    write_kubeconfig(path, contexts, current="gcp-shop")
    written = json.loads(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    assert written["current-context"] == "gcp-shop"
    assert [each["context"]["cluster"] for each in written["contexts"]] == ["aws-shop", "gcp-shop"]
    assert written["users"][1]["user"] == {"token": "a-token"}


def test_a_client_certificate_logs_in(aws_cluster: ControlPlane) -> None:
    pair = aws_cluster.client_certificate("jane", ["system:masters"])
    tls = ssl.create_default_context(cafile=str(aws_cluster.ca_file))
    tls.load_cert_chain(pair.certificate, pair.key)
    address = aws_cluster.server.removeprefix("https://")
    connection = HTTPSConnection(address, context=tls, timeout=10)
    connection.request("GET", "/api/v1/secrets")
    assert connection.getresponse().status == HTTPStatus.OK
    connection.close()


def test_a_cluster_of_ones_own(tools: Tools, tmp_path: Path) -> None:
    """Own nodes, a crash and a hang of the API server, and no process left at the end."""
    plane = ControlPlane(tools, tmp_path / "cluster", ClusterSpec(name="own", node_count=0))
    with plane:
        pids = plane.pids
        assert "kwok" in pids
        plane.admin.create_node(NodeSpec(name="a", internal_ip="192.168.7.9"))
        wait_for_nodes(plane.admin, 1)
        plane.restart("kube-apiserver")
        assert _internal_ips(plane) == {"192.168.7.9"}
        pids |= {"again": plane.pids["kube-apiserver"]}
    assert not plane.pids
    assert not any(_is_alive(pid) for pid in pids.values())


def test_a_failed_start_shows_the_log_and_leaves_nothing(tools: Tools, tmp_path: Path) -> None:
    (no_stages := tmp_path / "stages.yaml").touch()
    spec = ClusterSpec(name="broken", node_count=0)
    plane = ControlPlane(replace(tools, kwok_stages=no_stages), tmp_path / "cluster", spec)
    with pytest.raises(ProcessDiedError, match=r"(?s)kwok ended with 1.*no stages"), plane:
        pass
    assert not plane.pids


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """Even a SIGKILL of the test run leaves no API server behind."""
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.cluster.rig.processes import Child
        child = Child("sleeper", ["/bin/sleep", "600"], Path(sys.argv[1]))
        child.start()
        print(child.pid, flush=True)
        sys.stdin.read()
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    repository = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_alive(pid)
        parent.kill()
    wait_for("the sleeper gone", lambda: not _is_alive(pid), timeout_s=10)


def test_a_dual_stack_cluster_gives_pods_both_families(
    cluster_factory: ClusterFactory,
) -> None:
    spec = ClusterSpec(
        name="dual",
        pod_cidr="10.244.0.0/16,fd00:10:244::/56",
        service_cidr="10.96.0.0/16,fd00:10:96::/112",
        node_count=1,
    )
    plane = cluster_factory(spec)
    ranges = [ip_network(each) for each in _nodes(plane)[0]["spec"]["podCIDRs"]]
    assert [each.version for each in ranges] == [4, 6]
    for pod in plane.admin.items(_PODS):
        addresses = [ip_address(each["ip"]) for each in pod["status"]["podIPs"]]
        assert all(address in each for address, each in zip(addresses, ranges, strict=True))
    plane.stop()
