"""Whom an address stands for, by the name that a client used: never against what is sure, and never a guess."""

from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from periplus_hub.flows.engine.by_host import resolved_by_host
from periplus_hub.flows.engine.host_services import HostServices, parts_of
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.model import Fleet

from tests.unit.hub.flows.test_owners import (
    EAST,
    HOUR,
    NOWHERE,
    SOUTH,
    WEST,
    Had,
    Means,
    address_bytes,
    fleet,
    identities,
    meanings,
)

API = "api.shop.svc.cluster.local"
OF_SET = "api.shop.svc.clusterset.local"
ANYWHERE = "203.0.113.7"
Found = tuple[UUID, str, str, str]
"""Cluster, kind, name and rule."""
_PORT_COLUMNS = ("registration_id", "kind", "namespace", "workload", "to_namespace", "to_kind", "to_workload")


def port(cluster: UUID, service: str, behind: str = "") -> dict[str, str]:
    """A port of a service in `shop`, with a workload alone behind it or none."""
    to = ("shop", "Deployment" if behind else "Service", behind or service)
    return dict(zip(_PORT_COLUMNS, (str(cluster), "Service", "shop", service, *to), strict=True))


def asks(
    host: str,
    *rows: Had | Means,
    ip: str = "::",
    where: Fleet | None = None,
    ports: tuple[dict[str, str], ...] = (),
    exporters: tuple[UUID, ...] = (),
) -> list[dict[str, Any]]:
    """The slices of what east connected to by this name; `exporters` are those of api."""
    asked = pa.table(
        {
            "lookup": pa.array([1], pa.uint64()),
            "registration": pa.array([EAST.bytes], pa.binary(16)),
            "address": pa.array([address_bytes(ip) if ip != "::" else bytes(16)], pa.binary(16)),
            "host": pa.array([host]),
        }
    )
    exports = [(str(EAST), "shop", "api", f"c{each.int}", str(each)) for each in exporters]
    exported = pa.table(
        {
            name: pa.array([row[at] for row in exports], pa.string())
            for at, name in enumerate(("viewer", "namespace", "service", "member", "whose"))
        }
    )
    listed = pa.table({name: pa.array([each[name] for each in ports], pa.string()) for name in _PORT_COLUMNS})
    had = identities(*(each for each in rows if isinstance(each, Had)))
    owners = Owners(had, where or fleet(), meanings(*(each for each in rows if isinstance(each, Means))))
    return resolved_by_host(asked, HOUR, owners, HostServices(owners, listed, exported)).to_pylist()


def end(host: str, *rows: Had | Means, **how: Any) -> Found:
    [found] = asks(host, *rows, **how)
    return UUID(bytes=found["owner"]), found["kind"], found["workload"], found["rule"]


def candidates(found: dict[str, Any]) -> set[UUID]:
    return {UUID(bytes=each["registration"]) for each in found["candidates"]}


@pytest.mark.parametrize(
    ("host", "read"),
    [
        (API, (True, False, "shop", "api", "")),
        ("pod-0.api.shop.svc.cluster.local", (True, False, "shop", "api", "")),
        ("x.pod-0.api.shop.svc.cluster.local", (False, False, "", "", "")),
        (OF_SET, (False, True, "shop", "api", "")),
        ("pod-0.west-1.api.shop.svc.clusterset.local", (False, True, "shop", "api", "west-1")),
        ("west-1.api.shop.svc.clusterset.local", (False, False, "", "", "")),
        ("api.shop.svc", (False, False, "", "", "")),
        ("api.shop.svc.cluster.local.example.com", (False, False, "", "", "")),
        ("10-0-0-1.shop.pod.cluster.local", (False, False, "", "", "")),
        ("www.example.com", (False, False, "", "", "")),
    ],
)
def test_a_host_is_a_service_or_a_name_alone(host: str, read: tuple[object, ...]) -> None:
    found = parts_of(pa.array([host]))
    texts = (each[0].as_py() for each in (found.namespace, found.service, found.member))
    assert (bool(found.is_local[0]), bool(found.is_of_set[0]), *texts) == read


GATE = Means(EAST, f"{ANYWHERE}/32", "gate", "gateway", "gateway", WEST)
SERVICES = (port(WEST, "api", "api"), port(EAST, "api", "own-api"))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((GATE,), (WEST, "Deployment", "api", "own-gateway-host")),
        (
            (Means(EAST, f"{ANYWHERE}/32", "gate", "gateway", "gateway", SOUTH),),
            (SOUTH, "gateway", "gate", "own-gateway"),
        ),
        ((Had(EAST, ANYWHERE, "web"),), (EAST, "Deployment", "web", "own-pod")),
        ((Had(EAST, ANYWHERE, "web", "clusterip"),), (EAST, "Deployment", "web", "own-service")),
        ((), (EAST, "Deployment", "own-api", "outside-host")),
        (
            (Means(EAST, f"{ANYWHERE}/32", "x", "outergateway", "gateway"),),
            (NOWHERE, "gateway", "x", "own-outer-gateway"),
        ),
    ],
)
def test_a_name_says_whom_a_door_stands_for_and_nothing_against_what_is_sure(
    rows: tuple[Had | Means, ...], expected: Found
) -> None:
    assert end(API, *rows, ip=ANYWHERE, ports=SERVICES) == expected


def test_of_a_service_with_several_workloads_the_service_is_meant() -> None:
    ports = (port(WEST, "api", "a"), port(WEST, "api", "b"))
    assert end(API, GATE, ip=ANYWHERE, ports=ports) == (WEST, "Service", "api", "own-gateway-host")


def test_a_name_of_nothing_changes_nothing() -> None:
    assert end(API, GATE, ip=ANYWHERE) == (WEST, "gateway", "gate", "own-gateway")
    assert end(API, ip=ANYWHERE) == (NOWHERE, "external", "203.0.113.0/24", "outside")
    assert end("www.example.com", GATE, ip=ANYWHERE, ports=SERVICES) == (WEST, "gateway", "gate", "own-gateway")


def test_without_an_address_what_is_not_known_is_its_name() -> None:
    assert end("www.example.com") == (NOWHERE, "external", "www.example.com", "host")
    assert end(OF_SET) == (NOWHERE, "remote", OF_SET, "host")


def test_of_exporters_one_is_meant_and_of_several_nobody_knows_which() -> None:
    assert end(OF_SET, exporters=(WEST,), ports=SERVICES) == (WEST, "Deployment", "api", "host")
    assert end(OF_SET, exporters=(WEST,)) == (WEST, "Service", "api", "host")
    [found] = asks(OF_SET, exporters=(WEST, SOUTH))
    assert (found["kind"], found["workload"], candidates(found)) == ("ambiguous", OF_SET, {WEST, SOUTH})
    assert end(OF_SET, exporters=(NOWHERE,)) == (NOWHERE, "remote", OF_SET, "host")
    [found] = asks(OF_SET, exporters=(WEST, NOWHERE))
    assert (found["kind"], candidates(found)) == ("ambiguous", {WEST})
    assert end(OF_SET, GATE, ip=ANYWHERE, exporters=(WEST, SOUTH)) == (WEST, "Service", "api", "own-gateway-host")
    assert end("p.c2.api.shop.svc.clusterset.local", exporters=(WEST, SOUTH)) == (WEST, "Service", "api", "host")


def test_of_an_address_of_several_the_name_leaves_those_that_can_be_it() -> None:
    alike = (Had(EAST, "10.0.0.1", "web"), Had(EAST, "10.0.0.1", "api"))
    own = (port(EAST, "api", "api"),)
    assert end(API, *alike, ip="10.0.0.1", ports=own) == (EAST, "Deployment", "api", "own-pod-host")
    other = (port(EAST, "api", "something-else"),)
    assert end(API, *alike, ip="10.0.0.1", ports=other)[1:] == ("ambiguous", "10.0.0.1", "own-pod")
    doors = [Means(EAST, "10.0.0.9/32", "gate", "gateway", "gateway", each) for each in (WEST, SOUTH)]
    assert end(API, *doors, ip="10.0.0.9", ports=(port(WEST, "api", "api"),))[::3] == (WEST, "own-gateway-host")
    [found] = asks(API, *doors, ip="10.0.0.9", ports=(port(WEST, "api", "api"), port(SOUTH, "api", "api")))
    assert (found["kind"], found["workload"], candidates(found)) == ("ambiguous", API, {WEST, SOUTH})
