"""Which path class traffic is of: the first row of `PATH_RULES` that matches. Pure.

What is not known is `unknown`, and never the cheapest class: two ends whose zones cannot be compared may be in one zone
or in two.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from periplus_hub.pricing.model import PathClass, Place, Traffic, Via, Where

ZONES_OF_ACCOUNTS: Final = frozenset({"aws", "azure"})
"""Providers that give each account zones by names of its own."""


@dataclass(frozen=True, slots=True)
class PathRule:
    """A path class, when traffic is of it, and how that is told to people."""

    path_class: PathClass
    match: Callable[[Traffic], bool]
    evidence: str


def _where(where: Where) -> Callable[[Traffic], bool]:
    return lambda traffic: where in {traffic.initiator.where, traffic.acceptor.where}


def _via(via: Via) -> Callable[[Traffic], bool]:
    return lambda traffic: traffic.via is via


def _both(name: str) -> Callable[[Traffic], bool]:
    """Whether this is known of both ends."""
    return lambda traffic: all(getattr(place, name) for place in (traffic.initiator, traffic.acceptor))


def _same(name: str) -> Callable[[Traffic], bool]:
    return lambda traffic: _both(name)(traffic) and getattr(traffic.initiator, name) == getattr(traffic.acceptor, name)


def _differ(name: str) -> Callable[[Traffic], bool]:
    return lambda traffic: _both(name)(traffic) and getattr(traffic.initiator, name) != getattr(traffic.acceptor, name)


def _lacks(name: str) -> Callable[[Traffic], bool]:
    return lambda traffic: not _both(name)(traffic)


def has_comparable_zones(a: Place, b: Place) -> bool:
    """Whether equal names of zones are the same zone."""
    if not (a.zone and b.zone):
        return False
    is_one_cluster = a.cluster is not None and a.cluster == b.cluster
    is_one_account = bool(a.account) and a.account == b.account
    return is_one_cluster or is_one_account or a.provider not in ZONES_OF_ACCOUNTS


def _zones_comparable(traffic: Traffic) -> bool:
    return has_comparable_zones(traffic.initiator, traffic.acceptor)


def _on_one_node(traffic: Traffic) -> bool:
    is_one_cluster = traffic.initiator.cluster == traffic.acceptor.cluster
    return is_one_cluster and _same("node")(traffic)


def _nat_to_internet(traffic: Traffic) -> bool:
    return traffic.via is Via.NAT and _where(Where.INTERNET)(traffic)


PATH_RULES: Final = (
    PathRule(PathClass.UNKNOWN, _where(Where.UNKNOWN), "it is not known where an end is"),
    PathRule(PathClass.INTERNET_VIA_NAT, _nat_to_internet, "an end is on the internet, behind a NAT gateway"),
    PathRule(PathClass.LOAD_BALANCER, _via(Via.LOAD_BALANCER), "it passes a load balancer"),
    PathRule(PathClass.VPN, _via(Via.VPN), "it passes a VPN or a dedicated link"),
    PathRule(PathClass.INTERNET_EGRESS, _where(Where.INTERNET), "an end is on the internet"),
    PathRule(PathClass.SAME_NODE, _on_one_node, "both ends are on one node"),
    PathRule(PathClass.UNKNOWN, _lacks("provider"), "the provider of an end is not known"),
    PathRule(PathClass.INTER_CLOUD, _differ("provider"), "the ends are of two providers"),
    PathRule(PathClass.TRANSIT_GATEWAY, _via(Via.TRANSIT_GATEWAY), "it passes a transit gateway"),
    PathRule(PathClass.PRIVATE_LINK, _via(Via.PRIVATE_LINK), "it passes a private endpoint"),
    PathRule(PathClass.UNKNOWN, _lacks("region"), "the region of an end is not known"),
    PathRule(PathClass.PEERING, _via(Via.PEERING), "it passes a peering of two networks"),
    PathRule(PathClass.CROSS_REGION, _differ("region"), "the ends are in two regions"),
    PathRule(
        PathClass.SAME_REGION_PUBLIC,
        lambda traffic: traffic.by_public_address,
        "the ends are in one region and use public addresses",
    ),
    PathRule(PathClass.UNKNOWN, _lacks("zone"), "the zone of an end is not known"),
    PathRule(
        PathClass.UNKNOWN,
        lambda traffic: not _zones_comparable(traffic),
        "names of zones mean other zones in another account, and the accounts are not known to be one",
    ),
    PathRule(PathClass.SAME_ZONE, _same("zone"), "both ends are in one zone"),
    PathRule(PathClass.CROSS_ZONE, _differ("zone"), "the ends are in two zones of a region"),
)
"""In order. A new path class is a row here, and prices of it in the books."""


def path_of(traffic: Traffic) -> PathRule:
    """The row that says of which class it is."""
    return next(rule for rule in PATH_RULES if rule.match(traffic))
