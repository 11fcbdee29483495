"""Plans of clusters that are not built yet."""

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.preflight.engine.plans import services_among_others

SMALL = st.builds(
    lambda family, bits, length: Prefix(family, bits >> (4 - length) << (128 - length), length),
    st.sampled_from([4, 6]),
    st.integers(0, 15),
    st.integers(1, 4),
)


@given(st.lists(SMALL, max_size=6), st.lists(SMALL, max_size=6), st.lists(SMALL, max_size=6))
def test_services_are_found_over_or_under_any_other_range(
    services: list[Prefix], pods: list[Prefix], nodes: list[Prefix]
) -> None:
    found = services_among_others(
        {AllocationKind.POD: pods, AllocationKind.SERVICE: services, AllocationKind.NODE: nodes}
    )
    pairs = [
        (service, other, kind)
        for service in services
        for kind, others in (("pods", pods), ("nodes", nodes))
        for other in others
        if service.covers(other) or other.covers(service)
    ]
    said = {f"{service} for services and {other} for {kind}" for service, other, kind in pairs}
    assert (found in said) if said else (found is None)
