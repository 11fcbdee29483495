"""Ends of which a source named the cluster: whom it means, and what their addresses have to say about it."""

from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from periplus_hub.flows.engine.cluster_names import ClusterNames, Named
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.told_ends import Surroundings, resolved_told
from periplus_hub.flows.engine.workload_kinds import WorkloadKinds
from periplus_hub.flows.model import Fleet
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN

from tests.unit.hub.flows.test_owners import (
    EAST,
    HOUR,
    NOWHERE,
    SOUTH,
    TWO,
    WEST,
    Had,
    Means,
    fleet,
    identities,
    meanings,
)
from tests.unit.hub.flows.test_owners import address_bytes as address

API = ("shop", "Workload", "api")
NOTHING = ("", "", "")
ALIASES = ((EAST, "istio=east-1"), (WEST, "istio=west-1"), (SOUTH, "istio=south-1"))
NAMES = ((EAST, "east"), (WEST, "west"), (SOUTH, "south"))


def asks(
    told: str,
    *rows: Had | Means,
    ip: str = "::",
    names: tuple[str, str, str] = API,
    where: Fleet | None = None,
    aliases: tuple[tuple[UUID, str], ...] = ALIASES,
    ours: tuple[tuple[UUID, str, str, str], ...] = (),
) -> list[dict[str, Any]]:
    """The slices of an end that east told, in a cluster that it calls so."""
    asked = pa.table(
        {
            "lookup": pa.array([1], pa.uint64()),
            "registration": pa.array([EAST.bytes], pa.binary(16)),
            "address": pa.array([address(ip)], pa.binary(16)),
            **{name: pa.array([text]) for name, text in zip(("namespace", "kind", "workload"), names, strict=True)},
            "cluster": pa.array([told]),
            "host": pa.array([""]),
        }
    )
    had = identities(*(each for each in rows if isinstance(each, Had)))
    means = meanings(*(each for each in rows if isinstance(each, Means)))
    there = fleet() if where is None else where
    owners = Owners(had, there, means)
    texts = pa.array([told])
    kinds = pa.table(
        {
            "owner": pa.array([each.bytes for each, *_ in ours], pa.binary(16)),
            **{
                name: pa.array([each[at] for each in ours], pa.string())
                for at, name in ((1, "namespace"), (2, "kind"), (3, "workload"))
            },
        }
    )
    clusters = ClusterNames(Named(aliases=aliases, names=NAMES), there, texts)
    known = Surroundings(owners=owners, clusters=clusters, kinds=WorkloadKinds(kinds, owners.names.rows))
    return resolved_told(asked, HOUR, known).to_pylist()


def end(told: str, *rows: Had | Means, **how: Any) -> tuple[Any, ...]:
    [found] = asks(told, *rows, **how)
    owner = UUID(bytes=found["owner"])
    return owner, found["namespace"], found["kind"], found["workload"], found["rule"]


def candidates(found: dict[str, Any]) -> set[tuple[UUID, str, str, str]]:
    return {
        (UUID(bytes=each["registration"]), each["namespace"], each["kind"], each["workload"])
        for each in found["candidates"]
    }


def test_a_workload_is_looked_up_in_the_cluster_that_says_it_is_called_so() -> None:
    assert end("istio=west-1", Had(WEST, "10.9.0.1", "api")) == (WEST, "shop", "Deployment", "api", "told-workload")


def test_the_kind_is_the_one_that_the_cluster_itself_tells() -> None:
    told_itself = ((WEST, "shop", "StatefulSet", "api"), (EAST, "shop", "Job", "api"))
    assert end("istio=west-1", Had(WEST, "10.9.0.1", "api"), ours=told_itself)[2] == "StatefulSet"
    assert end("istio=west-1", ours=told_itself)[2] == "StatefulSet"
    assert end("istio=west-1")[2] == "Workload"
    twice = (*told_itself, (WEST, "shop", "Deployment", "api"))
    assert end("istio=west-1", ours=twice)[2] == "Workload"


def test_a_kind_that_the_source_tells_stays() -> None:
    service = ("shop", "Service", "api")
    assert end("istio=west-1", Had(WEST, "10.9.0.1", "api"), names=service)[2:4] == ("Service", "api")


def test_the_hubs_own_name_counts_where_the_cluster_says_nothing_and_is_said_to() -> None:
    assert end("istio=west", aliases=()) == (WEST, "shop", "Workload", "api", "alike-workload")
    other_system = ((WEST, "cilium=west-7"),)
    assert end("istio=west", aliases=other_system)[0] == WEST
    # It calls itself otherwise, so another cluster is meant.
    assert end("istio=west")[0] == NOWHERE


def test_what_clusters_say_counts_before_what_the_hub_calls_them() -> None:
    says_west = ((SOUTH, "istio=west"),)
    assert end("istio=west", aliases=says_west)[::4] == (SOUTH, "told-workload")


@pytest.mark.parametrize("told", ["istio=Kubernetes", "cilium=default"])
def test_a_name_that_every_cluster_has_is_nobodys(told: str) -> None:
    name = told.partition("=")[2]
    assert end(told, aliases=((WEST, told),)) == (NOWHERE, "", "remote", f"{name}/shop/api", "told-elsewhere")


def test_what_nobody_is_called_keeps_the_names_that_were_told() -> None:
    assert end("istio=arn:aws:eks/far") == (NOWHERE, "", "remote", "arn:aws:eks/far/shop/api", "told-elsewhere")
    assert end("istio=far", names=NOTHING) == (NOWHERE, "", "remote", "far", "told-elsewhere")


def test_two_clusters_of_one_name_in_one_place_are_ambiguous() -> None:
    [found] = asks("istio=one", Had(WEST, "10.9.0.1", "api"), aliases=((WEST, "istio=one"), (SOUTH, "istio=one")))
    assert (found["kind"], found["workload"], found["rule"]) == ("ambiguous", "one/shop/api", "told-several")
    assert candidates(found) == {(WEST, "shop", "Deployment", "api"), (SOUTH, "shop", "Workload", "api")}


@pytest.mark.parametrize("where", [fleet(together=True), fleet(flat=True), fleet(nat=True)])
def test_of_two_of_one_name_the_nearer_network_has_the_one_that_is_meant(where: Fleet) -> None:
    both = ((WEST, "istio=one"), (SOUTH, "istio=one"))
    assert end("istio=one", where=where, aliases=both)[::4] == (WEST, "told-workload")


def test_a_cluster_that_was_no_member_is_not_meant() -> None:
    there = fleet()
    without = Fleet(
        clusters=tuple(each for each in there.clusters if each.domain_id != TWO), flat=there.flat, nat=there.nat
    )
    assert end("istio=west-1", where=without)[2] == "remote"


GATE = "203.0.113.7"
EAST_KNOWS_A_DOOR = Means(EAST, f"{GATE}/32", "eastwest", "gateway", kind="gateway", cluster=WEST)


def test_behind_a_gateway_the_named_workload_is_meant() -> None:
    west_has_it = Means(WEST, f"{GATE}/32", "gate", "published", kind="Service", cluster=WEST)
    for rows in ((EAST_KNOWS_A_DOOR,), (west_has_it,), (EAST_KNOWS_A_DOOR, west_has_it), ()):
        found = end("istio=west-1", Had(WEST, "10.9.0.1", "api"), *rows, ip=GATE)
        assert found == (WEST, "shop", "Deployment", "api", "told-workload")


def test_an_address_that_the_named_cluster_has_is_its_owner_there_whoever_else_has_it() -> None:
    rows = (Had(WEST, "10.9.0.1", "api"), Had(SOUTH, "10.9.0.1", "other"))
    assert end("cilium=w", *rows, ip="10.9.0.1", names=NOTHING, aliases=((WEST, "cilium=w"),)) == (
        WEST, "shop", "Deployment", "api", "told-pod",
    )  # fmt: skip
    alike = end("cilium=west", *rows, ip="10.9.0.1", names=NOTHING, aliases=())
    assert alike[::4] == (WEST, "alike-pod")


def test_a_pod_of_the_named_cluster_is_what_it_is_whatever_its_address_was_called() -> None:
    found = end("istio=west-1", Had(WEST, "10.9.0.1", "db"), ip="10.9.0.1")
    assert found[3:] == ("db", "told-pod")


def test_the_own_cluster_knows_its_addresses_best() -> None:
    rows = (Had(EAST, "10.0.0.1", "mine"), Had(WEST, "10.0.0.1", "api"))
    assert end("istio=west-1", *rows, ip="10.0.0.1")[::3] == (EAST, "mine")


def test_an_address_that_another_cluster_has_contradicts_the_name() -> None:
    [found] = asks("istio=south-1", Had(WEST, "10.9.0.1", "other"), ip="10.9.0.1", where=fleet(together=True))
    assert (found["kind"], found["workload"], found["rule"]) == ("ambiguous", "10.9.0.1", "told-against")
    assert candidates(found) == {(WEST, "shop", "Deployment", "other"), (SOUTH, "shop", "Workload", "api")}
    [unnamed] = asks(
        "istio=south-1", Had(WEST, "10.9.0.1", "other"), ip="10.9.0.1", names=NOTHING, where=fleet(together=True)
    )
    assert candidates(unnamed) == {(WEST, "shop", "Deployment", "other"), (SOUTH, "", "gateway", "10.9.0.1")}


def test_an_address_of_several_is_the_one_of_the_named_cluster() -> None:
    doors = (
        EAST_KNOWS_A_DOOR,
        Means(EAST, f"{GATE}/32", "eastwest", "gateway", kind="gateway", cluster=SOUTH),
    )
    assert end("istio=west-1", *doors, ip=GATE)[::4] == (WEST, "told-workload")
    assert end("istio=west-1", *doors, ip=GATE, names=NOTHING) == (WEST, "", "gateway", GATE, "told-cluster")
    [found] = asks("istio=east-7", *doors, ip=GATE, aliases=((NOWHERE, "istio=east-7"),))
    assert (found["kind"], found["rule"], len(found["candidates"])) == ("ambiguous", "own-gateway", 2)


def test_of_a_name_of_several_the_one_that_has_the_address_is_meant() -> None:
    both = ((WEST, "istio=one"), (SOUTH, "istio=one"))
    assert end("istio=one", EAST_KNOWS_A_DOOR, ip=GATE, aliases=both)[::4] == (WEST, "told-workload")
    assert end("istio=one", Had(WEST, GATE, "gate", "published"), ip=GATE, aliases=both)[0] == WEST


def test_where_only_the_cluster_is_known_it_is_a_door_of_it() -> None:
    assert end("cilium=w", ip="10.9.0.1", names=NOTHING, aliases=((WEST, "cilium=w"),)) == (
        WEST, "", "gateway", "10.9.0.1", "told-cluster",
    )  # fmt: skip
    assert end("istio=west-1", names=NOTHING) == (WEST, "", "gateway", "west-1", "told-cluster")


def test_a_name_of_nobody_changes_nothing_about_an_address() -> None:
    near = fleet(together=True)
    found = end("cilium=far", Had(WEST, "10.9.0.1", "api"), ip="10.9.0.1", names=NOTHING, where=near)
    assert found[::4] == (WEST, "domain-pod")
    assert end("cilium=far", ip="192.0.2.9", names=NOTHING)[2:] == ("external", "192.0.2.0/24", "outside")


def test_an_address_that_changes_hands_in_the_named_cluster_has_slices() -> None:
    rows = (Had(WEST, "10.9.0.1", "api", until=20), Had(WEST, "10.9.0.1", "next", since=30))
    found = asks("istio=west-1", *rows, ip="10.9.0.1", names=NOTHING)
    assert [(each["since"] - HOUR, each["workload"], each["rule"]) for each in found] == [
        (0, "api", "told-pod"),
        (1_200, "10.9.0.1", "told-cluster"),
        (1_800, "next", "told-pod"),
    ]
    assert {each["slices"] for each in found} == {3}


def test_names_are_found_in_columns() -> None:
    texts = pa.array(["istio=west-1", "istio=nobody", "istio=both"])
    aliases = (*ALIASES, (WEST, "istio=both"), (SOUTH, "istio=both"))
    names = ClusterNames(Named(aliases=aliases, names=NAMES), fleet(), texts)
    east = np.zeros(3, dtype=np.int64)
    found = names.meant(east, texts)
    west = [place.registration_id for place in fleet().clusters].index(WEST)
    assert found.cluster.tolist() == [west, UNKNOWN, AMBIGUOUS]
    assert names.are_called(np.full(3, west), texts).tolist() == [True, False, True]
