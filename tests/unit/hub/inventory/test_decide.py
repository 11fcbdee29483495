"""Who an address belonged to, of several that had it."""

from datetime import datetime, timedelta
from uuid import UUID

from periplus_hub.inventory.model import Owner, decide

from tests.support.clock import START

DOMAIN = UUID(int=1)
CLUSTER = UUID(int=2)


ROLES = {"pod": "PodIP", "node": "InternalIP", "service": "LoadBalancer"}


def an_owner(
    uid: str,
    kind: str = "node",
    *,
    since: datetime = START,
    role: str = "",
    domain: UUID = DOMAIN,
    cluster: UUID = CLUSTER,
) -> Owner:
    return Owner(
        domain_id=domain,
        registration_id=cluster,
        kind=kind,
        role=role or ROLES[kind],
        uid=uid,
        namespace=None,
        name=uid,
        workload_kind=None,
        workload_name=None,
        node=None,
        zone=None,
        valid_from=since,
        valid_to=None,
    )


def test_one_thing_in_several_roles_is_one_owner_since_the_first_of_them() -> None:
    later, first = (an_owner("n1", since=START + timedelta(hours=hours)) for hours in (5, 1))
    for order in ([later, first], [first, later]):
        (verdict,) = decide(order)
        assert [owner.valid_from for owner in verdict.owners] == [first.valid_from]


def test_of_the_best_rank_all_are_named_and_each_domain_decides_alone() -> None:
    owners = [
        an_owner("pod-b", "pod"),
        an_owner("pod-a", "pod"),
        an_owner("n1"),
        an_owner("n2", domain=UUID(int=9)),
    ]
    here, there = decide(owners)
    assert [owner.uid for owner in here.owners] == ["pod-a", "pod-b"]
    assert [owner.uid for owner in there.owners] == ["n2"]


def test_an_address_of_a_node_is_the_nodes_and_services_only_listen_there() -> None:
    services = [an_owner("traefik", "service"), an_owner("broker", "service", role="ExternalIP")]
    for owners in ([an_owner("n1"), *services], [*services, an_owner("n1")]):
        ((owner,),) = (verdict.owners for verdict in decide(owners))
        assert (owner.uid, owner.rule) == ("n1", "node-address")
        assert [(each.uid, each.role) for each in owner.services] == [
            ("broker", "ExternalIP"),
            ("traefik", "LoadBalancer"),
        ]


def test_a_node_does_not_listen_on_its_own_external_address() -> None:
    ((owner,),) = (verdict.owners for verdict in decide([an_owner("n1", role="ExternalIP")]))
    assert (owner.uid, owner.rule, owner.services) == ("n1", "node-address", ())


def test_a_service_that_listens_in_two_roles_is_named_once() -> None:
    ((owner,),) = (
        verdict.owners
        for verdict in decide([an_owner("n1"), an_owner("s", "service"), an_owner("s", "service", role="ExternalIP")])
    )
    assert [each.uid for each in owner.services] == ["s"]


def test_a_cluster_ip_that_is_a_nodes_address_is_ambiguous() -> None:
    (verdict,) = decide([an_owner("n1"), an_owner("s", "service", role="ClusterIP")])
    assert [owner.uid for owner in verdict.owners] == ["n1", "s"]


def test_the_service_of_another_cluster_does_not_listen_on_this_ones_node() -> None:
    (verdict,) = decide([an_owner("n1"), an_owner("s", "service", cluster=UUID(int=3))])
    assert [(owner.uid, owner.services) for owner in verdict.owners] == [("n1", ()), ("s", ())]


def test_the_service_beside_a_node_is_not_lost_where_another_cluster_has_the_address_too() -> None:
    (verdict,) = decide([an_owner("n1"), an_owner("s", "service"), an_owner("m1", cluster=UUID(int=3))])
    assert {owner.uid: [each.uid for each in owner.services] for owner in verdict.owners} == {"m1": [], "n1": ["s"]}


def test_services_without_a_node_are_owners() -> None:
    (verdict,) = decide([an_owner("a", "service"), an_owner("b", "service")])
    assert [owner.uid for owner in verdict.owners] == ["a", "b"]
