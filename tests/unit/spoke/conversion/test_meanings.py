"""What objects say that addresses stand for: rows of them, whatever somebody wrote into the objects."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from periplus_contract import covers
from periplus_contract.tables import MEANINGS, SERVICES
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.naming import egress, istio, linkerd, submariner
from periplus_spoke.collectors.naming import multi_cluster_services as mcs
from periplus_spoke.collectors.naming.registry import NAMING_KINDS, called
from periplus_spoke.conversion import mirrored_services, remote_endpoints
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning, meaning_rows
from periplus_spoke.conversion.objects import EndpointSlice, Service
from periplus_spoke.conversion.text import LabelFilter

from tests.support.kube_objects import endpoint_slice, service

Json = dict[str, Any]


def said(kind: WantedKind[Any], **parts: Any) -> list[tuple[Any, ...]]:
    """Role, range, kind, namespace, name and clusters of what an object shop/it says."""
    thing = msgspec.json.decode(json.dumps({"metadata": {"name": "it", "namespace": "shop"}, **parts}), type=kind.type)
    return [row[1:] for _, row in meaning_rows("a.group/things", thing.meanings())]


def test_an_imported_service_is_that_of_the_clusters_that_export_it() -> None:
    spec, status = {"ips": ["10.96.7.1", "fd00::7"]}, {"clusters": [{"cluster": "west-1"}, {"cluster": "east-1"}]}
    assert said(mcs.SERVICE_IMPORTS, spec=spec, status=status) == [
        ("import", cidr, "ServiceImport", "shop", "it", ("east-1", "west-1"))
        for cidr in ("10.96.7.1/32", "fd00::7/128")
    ]
    assert said(mcs.SERVICE_IMPORTS, spec={"type": "Headless"}, status={}) == []
    assert said(mcs.SERVICE_IMPORTS, spec=spec)[0][-1] == ()


def test_a_service_entry_is_its_host_by_every_address_it_has() -> None:
    spec = {
        "hosts": ["api.example.com", "www.example.com"],
        "addresses": ["240.1.0.1", "192.0.2.0/24"],
        "endpoints": [{"address": "198.51.100.7"}, {"address": "vm.example.com"}, {"address": "unix:///x"}],
    }
    status = {"addresses": [{"value": "240.240.0.1", "host": "www.example.com"}, {"value": "240.240.0.2"}]}
    assert said(istio.SERVICE_ENTRIES, spec=spec, status=status) == [
        ("entry", cidr, "ServiceEntry", "shop", host, ())
        for cidr, host in (
            ("240.1.0.1/32", "api.example.com"),
            ("192.0.2.0/24", "api.example.com"),
            ("198.51.100.7/32", "api.example.com"),
            ("240.240.0.1/32", "www.example.com"),
            ("240.240.0.2/32", "api.example.com"),
        )
    ]
    assert said(istio.WORKLOAD_ENTRIES, spec={"address": "10.9.0.1"}) == [
        ("entry", "10.9.0.1/32", "WorkloadEntry", "shop", "it", ())
    ]


def test_gateways_are_of_the_cluster_that_is_behind_them() -> None:
    link = {"targetClusterName": "west-1", "gatewayAddress": "203.0.113.7, 203.0.113.8,gate.example.com"}
    assert said(linkerd.LINKS, spec=link) == [
        ("gateway", f"203.0.113.{last}/32", "", "", "linkerd", ("west-1",)) for last in (7, 8)
    ]
    endpoint = {"cluster_id": "west-1", "private_ip": "10.9.0.1", "public_ip": "203.0.113.9", "subnets": ["10.0.0.0/8"]}
    endpoint["healthCheckIP"] = "10.2.0.1"
    assert said(submariner.ENDPOINTS, spec=endpoint) == [
        ("gateway", cidr, "", "", "submariner", ("west-1",))
        for cidr in ("10.9.0.1/32", "203.0.113.9/32", "10.2.0.1/32")
    ]


def test_a_cluster_is_called_in_submariner_as_its_own_gateways_say() -> None:
    gateways = [
        {"status": {"haStatus": state, "localEndpoint": {"cluster_id": name, "private_ip": "10.0.0.1"}}}
        for state, name in (("active", "east-1"), ("passive", "east-1"), ("passive", ""))
    ]
    found = {submariner.GATEWAYS.source: msgspec.convert([{}, *gateways], type=list[submariner.LocalGateway])}
    assert called(found) == ("submariner=east-1",)


def test_members_of_a_clusterset_have_their_global_ranges_or_their_own() -> None:
    spec: Json = {
        "cluster_id": "west-1",
        "cluster_cidr": ["10.2.0.0/16"],
        "service_cidr": ["10.97.0.0/16"],
        "global_cidr": [],
    }
    assert [(row[1], row[-1]) for row in said(submariner.CLUSTERS, spec=spec)] == [
        ("10.2.0.0/16", ("west-1",)),
        ("10.97.0.0/16", ("west-1",)),
    ]
    spec["global_cidr"] = ["242.1.0.0/16"]
    assert [row[1] for row in said(submariner.CLUSTERS, spec=spec)] == ["242.1.0.0/16"]


def test_what_others_see_of_this_cluster_is_its_own() -> None:
    assert said(
        submariner.INGRESS,
        spec={"target": "ClusterIPService", "serviceRef": {"name": "api"}},
        status={"allocatedIP": "242.0.0.5"},
    ) == [("global", "242.0.0.5/32", "Service", "shop", "api", ())]
    assert said(submariner.INGRESS, spec={"podRef": {"name": "db-0"}}, status={"allocatedIP": "242.0.0.6"}) == [
        ("global", "242.0.0.6/32", "Pod", "shop", "db-0", ())
    ]
    assert said(submariner.INGRESS, spec={"serviceRef": {"name": "api"}}) == []
    for kind in (submariner.EGRESS, submariner.CLUSTER_EGRESS):
        assert [row[1:2] for row in said(kind, status={"allocatedIPs": ["242.0.0.1", "242.0.0.2"]})] == [
            ("242.0.0.1/32",),
            ("242.0.0.2/32",),
        ]


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (egress.OVN_EGRESS, {"spec": {"egressIPs": ["192.0.2.9"]}, "status": {"items": [{"egressIP": "192.0.2.9"}]}}),
        (egress.CILIUM_EGRESS, {"spec": {"egressGateway": {"egressIP": "192.0.2.9"}}}),
        (egress.CILIUM_EGRESS, {"spec": {"egressGateways": [{"egressIP": "192.0.2.9"}, {"interface": "eth0"}]}}),
        (egress.ANTREA_EGRESS, {"spec": {"externalIPPool": "p"}, "status": {"egressIP": "192.0.2.9"}}),
        (egress.ANTREA_EGRESS, {"spec": {"egressIP": "192.0.2.9"}}),
    ],
)
def test_addresses_that_a_cluster_leaves_with_are_told(kind: WantedKind[Any], parts: Json) -> None:
    assert said(kind, **parts) == [("egress", "192.0.2.9/32", "", "", "it", ())]


@pytest.mark.parametrize(
    "text", ["", " ", "gateway.example.com", "10.0.0.256", "0.0.0.0/0", "::/0", "127.0.0.1", "::1"]
)
def test_what_is_no_address_of_anybody_is_left_out(text: str) -> None:
    assert list(meaning_rows("things", [Meaning(role="gateway", cidr=text)])) == []


def test_another_thing_said_is_another_row() -> None:
    one = Meaning(role="import", cidr="10.0.0.1", clusters=("a", "b"))
    alike = [one, Meaning(role="import", cidr=" 10.0.0.1/32", clusters=("b", "a", "", "a"))]
    others = [
        Meaning(role="entry", cidr="10.0.0.1", clusters=("a", "b")),
        Meaning(role="import", cidr="10.0.0.2", clusters=("a", "b")),
        Meaning(role="import", cidr="10.0.0.1", clusters=("a",)),
        Meaning(role="import", cidr="10.0.0.1", clusters=("a", "b"), name="x"),
    ]
    assert len({uid for uid, _ in meaning_rows("things", alike)}) == 1
    assert len({uid for uid, _ in meaning_rows("things", [one, *others])}) == 5
    assert not {uid for uid, _ in meaning_rows("things", [one])} & {uid for uid, _ in meaning_rows("others", [one])}


def _halves() -> Iterator[Json]:
    for spec in (None, {}, {"ips": None}, {"endpoints": [{}]}):
        for status in (None, {}, {"clusters": [{}]}, {"addresses": [{}]}):
            yield {name: part for name, part in (("spec", spec), ("status", status)) if part is not None}


@pytest.mark.parametrize("kind", NAMING_KINDS, ids=lambda kind: kind.source)
def test_half_written_objects_say_nothing_and_break_nothing(kind: WantedKind[Any]) -> None:
    for half in _halves():
        assert said(kind, **half) == []


def test_endpoints_of_another_cluster_are_told_by_the_slice_that_names_it() -> None:
    piece = endpoint_slice("api-1", "api", [{"addresses": ["10.2.0.1"]}, {"addresses": []}, {}])
    assert list(remote_endpoints.remote_endpoints(_decoded(piece))) == []
    piece["metadata"]["labels"] |= {remote_endpoints.CLUSTER_LABEL: "west-1", remote_endpoints.SERVICE_LABEL: "api"}
    [row] = [row for _, row in meaning_rows("slices", remote_endpoints.remote_endpoints(_decoded(piece)))]
    assert row == ("slices", "endpoint", "10.2.0.1/32", "ServiceImport", "default", "api", ("west-1",))


def mirrored(remote: str = "pay.shop.svc.cluster.local", **labels: str) -> list[tuple[Any, ...]]:
    """Rows of a mirror as Linkerd's service mirror makes it, with these labels changed."""
    given = {mirrored_services.MIRROR_LABEL: "true", mirrored_services.CLUSTER_LABEL: "west-1"} | labels
    thing = service("pay-west-1", ("10.96.7.1", "fd00::7"), namespace="shop")
    notes = {"mirror.linkerd.io/remote-svc-fq-name": remote, "mirror.linkerd.io/remote-resource-version": "7"}
    thing["metadata"] |= {"labels": given, "annotations": notes}
    decoded = msgspec.convert(thing, type=Service)
    return [row[1:] for _, row in meaning_rows("services", mirrored_services.mirrored_service(decoded))]


def test_a_mirrored_service_is_that_of_the_cluster_that_it_mirrors() -> None:
    expected = [("import", cidr, "Service", "shop", "pay", ("west-1",)) for cidr in ("10.96.7.1/32", "fd00::7/128")]
    assert mirrored() == expected
    assert mirrored("pay-0.pay.shop.svc.west.example") == expected
    assert mirrored("svc.shop.svc.cluster.local")[0][4] == "svc"


@pytest.mark.parametrize(
    ("remote", "labels"),
    [
        ("", {}),
        ("pay.shop", {}),
        ("svc", {}),
        ("pay.shop.svc.cluster.local", {mirrored_services.MIRROR_LABEL: "false"}),
        ("pay.shop.svc.cluster.local", {mirrored_services.CLUSTER_LABEL: ""}),
    ],
)
def test_what_does_not_say_which_service_it_mirrors_is_a_service_like_any(remote: str, labels: dict[str, str]) -> None:
    assert mirrored(remote, **labels) == []


def federated(local: str = "", remote: str = "", **labels: str) -> set[tuple[Any, ...]]:
    """Rows of a federated service as Linkerd's service mirror makes it."""
    thing = service("pay-federated", ("10.96.7.1",), namespace="shop")
    notes = {"remote-discovery": remote, "local-discovery": local}
    annotations = {f"multicluster.linkerd.io/{name}": text for name, text in notes.items() if text}
    thing["metadata"] |= {"labels": {mirrored_services.MIRROR_LABEL: "true"} | labels, "annotations": annotations}
    decoded = msgspec.convert(thing, type=Service)
    return {row[1:] for _, row in meaning_rows("services", mirrored_services.mirrored_service(decoded))}


def test_a_federated_service_is_each_of_its_members() -> None:
    remote = {("import", "10.96.7.1/32", "Service", "shop", "pay", (name,)) for name in ("west-1", "north-1")}
    own = {("local", "10.96.7.1/32", "Service", "shop", "pay", ())}
    assert federated("pay", "pay@west-1,pay@north-1") == remote | own
    assert federated(remote=" pay@west-1, pay@north-1") == remote
    assert federated("pay") == own


@pytest.mark.parametrize("remote", ["pay", "pay@", "@west-1", ",", "@"])
def test_a_member_without_a_name_or_a_cluster_is_none(remote: str) -> None:
    assert federated(remote=remote) == set()


def test_a_mirror_of_a_federated_service_is_that_of_its_own_cluster() -> None:
    assert federated("pay", "pay@west-1", **{mirrored_services.CLUSTER_LABEL: "west-1"}) == set()
    assert federated("pay", "pay@west-1", **{mirrored_services.MIRROR_LABEL: "false"}) == set()


def test_a_service_without_annotations_is_none() -> None:
    plain = msgspec.convert(service("pay"), type=Service)
    assert list(mirrored_services.mirrored_service(plain)) == []


def test_what_a_service_says_ends_with_it() -> None:
    inventory = Inventory(LabelFilter())
    thing = service("pay-west-1", namespace="shop")
    labels = {mirrored_services.MIRROR_LABEL: "true", mirrored_services.CLUSTER_LABEL: "west-1"}
    notes = {"mirror.linkerd.io/remote-svc-fq-name": "pay.shop.svc.cluster.local"}
    thing["metadata"] |= {"uid": "u", "labels": labels, "annotations": notes}
    inventory.service(msgspec.convert(thing, type=Service), 1)
    assert len(inventory.state.rows(MEANINGS)) == 1
    inventory.listed.add(SERVICES.name)
    assert covers.meanings(mirrored_services.SOURCE) in inventory.covers()
    inventory.forget_service("u", 2)
    assert len(inventory.state.rows(MEANINGS)) == 0


def _decoded(piece: Json) -> Any:
    return msgspec.convert(piece, type=EndpointSlice)
