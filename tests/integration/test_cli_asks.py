"""Addresses, findings, acceptances and revocations from the command line, against a real hub."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.inventory.tables import addresses
from periplus_hub.kit.db import Database
from periplus_hub.kit.graphql import uuid_of

from tests.support.graphql_hub import SEEN, seed
from tests.support.terminal import Terminal, asking


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    await seed(db, system_scope(await ensure_default_tenant(db), "test"))
    async with asking(database_url, tmp_path) as env:
        yield Terminal(env)


async def test_an_address_has_an_owner_or_several_or_none(terminal: Terminal) -> None:
    both = (await terminal.type("address", "10.244.0.1")).stdout
    assert "ambiguous: several network domains use it (2 candidates)" in both
    assert "cluster-000" in both
    one = await terminal.documents("address", "10.244.0.1", "--domain", "domain-001", "--at", "2026-02-01T00:00:00")
    assert [each["cluster"]["name"] for each in one["owners"]] == ["cluster-001"]
    nobody = (await terminal.type("address", "10.9.9.9", code=1)).stderr
    assert re.search(r"known who had 10\.9\.9\.9 in any network domain at [^.]+Z: ", nobody)
    assert nobody.count("10.9.9.9") == 1
    free = await terminal.type("address", "10.244.9.9", code=1)
    assert free.stdout.splitlines() == [
        "10.244.9.9 lies in 10.244.0.0/16, of the pods of cluster-000",
        "10.244.9.9 lies in 10.244.0.0/16, of the pods of cluster-001",
    ]
    other = await terminal.type("address", "10.244.9.9", "--domain", "domain-001", code=1)
    assert other.stdout == "10.244.9.9 lies in 10.244.0.0/16, of the pods of cluster-001\n"
    assert "It may be of a cluster that is not known whole: cluster-000, " in nobody
    assert one["notKnownWhole"][0] == "cluster-000"
    early = await terminal.type("address", "10.244.0.1", "--at", "2025-01-01", code=1)
    assert "it is not known" in early.stderr
    assert "is no time" in (await terminal.type("address", "10.244.0.1", "--at", "noon", code=64)).stderr


async def test_services_on_a_nodes_address_are_named_beside_the_node(terminal: Terminal, db: Database) -> None:
    (first, *_) = await terminal.documents("clusters", "list")
    scope = system_scope(await ensure_default_tenant(db), "test")
    own = {"tenant_id": scope.tenant_id, "registration_id": uuid_of(first["id"], "Cluster")}
    held = own | {"ip": "192.0.2.9", "valid_from": SEEN}
    machine = held | {"owner_kind": "node", "owner_uid": "n", "role": "InternalIP", "name": "pi-1", "namespace": None}
    on_it = held | {"owner_kind": "service", "role": "LoadBalancer", "namespace": "kube-system"}
    services = [on_it | {"owner_uid": f"s{number:02}", "name": f"svc-{number:02}"} for number in range(12)]
    async with db.write(scope) as c:
        await c.execute(insert(addresses).values([machine, *services]))
    told = (await terminal.type("address", "192.0.2.9")).stdout
    assert "pi-1" in told
    assert "ambiguous" not in told
    assert "on pi-1 of cluster-000 listen: kube-system/svc-00 (LoadBalancer), " in told
    assert "kube-system/svc-09 (LoadBalancer) and 2 more" in " ".join(told.split())
    (owner,) = (await terminal.documents("address", "192.0.2.9"))["owners"]
    assert (owner["kind"], owner["name"], owner["serviceCount"]) == ("node", "pi-1", 12)
    assert owner["services"][0] == {"namespace": "kube-system", "name": "svc-00", "publishedAs": "LoadBalancer"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("address", "300.1.1.1"), "'300.1.1.1' is no IP address"),
        (("address", "10.0.0.0/8"), "is no IP address"),
        (("address", "fe80::1%eth0"), "is of one interface"),
        (("address", "10.1.1.1", "--at", "0001-01-01T00:00:00+14:00"), "is no time"),
        (("overlaps", "accept", "10.244.0.1/16", "--reason", "lab"), "Do you mean 10.244.0.0/16?"),
        (("overlaps", "accept", "all", "--reason", "lab"), "'all' is no range of addresses"),
    ],
)
async def test_what_is_mistyped_is_told_in_plain_words(terminal: Terminal, typed: tuple[str, ...], said: str) -> None:
    told = (await terminal.type(*typed, code=64)).stderr
    assert said in told
    assert "$" not in told


async def test_a_cluster_is_shown_with_its_ranges(terminal: Terminal) -> None:
    told = (await terminal.type("clusters", "show", "cluster-000")).stdout
    assert "pod" in told
    assert "10.244.0.0/16" in told
    shown = await terminal.documents("clusters", "show", "cluster-000")
    assert [each["cidr"] for each in shown["allocations"]] == ["10.244.0.0/16", "10.244.1.0/24"]
    assert shown["allocations"][0]["allocationKind"] == "pod"


async def test_findings_are_listed_and_acknowledged(terminal: Terminal) -> None:
    listed = await terminal.documents("findings", "list", "--cluster", "cluster-000")
    (known,) = [each for each in listed if each["detector"] == "test"]
    assert (known["severity"], known["state"]) == ("warning", "open")
    told = (await terminal.type("findings", "ack", known["id"], "--note", "known")).stdout
    assert told == "Something: acknowledged\n"
    (after,) = [each for each in await terminal.documents("findings", "list") if each["detector"] == "test"]
    assert (after["state"], after["note"]) == ("acknowledged", "known")
    gone = await terminal.type("findings", "ack", known["id"][:-1] + "x", code=1)
    assert "there is no finding" in gone.stderr


async def test_an_overlap_is_accepted_and_withdrawn(terminal: Terminal) -> None:
    told = (await terminal.type("overlaps", "accept", "10.244.0.0/16", "--reason", "a lab", "--days", "3")).stdout
    assert told.startswith("10.244.0.0/16 is accepted until ")
    first, *_ = await terminal.documents("overlaps", "accepted")
    assert (first["cidr"], first["reason"], first["withdrawnAt"]) == ("10.244.0.0/16", "a lab", None)
    assert (await terminal.type("overlaps", "withdraw", first["cidr"])).stdout.endswith("not accepted any more\n")
    assert "withdrawn already" in (await terminal.type("overlaps", "withdraw", first["id"], code=1)).stderr
    assert first["id"] not in (await terminal.type("overlaps", "accepted")).stdout
    assert "withdrawn 2" in (await terminal.type("overlaps", "accepted", "--ended")).stdout
    assert (
        "no overlap" in (await terminal.type("overlaps", "accept", "192.0.2.0/24", "--reason", "none", code=1)).stderr
    )


async def test_a_cluster_is_not_revoked_unasked(terminal: Terminal) -> None:
    refused = await terminal.type("clusters", "revoke", "cluster-000", code=64)
    assert "revoke cluster cluster-000 (active, Cluster:" in refused.stderr
    assert "--yes" in refused.stderr
    assert (await terminal.type("clusters", "approve", "cluster-000")).stdout.startswith(
        "cluster-000 is active, in network domain domain-000\n  Cluster:"
    )
    assert (await terminal.type("clusters", "revoke", "cluster-000", "--yes")).stdout == "cluster-000 is revoked\n"
