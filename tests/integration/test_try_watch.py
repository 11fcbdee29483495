"""`periplus try --watch` shows dependencies as they come: real hub and spokes, and a Prometheus behind API servers.

The API servers are ours, and pass questions on to the Service of a Prometheus as real ones do.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.test_try_stopped import KUBECONFIG
from tests.integration.test_try_truth import cluster, forbid, kubeconfig, tried
from tests.support.commands import periplus
from tests.support.fake_exporter import FakeExporter, page
from tests.support.fake_prometheus import FakePrometheus, serving
from tests.support.fake_relay import FakeRelay, fake_relay
from tests.support.kube_api import FakeKube, Trouble
from tests.support.kube_objects import endpoint_slice, service
from tests.support.metric_readers import ISTIO
from tests.support.try_watch import PATIENCE_S, Running, trying, waits
from tests.support.vendor_metrics import CILIUM

BEHIND = "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy"
AGENT = "/api/v1/namespaces/kube-system/pods/http:cilium-x7k2p:9965/proxy"
VERDICTS = "hubble_policy_verdicts_total"


def bare(number: int) -> FakeKube:
    """Without anything to read flows from."""
    return cluster(f"uid-{number}", f"192.168.{number}.1", f"10.{40 + number}.0.0/24")


def meshed(number: int) -> FakeKube:
    """With a mesh."""
    kube = bare(number)
    kube.put("/api/v1/services", service("istiod", namespace="istio-system", ports=[{"port": 15010}]))
    for name in ("web", "db"):
        kube.put("/apis/apps/v1/deployments", {"metadata": {"name": name, "namespace": "shop"}})
    return kube


def measured(number: int) -> FakeKube:
    """With a mesh and a Prometheus, to which its API server passes questions on."""
    kube = meshed(number)
    kube.put("/api/v1/services", service("prometheus", namespace="monitoring", ports=[{"port": 9090}]))
    kube.passed_on[BEHIND] = FakePrometheus(ISTIO).answer
    return kube


def counting(number: int) -> FakeKube:
    """With Hubble's metrics at an agent of Cilium."""
    kube = bare(number)
    kube.put("/apis/apps/v1/deployments", {"metadata": {"name": "web", "namespace": "shop"}})
    metrics = service("hubble-metrics", (), namespace="kube-system", clusterIP="None", ports=[{"port": 9965}])
    kube.put("/api/v1/services", metrics)
    agent = {"kind": "Pod", "namespace": "kube-system", "name": "cilium-x7k2p", "uid": "uid-cilium"}
    piece = endpoint_slice(
        "hubble-metrics-1", "hubble-metrics", [{"addresses": ["10.0.0.1"], "targetRef": agent}], ports=[{"port": 9965}]
    )
    piece["metadata"]["namespace"] = "kube-system"
    kube.put("/apis/discovery.k8s.io/v1/endpointslices", piece)
    kube.passed_on[AGENT] = FakeExporter(lambda turn: page({VERDICTS: [(CILIUM, 3.0 * turn)]})).answer
    return kube


@asynccontextmanager
async def watching(folder: Path, *options: str, **clusters: FakeKube) -> AsyncIterator[Running]:
    async with kubeconfig(folder, **clusters) as path, trying(path, folder, *options) as running:
        yield running


async def test_dependencies_come_with_bytes_and_coverage_until_ctrl_c(tmp_path: Path) -> None:
    """One has a mesh, one nothing."""
    east, west = measured(1), bare(2)
    async with watching(tmp_path, "--json", east=east, west=west) as running:
        report = json.loads(await running.line())
        lines = {each["name"]: each for each in report["clusters"]}
        assert report["what"] == "report"
        assert [each["kind"] for each in lines["east"]["flowSources"] if each["chosen"]] == ["istio"]
        assert lines["west"]["flowCommand"] == "periplus join-token create --agents-of west"
        news = await running.until(lambda found: found["dependencies"])
        code, rest, said = await running.stopped()
    assert code == 0, said
    [edge] = news["dependencies"]
    assert (edge["source"]["name"], edge["destination"]["name"], edge["isNew"]) == ("web", "db", True)
    # Each minute has the same; how many were told by now is not known here.
    assert edge["bytesTx"] % 100 == 0 < edge["bytesTx"]
    assert edge["bytesRx"] == 9 * edge["bytesTx"]
    assert waits("west", "no-source")(news)
    summary = json.loads(rest[-1])
    assert (summary["what"], summary["ended"], summary["dependencyCount"]) == ("summary", "stopped", 1)
    assert summary["coverage"]["ratio"] > 0
    [without] = summary["coverage"]["clustersWithoutFlows"]
    assert without == {"name": "west", "flowCommand": "periplus join-token create --agents-of west"}
    assert {each.method for each in east.requests if "/proxy/" in each.path} == {"GET"}


async def test_a_person_reads_a_line_for_each_and_a_summary(tmp_path: Path) -> None:
    async with watching(tmp_path, east=measured(1)) as running:
        while "→" not in (shown := await running.line()):
            pass
        code, rest, said = await running.stopped()
    assert code == 0, said
    assert "UTC new  shop/web@east → shop/db@east, TCP: " in shown
    assert " bytes to, " in shown
    end = rest[rest.index("1 dependency") :]
    assert end[1].startswith("  east: told until 2"), end
    assert "of what active clusters were to tell" in said


async def test_without_a_source_anywhere_it_ends_at_once_with_the_command_for_each(tmp_path: Path) -> None:
    """One has agents, which send elsewhere; of one Services may not be listed."""
    agents, empty, unseen = bare(1), bare(2), bare(3)
    agents.put("/apis/apps/v1/daemonsets", {"metadata": {"name": "periplus-node", "namespace": "periplus"}})
    forbid(unseen, "/api/v1/services")
    ended = await tried(tmp_path, "--watch", "1h", agents=agents, empty=empty, unseen=unseen)
    assert ended.code == 1, (ended.out, ended.err)
    assert ended.out.endswith("no flows can be read in any of these clusters\n")
    assert "empty no flows: no agents on its nodes\n    → periplus join-token create --agents-of empty\n" in ended.err
    assert "agents no flows: conntrack: its agents send to the hub that they joined, not to this one\n" in ended.err
    assert "unseen flows not known: Services may not be listed\n" in ended.err


async def test_a_prometheus_without_metrics_of_any_source_is_none(tmp_path: Path) -> None:
    kube = bare(1)
    kube.put("/api/v1/services", service("prometheus", namespace="monitoring", ports=[{"port": 9090}]))
    kube.passed_on[BEHIND] = FakePrometheus().answer
    ended = await tried(tmp_path, "--watch", "1h", "--json", east=kube)
    assert ended.code == 1, (ended.out, ended.err)
    summary = json.loads(ended.out.splitlines()[-1])
    assert summary["ended"] == "no-source"
    assert "no Prometheus that answers has metrics of obi" in summary["waiting"][0]["message"]


async def test_who_may_not_ask_is_told_the_right_and_a_way_without_it(tmp_path: Path) -> None:
    kube = measured(1)
    why = 'services "http:prometheus:9090" is forbidden: User "ann" cannot get resource "services/proxy"'
    kube.trouble(f"{BEHIND}/api/v1/query", Trouble(status=403, times=10_000, message=why))
    async with watching(tmp_path, "--json", east=kube) as running:
        [said] = (await running.until(waits("east", "trouble")))["waiting"]
        code, rest, _ = await running.stopped()
    assert code == 1
    assert why in said["message"]
    assert "'get' on services/proxy of the name http:prometheus:9090 in the namespace monitoring" in said["message"]
    assert "--prometheus east=http://127.0.0.1:9090" in said["message"]
    assert said["command"].endswith("--context east --namespace monitoring port-forward service/prometheus 9090:9090")
    summary = json.loads(rest[-1])
    assert (summary["ended"], summary["dependencyCount"], summary["coverage"]["ratio"] or 0) == ("stopped", 0, 0)


async def test_it_ends_by_itself_when_its_time_is_over(tmp_path: Path) -> None:
    kube = measured(1)
    kube.trouble(f"{BEHIND}/api/v1/query", Trouble(status=403, times=10_000))
    ended = await tried(tmp_path, "--watch", "1s", east=kube)
    assert ended.code == 1, (ended.out, ended.err)
    assert "\nno flows came\n  east: told nothing\n" in ended.out
    assert "flows of east: kubectl " in ended.err


async def test_metrics_of_cilium_come_from_a_prometheus_without_bytes(tmp_path: Path) -> None:
    kube = counting(1)
    kube.put("/api/v1/services", service("prometheus", namespace="monitoring", ports=[{"port": 9090}]))
    kube.passed_on[BEHIND] = FakePrometheus({VERDICTS: [(CILIUM, 3.0)]}).answer
    async with watching(tmp_path, "--json", east=kube) as running:
        news = await running.until(lambda found: found.get("dependencies"))
        code, _, said = await running.stopped()
    assert code == 0, said
    # The Prometheus has the same number for each verdict that it is asked for.
    [edge] = [each for each in news["dependencies"] if each["verdict"] == "forwarded"]
    assert (edge["source"]["name"], edge["bytesTx"], edge["bytesRx"]) == ("web", None, None)
    assert edge["connectionsOpened"] % 3 == 0 < edge["connectionsOpened"]
    assert not [each for each in kube.requests if each.path.startswith(AGENT)]


async def test_without_a_prometheus_agents_of_cilium_are_read_or_the_right_to_do_so_is_named(tmp_path: Path) -> None:
    """Their pages are read when a minute is over."""
    kube = counting(1)
    why = 'pods "http:cilium-x7k2p:9965" is forbidden: User "ann" cannot get resource "pods/proxy"'
    kube.trouble(f"{AGENT}/metrics", Trouble(status=403, times=10_000, message=why))
    async with watching(tmp_path, "--json", east=kube) as running:
        lines = {each["name"]: each for each in json.loads(await running.line())["clusters"]}
        assert [each["kind"] for each in lines["east"]["flowSources"] if each["chosen"]] == ["cilium-mesh"]
        [said] = (await running.until(waits("east", "trouble")))["waiting"]
        code, _, _ = await running.stopped()
    assert code == 1
    passed_on = {(each.method, each.path) for each in kube.requests if "/proxy/" in each.path}
    assert passed_on == {("GET", f"{AGENT}/metrics")}
    assert why in said["message"]
    assert "the right 'get' on pods/proxy in the namespace kube-system" in said["message"]


async def test_a_prometheus_at_an_address_is_read_past_the_api_server(tmp_path: Path) -> None:
    kube = meshed(1)
    async with (
        serving(FakePrometheus(ISTIO)) as prometheus,
        watching(tmp_path, "--json", "--prometheus", f"east={prometheus.url}", east=kube) as running,
    ):
        news = await running.until(lambda found: found.get("dependencies"))
        code, _, said = await running.stopped()
    assert code == 0, said
    assert [each["destination"]["name"] for each in news["dependencies"]] == ["db"]
    assert not [each for each in kube.requests if "/proxy/" in each.path]


async def test_a_relay_is_read_at_an_address_and_else_the_way_to_it_is_named(tmp_path: Path) -> None:
    east, west = bare(1), bare(2)
    for kube in (east, west):
        kube.put("/api/v1/services", service("hubble-relay", namespace="kube-system", ports=[{"port": 80}]))
    async with fake_relay(FakeRelay()) as relay:
        address = f"east=http://127.0.0.1:{relay.port}"
        async with watching(tmp_path, "--json", "--hubble-relay", address, east=east, west=west) as running:
            found = await running.until(waits("west", "no-source"))
            await asyncio.wait_for(relay.asked.wait(), PATIENCE_S)
            await running.stopped()
    assert waits("east", "first-minute")(found)
    [said] = [each for each in found["waiting"] if each["cluster"] == "west"]
    assert "no API server passes gRPC on" in said["message"]
    assert said["command"].endswith("--namespace kube-system port-forward service/hubble-relay 4245:80")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--watch", "5x"), "--watch '5x' is no time"),
        (("--watch", "0m"), "--watch '0m' is no time to watch"),
        (("--prometheus", "away=http://p"), "Give --watch 5m"),
        (("--watch", "5m", "--prometheus", "elsewhere=http://p"), "names no context that is read"),
        (("--watch", "5m", "--hubble-relay", "away=relay:80"), "has no address behind the context"),
        (("--watch", "5m", *(("--hubble-relay", "away=http://r") * 2)), "names two addresses of away"),
        (("--watch", "5m", "--preflight", "skupper"), "--preflight and --watch ask about different things"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    ended = periplus("try", "--kubeconfig", str(config), *options, home=tmp_path)
    assert (ended.code, said in ended.err) == (64, True), ended.err
