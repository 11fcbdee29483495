"""Which path class traffic is of; what is not known is never the cheapest."""

from dataclasses import replace
from uuid import UUID

import pytest

from periplus_hub.pricing.engine.paths import PATH_RULES, path_of
from periplus_hub.pricing.model import PathClass, Place, Traffic, Via, Where

ONE, OTHER = UUID(int=1), UUID(int=2)
HOME = Place(cluster=ONE, provider="aws", account="a", region="eu-west-1", zone="eu-west-1a")
INTERNET = Place(where=Where.INTERNET)
NOWHERE = Place(where=Where.UNKNOWN)

CASES = {
    "node": (replace(HOME, node="n"), replace(HOME, node="n"), PathClass.SAME_NODE),
    "node of another cluster": (replace(HOME, node="n"), replace(HOME, node="n", cluster=OTHER), PathClass.SAME_ZONE),
    "zone": (HOME, HOME, PathClass.SAME_ZONE),
    "zones": (HOME, replace(HOME, zone="eu-west-1b"), PathClass.CROSS_ZONE),
    "zone of another account": (HOME, replace(HOME, cluster=OTHER, account="b"), PathClass.UNKNOWN),
    "account not known": (HOME, replace(HOME, cluster=OTHER, account=""), PathClass.UNKNOWN),
    "one cluster without account": (replace(HOME, account=""), replace(HOME, account=""), PathClass.SAME_ZONE),
    "zone not known": (HOME, replace(HOME, zone=""), PathClass.UNKNOWN),
    "neither zone known": (replace(HOME, zone=""), replace(HOME, zone=""), PathClass.UNKNOWN),
    "region not known": (HOME, replace(HOME, region=""), PathClass.UNKNOWN),
    "regions": (HOME, replace(HOME, cluster=OTHER, region="eu-central-1", zone=""), PathClass.CROSS_REGION),
    "providers": (HOME, replace(HOME, cluster=OTHER, provider="gcp", region="x"), PathClass.INTER_CLOUD),
    "provider not known": (HOME, replace(HOME, provider=""), PathClass.UNKNOWN),
    "internet": (HOME, INTERNET, PathClass.INTERNET_EGRESS),
    "from the internet": (INTERNET, HOME, PathClass.INTERNET_EGRESS),
    "nobody knows where": (HOME, NOWHERE, PathClass.UNKNOWN),
}


@pytest.mark.parametrize("name", CASES)
def test_path_class(name: str) -> None:
    initiator, acceptor, expected = CASES[name]
    assert path_of(Traffic(initiator=initiator, acceptor=acceptor)).path_class is expected
    assert path_of(Traffic(initiator=acceptor, acceptor=initiator)).path_class is expected


@pytest.mark.parametrize(
    ("via", "acceptor", "expected"),
    [
        (Via.NAT, INTERNET, PathClass.INTERNET_VIA_NAT),
        (Via.TRANSIT_GATEWAY, HOME, PathClass.TRANSIT_GATEWAY),
        (Via.PEERING, HOME, PathClass.PEERING),
        (Via.PRIVATE_LINK, HOME, PathClass.PRIVATE_LINK),
        (Via.LOAD_BALANCER, INTERNET, PathClass.LOAD_BALANCER),
        (Via.VPN, replace(HOME, provider="bare-metal"), PathClass.VPN),
        (Via.NAT, NOWHERE, PathClass.UNKNOWN),
    ],
)
def test_what_is_passed_on_the_way_decides(via: Via, acceptor: Place, expected: PathClass) -> None:
    assert path_of(Traffic(initiator=HOME, acceptor=acceptor, via=via)).path_class is expected


def test_public_addresses_within_a_region_cost() -> None:
    assert path_of(Traffic(initiator=HOME, acceptor=HOME, by_public_address=True)).path_class is (
        PathClass.SAME_REGION_PUBLIC
    )


def test_every_class_has_a_row() -> None:
    assert {rule.path_class for rule in PATH_RULES} == {*PathClass}
