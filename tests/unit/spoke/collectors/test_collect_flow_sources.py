"""What the agent of a cluster tells of its sources of flows, from an API server that shows them."""

from pathlib import Path

from periplus_spoke.collectors.config import CollectConfig

from tests.support.kube_api import FakeKube, Trouble
from tests.support.kube_objects import service
from tests.unit.spoke.collectors.test_collect_cluster import collecting

RELAY = service("hubble-relay", namespace="kube-system", ports=[{"port": 80}])


async def test_sources_are_told_with_the_first_snapshot_and_follow_what_comes_and_goes(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put("/apis/apps/v1/daemonsets", {"metadata": {"name": "cilium", "namespace": "kube-system"}})
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        assert "flow_sources" in hub.told[0].covers
        told = hub.tables["flow_sources"]
        assert (told["hubble"]["state"], told["hubble"]["command"]) == (
            "absent",
            "cilium hubble enable --namespace kube-system",
        )
        assert told["conntrack"]["command"] == "periplus join-token create --agents-of CLUSTER"
        fake.put("/api/v1/services", RELAY)
        await hub.until(lambda h: "hubble/kube-system/hubble-relay" in h.tables["flow_sources"])
        found = hub.tables["flow_sources"]["hubble/kube-system/hubble-relay"]
        assert (found["state"], found["place"]) == ("found", "kube-system/hubble-relay:80")
        assert "hubble" not in hub.tables["flow_sources"]
        fake.delete("/api/v1/services", "hubble-relay", "kube-system")
        await hub.until(lambda h: "hubble" in h.tables["flow_sources"])


async def test_what_may_not_be_listed_is_unknown_and_says_so(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.trouble("/api/v1/services", Trouble(status=403, times=99))
    async with collecting(fake, tmp_path) as (hub, collectors):
        await collectors.wait_until_settled()
        told = hub.tables["flow_sources"]
    assert (told["hubble"]["state"], told["hubble"]["why"]) == ("unknown", "Services may not be listed")
    assert told["conntrack"]["state"] == "absent"


async def test_the_configuration_chooses(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put("/apis/apps/v1/daemonsets", {"metadata": {"name": "periplus-node", "namespace": "periplus"}})
    config = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=10, flow_sources=("istio",))
    async with collecting(fake, tmp_path, config) as (hub, collectors):
        await collectors.wait_until_settled()
        told = hub.tables["flow_sources"]["conntrack/periplus/periplus-node"]
    assert told["use"] == "not-chosen"
    assert told["why"].startswith("flow_sources of the spoke does not name it")
