"""Pods behind a Service, by its EndpointSlices."""

from typing import Any

from periplus_spoke.conversion.objects import EndpointSlice
from periplus_spoke.conversion.pods_behind import PodPort, pods_behind
from periplus_spoke.conversion.rows import endpoint_rows

from tests.support.decoding import decode
from tests.support.kube_objects import endpoint_slice


def to_pod(name: str, address: str, **more: Any) -> dict[str, Any]:
    target = {"kind": "Pod", "namespace": "default", "name": name, "uid": f"uid-{name}"}
    return {"addresses": [address], "targetRef": target, **more}


def behind(service: str, *slices: dict[str, Any]) -> list[PodPort]:
    rows = [row for each in slices for _, row in endpoint_rows(decode(EndpointSlice, each))]
    return pods_behind(rows, "default", service)


def test_a_pod_with_addresses_of_both_families_is_one_and_one_that_is_not_ready_is_too() -> None:
    v4 = endpoint_slice("s-4", "s", [to_pod("b", "10.0.0.2"), to_pod("a", "10.0.0.1", conditions={"ready": False})])
    v6 = endpoint_slice("s-6", "s", [to_pod("b", "fd00::2")]) | {"addressType": "IPv6"}
    other = endpoint_slice("o-4", "o", [to_pod("c", "10.0.0.3")])
    assert behind("s", v4, v6, other) == [PodPort("default", "a", 8080), PodPort("default", "b", 8080)]


def test_what_is_no_pod_or_has_no_port_cannot_be_read() -> None:
    nobody = endpoint_slice("s-1", "s", [{"addresses": ["10.0.0.1"]}])
    portless = endpoint_slice("s-2", "s", [to_pod("a", "10.0.0.2")], ports=[{"name": "all"}])
    assert behind("s", nobody, portless) == []
