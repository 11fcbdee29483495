"""Families of ways of joining clusters, in words."""

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.api.cli.ways_words import ways_words

T = FederationTarget
MESHES = {T.CILIUM_CLUSTER_MESH, T.SUBMARINER, T.ISTIO_FLAT, T.LINKERD_FLAT}
ROUTES = {T.VPC_PEERING, T.TRANSIT_GATEWAY, T.PLAIN_ROUTING}


def test_whole_families_are_named_as_such() -> None:
    assert ways_words(MESHES | ROUTES | {T.ANTREA}) == "all flat ways of joining (7), Antrea Multi-cluster"
    assert ways_words(MESHES | {T.VPC_PEERING}) == "all meshes on a flat network (4), VPC peering"
    assert ways_words(set(T) - MESHES - ROUTES - {T.ANTREA}) == "ways behind gateways or translation (4)"
    assert ways_words([]) == ""


@given(st.sets(st.sampled_from(T)))
def test_every_way_is_named_or_counted_once(targets: set[FederationTarget]) -> None:
    words = ways_words(targets).split(", ") if targets else []
    counted = [int(each.rpartition("(")[2].rstrip(")")) if each.endswith(")") else 1 for each in words]
    assert sum(counted) == len(targets)
