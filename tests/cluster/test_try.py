"""`periplus try` against real API servers: the overlaps that were put there and no others.

The spokes run with a ServiceAccount's token and exactly the rights that `periplus-spoke check` documents.
"""

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from periplus_spoke.collectors.rbac import NAME, manifests

from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubeconfig import Context, write_kubeconfig
from tests.support.commands import Outcome, periplus
from tests.support.fake_prometheus import FakePrometheus, serving
from tests.support.metric_readers import ISTIO
from tests.support.try_watch import trying, waits

NAMESPACE = "periplus"
PORT = 9090


def documented_context(plane: ControlPlane) -> Context:
    """A context that may do what the documentation says a spoke needs, and nothing else."""
    admin = plane.admin
    for manifest in ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *manifests(NAMESPACE)):
        admin.apply(manifest)
    return plane.context(admin.token_for(NAMESPACE, NAME))


@pytest.fixture(scope="module")
def contexts(aws_cluster: ControlPlane, gcp_cluster: ControlPlane) -> list[Context]:
    return [documented_context(aws_cluster), documented_context(gcp_cluster)]


@pytest.fixture(scope="module")
def kubeconfig(contexts: list[Context], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kubeconfig(tmp_path_factory.mktemp("kube") / "config", contexts)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def apart(kubeconfig: Path, home: Path) -> Outcome:
    return periplus("try", "--kubeconfig", str(kubeconfig), "--json", home=home)


def test_every_cluster_is_read_whole(apart: Outcome, aws_cluster: ControlPlane, gcp_cluster: ControlPlane) -> None:
    assert apart.code == 0, apart.err
    clusters = {cluster["context"]: cluster for cluster in apart.document["clusters"]}
    assert clusters.keys() == {"aws-shop", "gcp-shop"}
    for plane in (aws_cluster, gcp_cluster):
        found = clusters[plane.spec.name]
        assert found["state"] == "complete", found
        assert found["nodes"] == plane.spec.node_count
        assert found["pods"] == plane.spec.pod_count
        # The API server's own `kubernetes` Service is one more than what was put there.
        assert found["services"] == len(list(plane.admin.items("/api/v1/services")))
        assert found["version"] == "v1.36.3"
    assert (clusters["aws-shop"]["provider"], clusters["aws-shop"]["region"]) == ("aws", "eu-west-1")
    assert (clusters["gcp-shop"]["provider"], clusters["gcp-shop"]["region"]) == ("gcp", "europe-west1")


def shared_ranges(*planes: ControlPlane) -> set[str]:
    """Pod ranges that every cluster may use, and those that nodes of every cluster have: what must be reported."""
    per_cluster = [
        {cidr for node in plane.admin.items("/api/v1/nodes") for cidr in node["spec"]["podCIDRs"]}
        | {plane.spec.pod_cidr}
        for plane in planes
    ]
    return set.intersection(*per_cluster)


def check_groups(groups: list[dict[str, Any]], shared: set[str], severity: str) -> None:
    found = {member["cidr"] for group in groups for member in group["members"]}
    assert found == shared
    for group in groups:
        assert group["family"] == 4
        assert group["severity"] == severity
        assert {member["kind"] for member in group["members"]} == {"pod"}, group
        assert {member["cluster"] for member in group["members"]} == {"aws-shop", "gcp-shop"}, group
        assert group["breaks"]
        assert group["remedies"]


def test_the_overlaps_put_there_and_no_others(
    apart: Outcome, aws_cluster: ControlPlane, gcp_cluster: ControlPlane
) -> None:
    check_groups(apart.document["overlapGroups"], shared_ranges(aws_cluster, gcp_cluster), "latent")


def test_joined_asks_what_if_and_fail_on_answers_scripts(
    kubeconfig: Path, home: Path, aws_cluster: ControlPlane, gcp_cluster: ControlPlane
) -> None:
    joined = periplus(
        "try", "--kubeconfig", str(kubeconfig), "--json", "--joined", "--fail-on", "blocks-federation", home=home
    )
    assert joined.code == 2, joined.err
    assert joined.document["joined"] is True
    check_groups(joined.document["overlapGroups"], shared_ranges(aws_cluster, gcp_cluster), "blocks-federation")


@pytest.fixture(scope="module")
def troubled(
    contexts: list[Context], gcp_cluster: ControlPlane, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """One good context among bad ones."""
    good, admin = contexts[0], gcp_cluster.admin
    rules = [{"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list", "watch"]}]
    admin.grant(NAMESPACE, "half-blind", rules)
    half_blind = gcp_cluster.context(admin.token_for(NAMESPACE, "half-blind"))
    bad: dict[str, dict[str, Any]] = {
        "closed": {"server": "https://127.0.0.1:1"},
        "nobody": {"token": "not-a-token"},
        "wrong-ca": {"ca_data": contexts[1].ca_data},
        "same-again": {},
        "half-blind": {"server": half_blind.server, "ca_data": half_blind.ca_data, "token": half_blind.token},
    }
    fields = {"server": good.server, "ca_data": good.ca_data, "token": good.token}
    listed = [good, *(Context(name=name, **(fields | change)) for name, change in bad.items())]
    path = write_kubeconfig(tmp_path_factory.mktemp("kube") / "troubled", listed)
    return periplus("try", "--kubeconfig", str(path), "--json", home=home)


@pytest.mark.promise("sources-fail-alone")
@pytest.mark.parametrize(
    ("context", "reasons"),
    [("closed", {"unreachable"}), ("nobody", {"unauthorized", "expired_token"}), ("wrong-ca", {"tls"})],
)
def test_a_bad_context_is_a_line_and_the_others_go_on(troubled: Outcome, context: str, reasons: set[str]) -> None:
    clusters = {cluster["context"]: cluster for cluster in troubled.document["clusters"]}
    assert clusters[context]["state"] == "unread"
    assert clusters[context]["reason"] in reasons, clusters[context]
    assert clusters[context]["message"]
    assert clusters[context]["remedy"]
    assert clusters[context]["pods"] is None
    assert troubled.code == 0


@pytest.mark.promise("unknown-is-not-zero")
def test_fail_on_gives_no_all_clear_for_what_was_not_read(contexts: list[Context], home: Path, tmp_path: Path) -> None:
    closed = replace(contexts[1], server="https://127.0.0.1:1")
    path = write_kubeconfig(tmp_path / "config", [contexts[0], closed])
    looked = periplus("try", "--kubeconfig", str(path), "--json", "--fail-on", "latent", home=home)
    assert looked.code == 1, looked.err
    assert f"--fail-on latent has no answer while not all is known: {closed.name} (unread: unreachable)" in looked.err
    assert len(looked.document["clusters"]) == 2


def test_of_two_contexts_of_one_cluster_the_first_is_read(troubled: Outcome) -> None:
    clusters = {cluster["context"]: cluster for cluster in troubled.document["clusters"]}
    assert clusters["aws-shop"]["nodes"]
    again = clusters["same-again"]
    assert (again["state"], again["reason"]) == ("pending", "same_cluster")
    assert again["message"] == "same as aws-shop: both lead to one cluster, which is read once"


@pytest.mark.promise("unknown-is-not-zero")
def test_what_may_not_be_read_is_said_and_not_zero(troubled: Outcome) -> None:
    line = next(cluster for cluster in troubled.document["clusters"] if cluster["context"] == "half-blind")
    assert line["state"] == "incomplete", line
    assert line["nodes"] == 5
    assert line["pods"] is None
    assert line["remedy"]


@pytest.mark.promise("try-leaves-nothing")
def test_nothing_is_written_to_the_clusters(kubeconfig: Path, home: Path, aws_cluster: ControlPlane) -> None:
    """Nothing new, nothing changed, nothing gone."""
    before = everything(aws_cluster)
    assert periplus("try", "--kubeconfig", str(kubeconfig), "--context", "aws-shop", home=home).code == 0
    assert everything(aws_cluster) == before


@pytest.mark.promise("try-leaves-nothing")
async def test_flows_come_through_a_real_api_server_once_it_lets_us_ask(
    kubeconfig: Path, home: Path, aws_cluster: ControlPlane
) -> None:
    """The right that is named is the one that is lacking, and asking writes nothing."""
    admin, options = aws_cluster.admin, ("--context", "aws-shop", "--json")
    async with serving(FakePrometheus(ISTIO), host=own_address()) as prometheus:
        made = [*service_of(prometheus), *may_ask(f"http:prometheus:{PORT}")]
        try:
            for manifest in made[:-2]:
                admin.apply(manifest)
                if "status" in manifest:
                    admin.patch(f"{admin.path_of(manifest)}/status", {"status": manifest["status"]})
            async with trying(kubeconfig, home, *options) as running:
                [said] = (await running.until(waits("aws-shop", "trouble")))["waiting"]
                await running.stopped()
            assert f'services "http:prometheus:{PORT}" is forbidden' in said["message"]
            assert f"of the name http:prometheus:{PORT} in the namespace {NAMESPACE}" in said["message"]
            for manifest in made[-2:]:
                admin.apply(manifest)
            before = everything(aws_cluster)
            async with trying(kubeconfig, home, *options) as running:
                news = await running.until(lambda found: found.get("dependencies"))
                code, _, said_last = await running.stopped()
            assert code == 0, said_last
            assert [each["destination"]["name"] for each in news["dependencies"]] == ["db"]
            assert everything(aws_cluster) == before
        finally:
            for manifest in made:
                admin.delete(admin.path_of(manifest))


def own_address() -> str:
    """Of this machine, as no Service may lead to its loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def service_of(prometheus: FakePrometheus) -> list[dict[str, Any]]:
    """A Service, and a pod behind it that is really there: an API server passes nothing on to anything else."""
    host, _, port = prometheus.url.removeprefix("http://").partition(":")
    metadata = {"name": "prometheus", "namespace": NAMESPACE}
    container = {"name": "prometheus", "image": "prometheus"}
    behind = {"ip": host, "targetRef": {"kind": "Pod", **metadata}}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"name": "web", "port": PORT}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [container], "schedulerName": "nobody"},
            "status": {"phase": "Running", "podIP": host, "podIPs": [{"ip": host}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": metadata,
            "subsets": [{"addresses": [behind], "ports": [{"name": "web", "port": int(port)}]}],
        },
    ]


def may_ask(name: str) -> list[dict[str, Any]]:
    """The right that the message names, and no other."""
    api, metadata = "rbac.authorization.k8s.io", {"name": "ask-prometheus", "namespace": NAMESPACE}
    rule = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"], "resourceNames": [name]}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    return [
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "Role", "name": metadata["name"]},
            "subjects": [subject],
        },
    ]


def everything(plane: ControlPlane) -> dict[str, str]:
    """What people wrote into every object of every kind, and who else than the cluster's own programs wrote it.

    Those report at any time: on a busy machine a heartbeat comes late, and pods, their owners and slices say so.
    """
    found = {}
    for path in plane.admin.collections():
        kind = path.rpartition("/")[2]
        if kind not in {"leases", "events", "componentstatuses"}:
            for item in plane.admin.items(path):
                meta = item["metadata"]
                writers = {each["manager"] for each in meta.get("managedFields", ())}
                told = {name: item[name] for name in ("spec", "data", "rules", "subjects") if name in item}
                if kind == "nodes":
                    told = {}  # kubelets, here kwok, write into their nodes
                others = sorted(each for each in writers if not each.startswith(("kube-", "kwok")))
                found[f"{path} {meta['name']} {meta['uid']}"] = json.dumps([others, told], sort_keys=True)
    return found
