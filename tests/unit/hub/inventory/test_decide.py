"""Who an address belonged to, of several claims."""

from datetime import datetime, timedelta
from uuid import UUID

from periplus_hub.inventory.model import Owner, decide

from tests.support.clock import START

DOMAIN = UUID(int=1)
CLUSTER = UUID(int=2)


def claim(uid: str, rank: int, since: datetime, *, kind: str = "node", domain: UUID = DOMAIN) -> Owner:
    return Owner(
        domain_id=domain,
        registration_id=CLUSTER,
        kind=kind,
        uid=uid,
        namespace=None,
        name=uid,
        workload_kind=None,
        workload_name=None,
        node=None,
        zone=None,
        valid_from=since,
        valid_to=None,
        rank=rank,
        rule="node-address",
    )


def test_one_thing_in_several_roles_is_one_owner_since_the_first_of_them() -> None:
    later, first = (claim("n1", 2, START + timedelta(hours=hours)) for hours in (5, 1))
    for order in ([later, first], [first, later]):
        (verdict,) = decide(order)
        assert [owner.valid_from for owner in verdict.owners] == [first.valid_from]


def test_of_the_best_rank_all_are_named_and_each_domain_decides_alone() -> None:
    claims = [
        claim("pod-b", 0, START, kind="pod"),
        claim("pod-a", 0, START, kind="pod"),
        claim("n1", 2, START),
        claim("n2", 2, START, domain=UUID(int=9)),
    ]
    here, there = decide(claims)
    assert [owner.uid for owner in here.owners] == ["pod-a", "pod-b"]
    assert [owner.uid for owner in there.owners] == ["n2"]
