"""Whatever has an id is found again by it, as the same thing, and by nobody of another tenant."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from periplus_hub.access.scope import Role, Scope, owned
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.api.schema import assemble
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import door, keys, seed, token_for

_LISTED = (
    *("namespaces", "nodes", "pods", "services", "workloads", "endpoints", "allocations", "pools"),
    *("completeness", "quarantine", "overlapGroups", "findings", "agents"),
)
_LISTS = " ".join(f"{name}{{nodes{{__typename id}}}}" for name in _LISTED)
OF_CLUSTER = f"query($c:ID!){{cluster(id:$c){{__typename id {_LISTS}}}}}"
OF_TENANT = """{
  networkDomains { nodes { __typename id connections { nodes { __typename id } } } }
  joinTokens { nodes { __typename id } } apiTokens { nodes { __typename id } }
  sessions { nodes { __typename id } } auditEvents { nodes { __typename id } }
  overlapAcceptances { nodes { __typename id } } rangeReservations { nodes { __typename id } }
  ranges { nodes { __typename id } }
}"""
AGAIN = "query($id:ID!){node(id:$id){__typename id}}"


def _found(value: Any) -> list[tuple[str, str]]:
    """Every (type, id) in an answer."""
    if isinstance(value, list):
        return [each for item in value for each in _found(item)]
    if not isinstance(value, dict):
        return []
    own = [(value["__typename"], value["id"])] if value.get("id") and "__typename" in value else []
    return own + [each for item in value.values() for each in _found(item)]


def _spelt_otherwise(identity: str) -> list[str]:
    """Ids that mean the same to a generous reader."""
    kind, *parts = identity.split(":")
    spelt = [
        [*parts[:at], other, *parts[at + 1 :]]
        for at, part in enumerate(parts)
        for other in {
            part.upper(),
            part.replace("-", ""),
            f"{{{part}}}",
            f"0{part}",
            part.replace("%3A%3A", "%3A0%3A%3A"),
        }
        if other != part
    ]
    return [":".join((kind, *each)) for each in spelt]


@pytest.mark.promise("ids-are-found-again")
async def test_every_id_is_found_again_by_its_owner_alone(
    db: Database, clock: FakeClock, tenant: Scope, other_tenant: Scope
) -> None:
    hub, fleet = door(db, clock), await seed(db, tenant)
    async with db.write(tenant) as c:  # what divides the parts of an id may be in a name, and is in every IPv6 range
        pools, ranges = ipam_tables.pools, ipam_tables.allocations
        await c.execute(update(pools).where(owned(tenant, pools)).values(name="a:b%3Ac%", provider=":"))
        wide = update(ranges).where(owned(tenant, ranges), ranges.c.cidr == "10.244.1.0/24")
        await c.execute(wide.values(**keys("fd00:1::/64")))
    mine, foreign = await token_for(db, tenant, Role.ADMIN), await token_for(db, other_tenant, Role.ADMIN)
    answers = [(await hub.ask(OF_CLUSTER, mine, c=fleet.ids["Cluster"])).good, (await hub.ask(OF_TENANT, mine)).good]
    seen = {identity: kind for answer in answers for kind, identity in _found(answer)}
    for identity, kind in seen.items():
        assert (await hub.ask(AGAIN, mine, id=identity)).good["node"] == {"__typename": kind, "id": identity}
        answer = await hub.ask(AGAIN, foreign, id=identity)
        assert json.dumps(answer.data) in {'{"node": null}', "null"}, identity
        clock.advance(1)
        for other in _spelt_otherwise(identity):
            answer = await hub.ask(AGAIN, mine, id=other)
            assert json.dumps(answer.data) in {'{"node": null}', "null"}, other
            clock.advance(1)
    assert assemble().finders.keys() - set(seen.values()) == set()
