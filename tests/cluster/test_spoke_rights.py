"""A spoke on a real API server with exactly the rights it asks for: enough, and no more."""

from __future__ import annotations

import asyncio
import base64
import random
import re
from pathlib import Path

import pytest
import yaml

from periplus_contract.tables import Kind
from periplus_spoke.collectors.cluster_collectors import ClusterCollectors
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.rbac import manifests, render
from periplus_spoke.collectors.rights_check import check
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials

from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubeconfig import write_kubeconfig
from tests.cluster.rig.polling import wait_for
from tests.support.collecting import BelievingSink
from tests.support.shown_commands import ROOT

_NAMESPACE = "spoke-rights"
_POOR = "default"


def _client(plane: ControlPlane, folder: Path, token: str) -> KubeClient:
    config = write_kubeconfig(folder / "config", [plane.context(token)])
    return KubeClient(KubeconfigCredentials(str(config)), SystemClock())


def _token(plane: ControlPlane, name: str) -> str:
    plane.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
    for manifest in manifests(_NAMESPACE, name):
        plane.admin.apply(manifest)
    return plane.admin.token_for(_NAMESPACE, name)


@pytest.mark.promise("spokes-only-read")
async def test_the_rendered_rights_are_enough(aws_cluster: ControlPlane, tmp_path: Path) -> None:
    client = _client(aws_cluster, tmp_path, _token(aws_cluster, "spoke-enough"))
    timer, sink = SystemClock(), BelievingSink()
    collectors = ClusterCollectors(client, CollectConfig(first_snapshot_wait_s=60), timer, random.Random(2))
    assert (await check(client, SystemClock())).ok
    identity = await collectors.identity()
    assert (identity.name, identity.node_count) == (aws_cluster.spec.name, aws_cluster.spec.node_count)
    assert len(identity.api_ca_sha256) == 64
    task = asyncio.create_task(collectors.run(sink))
    await sink.until(lambda it: it.told[-1].kind is Kind.IPAM if it.told else False, timeout_s=90)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
    states = {name: row["state"] for name, row in sink.tables["sources"].items()}
    assert {name: state for name, state in states.items() if state not in {"ok", "absent"}} == {}
    assert len(sink.tables["nodes"]) == aws_cluster.spec.node_count
    assert len(sink.tables["pods"]) >= aws_cluster.spec.pod_count
    assert all(row["workload_kind"] == "Deployment" for row in sink.tables["pods"].values())
    (cluster,) = sink.tables["cluster"].values()
    assert (cluster["provider"], cluster["region"]) == ("aws", "eu-west-1")
    kinds = {row["kind"] for row in sink.tables["allocations"].values()}
    assert {"node", "pod", "service"} <= kinds


async def test_without_rights_check_prints_what_would_grant_them(aws_cluster: ControlPlane, tmp_path: Path) -> None:
    aws_cluster.admin.grant(_POOR, "poor", [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}])
    client = _client(aws_cluster, tmp_path, aws_cluster.admin.token_for(_POOR, "poor"))
    report = await check(client, SystemClock())
    await client.close()
    lacking = {source.source: source.lacking for source in report.sources if source.lacking}
    assert lacking["pods"] == ("list", "watch")
    assert lacking["namespaces"] == ("list", "watch")
    assert lacking["kube-system/cilium-config"] == ("get",)
    assert list(yaml.safe_load_all(render())) == manifests()
    assert render().rstrip() in "\n".join(report.lines())


async def test_the_manifests_of_the_documentation_make_a_token_that_is_enough(
    gcp_cluster: ControlPlane, tmp_path: Path
) -> None:
    """As `kubectl apply` would, in a cluster where nothing is prepared."""
    page = (ROOT / "docs/operate/kubeconfig.md").read_text(encoding="utf-8")
    [secret] = yaml.safe_load_all(*re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    for manifest in yaml.safe_load_all((ROOT / "docs/reference/rbac.yaml").read_text(encoding="utf-8")):
        gcp_cluster.admin.apply(manifest)
    gcp_cluster.admin.apply(secret)
    place = secret["metadata"]

    def token() -> str | None:
        path = f"/api/v1/namespaces/{place['namespace']}/secrets/{place['name']}"
        found: str | None = gcp_cluster.admin.get(path).get("data", {}).get("token")
        return found

    wait_for("the token in the Secret", lambda: token() is not None, timeout_s=60)
    given = token() or ""
    client = _client(gcp_cluster, tmp_path, base64.b64decode(given).decode())
    report = await check(client, SystemClock())
    await client.close()
    assert report.ok, report.lines()
