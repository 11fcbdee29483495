"""What the wire carries as texts reads as objects, whatever a cluster wrote."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.inventory.graphql_texts import ClusterAlias, EndpointPort, KeyValue, NodeAddress, ServicePort


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("http|TCP|80|web|30080|h2c", ["http", "TCP", 80, "web", 30_080, "h2c"]),
        ("|UDP|53|53||", [None, "UDP", 53, "53", None, None]),
        ("", [None] * 6),
        ("a|b", ["a", "b", None, None, None, None]),
        ("a|b|99999|c|x|d|e|f", ["a", "b", None, "c", None, "d"]),
    ],
)
def test_a_port_of_a_service(text: str, values: list[object]) -> None:
    assert list(asdict(ServicePort.of(text)).values()) == values


def test_pairs_are_divided_once() -> None:
    assert asdict(KeyValue.of("app.kubernetes.io/name=web=1")) == {"key": "app.kubernetes.io/name", "value": "web=1"}
    assert asdict(KeyValue.of("bare")) == {"key": "bare", "value": ""}
    assert asdict(NodeAddress.of("InternalIP=fd00::1")) == {"type": "InternalIP", "address": "fd00::1"}
    assert asdict(ClusterAlias.of("eks=prod")) == {"system": "eks", "name": "prod"}
    assert asdict(EndpointPort.of("web|TCP|8080|")) == {
        "name": "web", "protocol": "TCP", "port": 8080, "app_protocol": None
    }  # fmt: skip


@given(st.text())
def test_any_text_is_taken_and_numbers_are_ports(text: str) -> None:
    for kind in (KeyValue, NodeAddress, ClusterAlias, EndpointPort, ServicePort):
        found = asdict(kind.of(text))
        assert all(0 <= each <= 65_535 for each in found.values() if isinstance(each, int))
