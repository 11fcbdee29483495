"""Clusters by name, severities by rule, groups with an identity."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from uuid import UUID

import numpy as np
import pytest

from periplus_hub.addresses.ipam.engine.batch_rows import trust
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.explanations import explain_pair
from periplus_hub.addresses.overlaps.engine.severity import pair_severity
from periplus_hub.addresses.overlaps.engine.stored_groups import StoredGroup, difference, digest_of
from periplus_hub.addresses.overlaps.engine.tenant_register import TenantRegister
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.overlaps.model import Relation, Severity
from periplus_hub.addresses.prefixes.prefix import Prefix, parse

from tests.support.clock import START
from tests.support.prefix_columns import prefix_columns

A, B, C = (UUID(int=n) for n in (1, 2, 3))
NET = {A: UUID(int=11), B: UUID(int=12), C: UUID(int=13)}
POD, SERVICE, NODE, PLANNED = (
    Use.POD,
    Use.SERVICE,
    Use.NODE,
    Use.PLANNED,
)


def columns(*cidrs: str) -> ClusterColumns:
    return ClusterColumns(
        prefix_columns([parse(cidr) for cidr in cidrs]),
        np.full(len(cidrs), USES.index(POD), dtype=np.uint8),
        np.zeros(len(cidrs), dtype=np.int64),
    )


def stored(root: str, days_ago: int, number: int = 1) -> dict[Prefix, StoredGroup]:
    prefix = parse(root)
    since = START - timedelta(days=days_ago)
    shares = ";".join(f"{cluster} latent pod 1" for cluster in (A, B))
    return {prefix: StoredGroup(UUID(int=number), prefix, Severity.LATENT, 2, 2, 1, since, digest_of(shares))}


def register(sets: Mapping[UUID, ClusterColumns]) -> TenantRegister:
    return TenantRegister(Topology(NET, {}), sets)


def test_a_cluster_that_is_not_active_counts_for_nothing() -> None:
    kept = TenantRegister(Topology({A: NET[A]}, {}), {A: columns("10.0.0.0/16")})
    assert kept.replace(B, columns("10.0.0.0/16")) == set()
    assert list(kept.numbered.groups()) == []


def test_a_set_comes_in_as_a_difference_and_twice_is_once() -> None:
    kept = register({A: columns("10.0.0.0/16", "10.1.0.0/16"), B: columns("10.2.0.0/16")})
    assert kept.replace(B, columns("10.1.0.0/16")) == {parse("10.1.0.0/16")}
    assert kept.replace(B, columns("10.1.0.0/16")) == set()
    assert [group.root for group in kept.numbered.groups()] == [parse("10.1.0.0/16")]


def test_an_unchanged_group_is_not_written() -> None:
    kept = register({A: columns("10.0.0.0/16"), B: columns("10.0.0.0/16")})
    known = stored("10.0.0.0/16", 5)
    found = difference(known, known, kept, START)
    assert (found.new, found.changed, found.gone) == ((), (), ())


def test_a_group_whose_clusters_changed_places_is_written() -> None:
    kept = register({A: columns("10.0.0.0/16"), C: columns("10.0.0.0/16")})
    known = stored("10.0.0.0/16", 5)
    ((group, _),) = difference(known, known, kept, START).changed
    assert [str(share) for share in group.shares] == [f"{A} latent pod 1", f"{C} latent pod 1"]


@pytest.mark.promise("overlaps-keep-their-age")
def test_where_clusters_meet_anew_takes_the_oldest_since_inside() -> None:
    kept = register({A: columns("10.0.0.0/8"), B: columns("10.1.0.0/16")})
    known = stored("10.1.0.0/16", 5, 1) | stored("10.2.0.0/16", 9, 2) | stored("11.0.0.0/16", 99, 3)
    roots = {parse("10.0.0.0/8"), parse("10.1.0.0/16"), parse("10.2.0.0/16")}
    found = difference(known, roots, kept, START)
    ((group, since),) = found.new
    assert (group.stats.root, since) == (parse("10.0.0.0/8"), START - timedelta(days=9))
    assert {gone.id for gone in found.gone} == {UUID(int=1), UUID(int=2)}


@pytest.mark.promise("overlaps-keep-their-age")
def test_parts_of_a_split_keep_its_since_and_news_start_now() -> None:
    both = columns("10.1.0.0/16", "11.0.0.0/16")
    kept = register({A: both, B: both})
    known = stored("10.0.0.0/8", 7)
    roots = {parse(text) for text in ("10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/16")}
    found = difference(known, roots, kept, START)
    assert {group.stats.root: since for group, since in found.new} == {
        parse("10.1.0.0/16"): START - timedelta(days=7),
        parse("11.0.0.0/16"): START,
    }


def test_flat_is_not_transitive() -> None:
    topology = Topology(NET, {(NET[A], NET[B]): Relation.FLAT, (NET[B], NET[C]): Relation.FLAT})
    assert topology.relation(B, A) is Relation.FLAT
    assert topology.relation(A, C) is Relation.ISOLATED


def test_the_relations_among_clusters_are_those_of_every_two() -> None:
    topology = Topology(NET, {(NET[A], NET[B]): Relation.FLAT})
    assert topology.relations([A]) == frozenset()
    assert topology.relations([A, B]) == {Relation.FLAT}
    assert topology.relations([A, B, C]) == {Relation.FLAT, Relation.ISOLATED}
    assert topology.relations([B, C], Relation.PLANNED) == {Relation.PLANNED}
    assert Topology({A: NET[A], B: NET[A]}, {}).relations([A, B]) == {Relation.SAME}


@pytest.mark.parametrize(
    ("relation", "a", "b", "expected"),
    [
        (Relation.SAME, POD, SERVICE, Severity.CONFLICT),
        (Relation.FLAT, NODE, NODE, Severity.CONFLICT),
        (Relation.SAME, SERVICE, SERVICE, Severity.BLOCKS_FEDERATION),
        (Relation.SAME, PLANNED, POD, Severity.BLOCKS_FEDERATION),
        (Relation.PLANNED, SERVICE, SERVICE, Severity.BLOCKS_FEDERATION),
        (Relation.ISOLATED, POD, POD, Severity.LATENT),
        (Relation.NAT, POD, POD, Severity.INTENDED),
        (None, SERVICE, POD, Severity.CONFLICT),
        (None, NODE, SERVICE, Severity.CONFLICT),
        (None, POD, NODE, Severity.CONFLICT),
        (None, SERVICE, Use.LOADBALANCER, None),
    ],
)
def test_the_severity_of_a_pair(relation: Relation | None, a: Use, b: Use, expected: Severity | None) -> None:
    assert pair_severity(relation, a, b) is expected


def test_severity_does_not_depend_on_who_is_named_first() -> None:
    for relation, a, b in product([None, *Relation], USES, USES):
        assert pair_severity(relation, a, b) is pair_severity(relation, b, a)


@pytest.mark.promise("overlaps-say-what-to-do")
def test_a_pair_says_what_each_uses_it_for() -> None:
    for severity, relation in product(Severity, Relation):
        assert explain_pair(severity, relation, POD, SERVICE).why.startswith("One uses it for pods, the other for serv")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("ippools.crd.projectcalico.org", "submariner.io/clusters"),
        ("submariner.io/clusters", "kubeadm-config"),
        ("kubeadm-config", "nodes.spec.podCIDRs"),
        ("nodes.spec.podCIDRs", "observed"),
    ],
)
def test_sources_are_trusted_in_order(better: str, worse: str) -> None:
    assert trust(better) < trust(worse)
