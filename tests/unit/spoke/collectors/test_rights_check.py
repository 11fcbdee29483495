"""`check` names what is lacking and prints what would grant it; the rights are the least."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.rbac import RULES, manifests, render
from periplus_spoke.collectors.rights_check import check
from periplus_spoke.collectors.watched_kinds import catalog, service_catalog
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock

from tests.support.kube_api import DEFAULT_COLLECTIONS, FakeKube, Trouble
from tests.support.kube_objects import service
from tests.support.kube_session import session

CLOCK = SystemClock()
POOLS = "/apis/metallb.io/v1beta1/ipaddresspools"


async def test_everything_readable(tmp_path: Path) -> None:
    async with session(FakeKube(), tmp_path) as client:
        report = await check(client, CLOCK)
    assert report.ok
    assert "ok      pods" in "\n".join(report.lines())
    assert "absent  about.k8s.io/clusterproperties" in "\n".join(report.lines())
    assert "ClusterRole" not in "\n".join(report.lines())


async def test_what_is_lacking_is_named_with_the_manifests(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.denied = {("watch", "pods"), ("list", "endpointslices")}
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    assert not report.ok
    text = "\n".join(report.lines())
    assert "LACKING pods: may not watch" in text
    assert "LACKING discovery.k8s.io/endpointslices: may not list" in text
    assert render().rstrip() in text
    assert all(request.method in {"GET", "POST"} for request in fake.requests)


async def test_the_allocators_at_work_are_named(tmp_path: Path) -> None:
    fake = FakeKube((*DEFAULT_COLLECTIONS, POOLS))
    fake.put("/apis/apps/v1/daemonsets", {"metadata": {"name": "azure-cns", "namespace": "kube-system"}})
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    line = "network plugin: azure-cni; allocators that are read: azure-cni, metallb"
    assert report.lines()[1] == line


async def test_sources_of_flows_are_named_and_what_may_not_be_seen_is_not_said_to_be_absent(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put("/api/v1/services", service("hubble-relay", namespace="kube-system", ports=[{"port": 80}]))
    fake.trouble("/apis/apps/v1/daemonsets", Trouble(status=403, times=2))
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    line = report.lines()[2]
    assert line.startswith("sources of flows: hubble (kube-system/hubble-relay:80); not known of conntrack, obi")
    assert "goldmane" not in line
    async with session(FakeKube(), tmp_path) as client:
        assert (await check(client, CLOCK)).lines()[2] == "sources of flows: none found"


async def test_what_is_lacking_stands_first_and_the_most_important_of_it_at_the_top(tmp_path: Path) -> None:
    fake = FakeKube((*DEFAULT_COLLECTIONS, POOLS, "/apis/acn.azure.com/v1alpha/nodenetworkconfigs"))
    lacking = ("cronjobs", "servicecidrs", "ipaddresspools", "nodenetworkconfigs", "pods")
    fake.denied = {("list", plural) for plural in lacking}
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    told = [source.source for source in report.sources if source.lacking]
    assert [source.source for source in report.sources][: len(told)] == told
    assert told == [
        "pods",
        "acn.azure.com/nodenetworkconfigs",
        "metallb.io/ipaddresspools",
        "networking.k8s.io/servicecidrs",
        "batch/cronjobs",
    ]
    assert "  LACKING pods: may not list (what has which address)" in report.lines()


async def test_where_hardly_anything_may_be_read_the_plugin_is_unknown(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.trouble("/apis/apps/v1/daemonsets", Trouble(status=403, times=2))
    fake.trouble("/api/v1/nodes", Trouble(status=403, times=2))
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    assert report.lines()[1].startswith("network plugin: of an unknown kind; allocators that are read: node-podcidr")


async def test_what_may_not_even_be_identified_is_told_what_it_lacks(tmp_path: Path) -> None:
    """The remedy of every "forbidden" is this command, so it has to help."""
    fake = FakeKube()
    fake.trouble("/api/v1/namespaces/kube-system", Trouble(status=403, times=2))
    fake.denied = {("get", "namespaces")}
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    assert not report.ok
    assert report.identity is None
    assert "\n".join(report.lines()).startswith("cannot read this cluster: GET /api/v1/namespaces/kube-system")
    assert "LACKING namespaces: may not get" in "\n".join(report.lines())
    assert render().rstrip() in "\n".join(report.lines())


async def test_an_unreachable_cluster_is_the_report(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.trouble("/version", Trouble(status=401, times=2))
    async with session(fake, tmp_path) as client:
        report = await check(client, CLOCK)
    assert not report.ok
    assert report.identity is None
    assert "the API server does not accept its token" in "\n".join(report.lines())


@pytest.mark.promise("spokes-only-read")
def test_the_rights_cover_every_watched_kind_and_no_secret() -> None:
    inventory = Inventory(LabelFilter())
    granted = {(rule.group, resource): rule.verbs for rule in RULES for resource in rule.resources}
    for watched in [*catalog(inventory), *service_catalog(inventory, "v1")]:
        assert {"list", "watch"} <= set(granted[watched.resource.group, watched.resource.plural])
    assert {verb for verbs in granted.values() for verb in verbs} <= {"get", "list", "watch"}
    assert not any("secrets" in resource for _, resource in granted)


def test_the_manifests_are_yaml_and_bind_to_each_other() -> None:
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(render("net", "watcher")))
    assert documents == manifests("net", "watcher")
    kinds = [document["kind"] for document in documents]
    assert kinds == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert documents[2]["subjects"] == [{"kind": "ServiceAccount", "name": "watcher", "namespace": "net"}]
    assert documents[3]["rules"][0]["resourceNames"] == [
        "antrea-config",
        "calico-config",
        "canal-config",
        "cilium-config",
        "kube-flannel-cfg",
        "kube-proxy",
        "kubeadm-config",
    ]
