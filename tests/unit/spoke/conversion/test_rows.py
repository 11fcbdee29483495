"""Objects of every shape become rows; what is missing or odd is null, never an error and never a guess."""

from typing import Any

import pytest

from periplus_contract.tables import (
    CLUSTER,
    ENDPOINTS,
    IP_ADDRESSES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_CIDRS,
    SERVICES,
    WORKLOADS,
    Table,
)
from periplus_spoke.conversion import rows
from periplus_spoke.conversion.cluster_row import ClusterAsRead, NodeHints, cluster_row
from periplus_spoke.conversion.node_location import NodeLocation, from_provider_id, location_of, majority
from periplus_spoke.conversion.objects import (
    EndpointSlice,
    IpAddress,
    Node,
    Pod,
    Replicated,
    Service,
    ServiceCidr,
    Thing,
)
from periplus_spoke.conversion.owners import Owners
from periplus_spoke.conversion.rows import Row
from periplus_spoke.conversion.text import LabelFilter, Sharing

from tests.support.decoding import decode
from tests.support.kube_objects import endpoint_slice, node, owned_by, pod, service

LABELS = LabelFilter(("team", "topology.kubernetes.io/*"))
SEEN_US = 1_800_000_000_000_000


def named(table: Table, row: Row) -> dict[str, Any]:
    assert len(row) == len(rows.positions(table))
    return dict(zip(rows.positions(table), row, strict=True))


def pod_of(thing: dict[str, Any], known_us: int | None = None) -> dict[str, Any]:
    found = decode(Pod, thing)
    return named(PODS, rows.pod_row(found, None, LABELS, rows.pod_end(found, known_us, SEEN_US)))


def test_empty_objects_have_rows_too() -> None:
    empty: dict[str, Any] = {"metadata": {"uid": "u"}}
    assert named(NAMESPACES, rows.namespace_row(decode(Thing, empty), LABELS))["name"] is None
    assert named(NODES, rows.node_row(decode(Node, empty), LABELS))["ready"] is None
    assert named(PODS, rows.pod_row(decode(Pod, empty), None, LABELS, None))["ipv4"] is None
    assert named(SERVICES, rows.service_row(decode(Service, empty), LABELS))["cluster_ips"] == ()
    assert named(WORKLOADS, rows.workload_row(decode(Thing, empty), "Job", "batch", LABELS))["replicas"] is None
    assert named(SERVICE_CIDRS, rows.service_cidr_row(decode(ServiceCidr, empty)))["ready"] is None
    assert named(IP_ADDRESSES, rows.ip_address_row(decode(IpAddress, empty)))["parent_name"] is None
    assert list(rows.endpoint_rows(decode(EndpointSlice, empty))) == []
    assert named(CLUSTER, cluster_row(ClusterAsRead(), [], ("unknown",)))["provider"] is None


def test_what_a_deployment_wants_is_kept_and_what_a_job_wants_is_not_known() -> None:
    web: dict[str, Any] = {"metadata": {"uid": "u", "name": "web"}, "spec": {"replicas": 3, "template": {}}}
    assert named(WORKLOADS, rows.workload_row(decode(Replicated, web), "Deployment", "apps", LABELS))["replicas"] == 3
    assert named(WORKLOADS, rows.workload_row(decode(Thing, web), "Job", "batch", LABELS))["replicas"] is None


def test_a_dual_stack_pod_in_either_order() -> None:
    for ips in (("10.0.0.1", "fd00::1"), ("fd00::1", "10.0.0.1")):
        row = pod_of(pod("a", ips))
        assert (row["ipv4"], row["ipv6"]) == ("10.0.0.1", "fd00::1")


def test_an_old_pod_with_only_podip_and_one_with_rubbish() -> None:
    old = pod("a", ("10.0.0.1",))
    del old["status"]["podIPs"]
    assert pod_of(old)["ipv4"] == "10.0.0.1"
    assert pod_of(pod("a", ("not-an-ip",)))["ipv4"] is None


def test_a_finished_pod_ended_when_its_last_container_did() -> None:
    done = pod("job", ("10.0.0.1",), phase="Succeeded")
    done["status"]["containerStatuses"] = [
        {"state": {"terminated": {"finishedAt": "2026-03-01T10:00:05Z"}}},
        {"state": {"terminated": {"finishedAt": "2026-03-01T10:00:09Z"}}},
        {"state": {"running": {}}},
    ]
    row = pod_of(done)
    assert row["ended_at"] - row["started_at"] == 9_000_000
    assert pod_of(pod("runs"))["ended_at"] is None


@pytest.mark.parametrize("containers", [None, [], [{"state": {"running": {}}}]])
def test_a_finished_pod_without_an_ended_container_has_ended_too(containers: Any) -> None:
    """Evicted, rejected and lost pods keep their address for days, and it may be someone else's by now."""
    lost = pod("lost", ("10.0.0.1",), phase="Failed")
    lost["status"] |= {"containerStatuses": containers, "conditions": [{"type": "Ready"}]}
    assert pod_of(lost)["ended_at"] == SEEN_US
    assert pod_of(lost, known_us=7)["ended_at"] == 7, "the first time counts"
    lost["status"]["conditions"] += [
        {"type": "Ready", "lastTransitionTime": "2026-03-01T10:00:05Z"},
        {"type": "DisruptionTarget", "lastTransitionTime": "2026-03-01T10:00:07Z"},
    ]
    assert pod_of(lost)["ended_at"] == 1_772_359_207_000_000
    lost["metadata"]["deletionTimestamp"] = "2026-03-02T00:00:00Z"
    assert pod_of(lost, known_us=1_772_359_207_000_000)["ended_at"] == 1_772_359_207_000_000
    running = pod("lost", ("10.0.0.1",))
    assert pod_of(running, known_us=7)["ended_at"] is None


def test_a_service_with_everything() -> None:
    thing = service(
        "web",
        ("10.96.0.5", "fd01::5"),
        type="LoadBalancer",
        externalIPs=["203.0.113.1"],
        ingress=[{"ip": "198.51.100.1"}, {"hostname": "lb.example.org"}],
        ports=[
            {"name": "https", "port": 443, "targetPort": "web", "nodePort": 30443, "appProtocol": "h2"},
            {"port": 53, "protocol": "UDP"},
        ],
        selector={"b": "2", "a": "1"},
        ipFamilies=["IPv4", "IPv6"],
        loadBalancerSourceRanges=["10.0.0.0/8"],
        trafficDistribution="PreferSameZone",
        sessionAffinity="None",
    )
    row = named(SERVICES, rows.service_row(decode(Service, thing), LABELS))
    assert row["cluster_ips"] == ("10.96.0.5", "fd01::5")
    assert row["ports"] == ("https|TCP|443|web|30443|h2", "|UDP|53|||")
    assert row["selector"] == ("a=1", "b=2")
    assert (row["load_balancer_ips"], row["load_balancer_hostnames"]) == (("198.51.100.1",), ("lb.example.org",))
    assert (row["type"], row["traffic_distribution"], row["headless"]) == ("LoadBalancer", "PreferSameZone", False)


def test_headless_and_external_name() -> None:
    headless = named(SERVICES, rows.service_row(decode(Service, service("db", ("None",))), LABELS))
    assert (headless["headless"], headless["cluster_ips"]) == (True, ())
    external = service("x", (), type="ExternalName", externalName="db.example.org")
    row = named(SERVICES, rows.service_row(decode(Service, external), LABELS))
    assert (row["external_name"], row["headless"]) == ("db.example.org", False)


def test_endpoints_take_the_first_address_and_unknown_readiness_as_ready() -> None:
    piece = endpoint_slice(
        "web-1",
        "web",
        [
            {"addresses": ["10.0.0.1", "10.0.0.2"], "targetRef": {"kind": "Pod", "name": "a", "uid": "p"}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "terminating": True}, "zone": "z1"},
        ],
        ports=[{"name": None, "port": None}],
    )
    first, second = (named(ENDPOINTS, row) for _, row in rows.endpoint_rows(decode(EndpointSlice, piece, "s")))
    assert (first["address"], first["ready"], first["target_name"], first["serving"]) == ("10.0.0.1", True, "a", None)
    assert (second["ready"], second["terminating"], second["zone"]) == (False, True, "z1")
    assert first["ports"] == ("|TCP||",)


def test_only_allowed_labels_leave() -> None:
    thing = {
        "metadata": {"name": "n", "labels": {"team": "a", "secret-thing": "b", "topology.kubernetes.io/zone": "c"}}
    }
    row = named(NAMESPACES, rows.namespace_row(decode(Thing, thing), LABELS))
    assert row["labels"] == ("team=a", "topology.kubernetes.io/zone=c")


@pytest.mark.parametrize(
    ("provider_id", "location"),
    [
        ("aws:///eu-west-1a/i-0abc", NodeLocation("aws", None, "eu-west-1", "eu-west-1a")),
        ("aws:///us-gov-west-1b/i-0abc", NodeLocation("aws", None, "us-gov-west-1", "us-gov-west-1b")),
        ("aws:////i-0abc", NodeLocation("aws")),
        ("i-0abc", NodeLocation()),
        ("gce://my-project/europe-west1-b/vm", NodeLocation("gcp", "my-project", "europe-west1", "europe-west1-b")),
        ("azure:///subscriptions/ABC-1/resourceGroups/x", NodeLocation("azure", "abc-1")),
        ("openstack:///uuid", NodeLocation("openstack")),
        ("openstack://north/uuid", NodeLocation("openstack", None, "north")),
        ("kind://docker/kind/kind-worker", NodeLocation("kind")),
        ("quantum://x", NodeLocation("other")),
        ("", NodeLocation()),
    ],
)
def test_locations_from_provider_ids(provider_id: str, location: NodeLocation) -> None:
    assert from_provider_id(provider_id) == location


def test_labels_win_and_azure_fault_domains_are_no_zones() -> None:
    labels = {"topology.kubernetes.io/region": "westeurope", "topology.kubernetes.io/zone": "0"}
    azure = decode(Node, node("n", providerID="azure:///subscriptions/s/x", labels=labels))
    assert (location_of(azure).region, location_of(azure).zone) == ("westeurope", None)
    aws = decode(Node, node("n", providerID="aws:///eu-west-1a/i", labels={"topology.kubernetes.io/zone": "euw1-az2"}))
    assert (location_of(aws).region, location_of(aws).zone) == ("eu-west-1", "euw1-az2")


def test_votes_do_not_flap() -> None:
    assert majority(["b", "a", None, "b"]) == "b"
    assert majority(["b", "a"]) == majority(["a", "b"]) == "a"
    assert majority([None]) is None


@pytest.mark.parametrize(
    ("version", "groups", "provider", "name"),
    [
        ("v1.33.1+k3s1", {}, None, "k3s"),
        ("v1.33.1-eks-abc", {}, "aws", "eks"),
        ("v1.33.1-gke.5", {}, "gcp", "gke"),
        ("v1.33.1", {"config.openshift.io": ("v1",)}, None, "openshift"),
        ("v1.33.1", {}, "kind", "kind"),
        ("v1.33.1", {}, "aws", None),
    ],
)
def test_distributions(version: str, groups: dict[str, tuple[str, ...]], provider: str | None, name: str) -> None:
    facts = ClusterAsRead(git_version=version, groups=groups)
    hints = NodeHints(provider=provider, account=None, region=None, zone=None, signs=(), aks=False)
    assert named(CLUSTER, cluster_row(facts, [hints], ()))["distribution"] == name


def test_owner_chains() -> None:
    owners = Owners()
    replica_set = decode(
        Thing, {"metadata": {"name": "web-1", "ownerReferences": owned_by("Deployment", "web", "d")}}, "rs"
    )
    early = decode(Pod, pod("early", owners=owned_by("ReplicaSet", "web-1", "rs")), "early")
    assert owners.workload(early) is None, "not known yet"
    assert owners.learn("ReplicaSet", replica_set.metadata) == [early]
    assert owners.workload(early) == ("Deployment", "web")
    assert owners.workload(decode(Pod, pod("bare"))) is None
    assert owners.workload(decode(Pod, pod("d", owners=owned_by("DaemonSet", "agent", "x")))) == ("DaemonSet", "agent")
    owners.forget("rs")
    assert owners.workload(early, ("Deployment", "web")) == ("Deployment", "web"), "the garbage collector's order"
    owners.forget_pod("early")
    assert owners.learn("ReplicaSet", replica_set.metadata) == []


def test_what_stands_between_may_be_refused() -> None:
    owners = Owners()
    waits = decode(Pod, pod("a", owners=owned_by("ReplicaSet", "web-1", "rs")), "a")
    job = decode(Pod, pod("b", owners=owned_by("Job", "nightly-1", "job")), "b")
    assert owners.workload(waits) is owners.workload(job) is None
    assert owners.refuse("ReplicaSet") == [waits]
    assert owners.workload(waits) == ("ReplicaSet", "web-1")
    assert owners.workload(waits, ("Deployment", "web")) == ("Deployment", "web")
    assert owners.workload(job) is None


def test_two_endpoints_of_one_address_stay_two() -> None:
    """Pods on the host's network share an address: during an update the old one must not hide the new one."""
    targets = [{"kind": "Pod", "name": name, "uid": name} for name in ("new", "old")]
    endpoints = [
        {"addresses": ["192.168.0.1"], "conditions": {"ready": target["name"] == "new"}, "targetRef": target}
        for target in targets
    ]
    piece = decode(EndpointSlice, endpoint_slice("s", "svc", [*endpoints, {"addresses": ["10.0.0.9"]}]), "s")
    found = {uid: named(ENDPOINTS, row) for uid, row in rows.endpoint_rows(piece)}
    assert {uid: row["ready"] for uid, row in found.items()} == {"s/new": True, "s/old": False, "s/10.0.0.9": True}


def test_what_comes_and_goes_is_not_kept() -> None:
    texts = Sharing[str](100)
    first = texts.one("ab" + "c".lower())
    assert texts.one("a" + "bc".lower()) is first
    for number in range(1_000):
        texts.one(f"pod-{number}")
        assert len(texts) <= 100
