"""From a join token to a credential and back out, through the spokes' listener."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from periplus_contract import problems
from periplus_contract.messages import ContractDescription, proof_bytes
from periplus_hub.access.scope import Scope
from periplus_hub.fleet import service
from periplus_hub.fleet.model import Registration
from periplus_hub.fleet.repository import registrations_by_ids
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, node, pod
from tests.support.clock import FakeClock
from tests.support.small_order import keys_of_small_order
from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door

UUID = "0192d7a0-1111-7222-8333-444455556666"


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def stored(door: Door, scope: Scope, member: Member) -> Registration:
    async with door.db.read(scope) as c:
        return (await registrations_by_ids(c, scope, [member.registration]))[member.registration]


async def refusal(work: object) -> str:
    with pytest.raises(RefusedByHubError) as refused:
        await work  # type: ignore[misc]  # any awaitable
    return refused.value.slug


@pytest.mark.promise("revoked-is-out")
async def test_a_spoke_waits_for_approval_then_sends_until_it_is_revoked(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    member = Member(door, "prod-1")
    answer = await member.enrol(await door.join_token(tenant))
    assert (answer.state, answer.cluster_name) == ("pending", "prod-1")
    assert await refusal(member.renew()) == "pending-approval"
    async with door.db.write(tenant) as c:
        await service.approve(c, tenant, clock, member.registration)
    await member.renew()
    spoke = Spoke(member.registration)
    assert (await member.send(spoke.snapshot({"pods": [pod("a")]}))).result == "accepted"
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, clock, member.registration)
    clock.advance(6)
    assert await refusal(member.send(spoke.delta({"pods": [pod("b")]}))) in {"revoked", "unauthenticated"}
    assert await refusal(member.renew()) in {"revoked", "proof-refused"}


@pytest.mark.promise("revoked-is-out")
async def test_revocation_bites_at_once_in_the_transaction_of_a_batch(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a")]}))
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, clock, member.registration)
    assert await refusal(member.send(spoke.delta({"pods": [pod("b")]}))) == "revoked"


async def test_a_lost_answer_may_be_asked_for_again_with_the_same_key(door: Door, tenant: Scope) -> None:
    member = Member(door, "prod-1")
    token = await door.join_token(tenant, auto_approve=True)
    first = await member.enrol(token)
    assert await member.enrol(token) == first


@pytest.mark.promise("identity-is-proven")
async def test_a_join_token_is_good_for_one_key_and_one_hour(door: Door, tenant: Scope, clock: FakeClock) -> None:
    token = await door.join_token(tenant)
    await Member(door, "prod-1").enrol(token)
    assert await refusal(Member(door, "prod-2").enrol(token)) == "proof-refused"
    late = await door.join_token(tenant)
    clock.advance(3601)
    assert await refusal(Member(door, "prod-3").enrol(late)) == "proof-refused"


@pytest.mark.promise("identity-is-proven")
async def test_a_race_for_one_token_has_one_winner(door: Door, tenant: Scope) -> None:
    token = await door.join_token(tenant)
    members = [Member(door, f"prod-{number}") for number in range(6)]
    results = await asyncio.gather(*(member.enrol(token) for member in members), return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 1


async def test_a_taken_name_is_refused_with_its_remedy_and_the_token_stays_good(door: Door, tenant: Scope) -> None:
    await door.member(tenant, "prod-1")
    token = await door.join_token(tenant)
    member = Member(door, "prod-1")
    with pytest.raises(RefusedByHubError) as refused:
        await member.enrol(token)
    assert refused.value.slug == "name-taken"
    assert "--cluster-name" in refused.value.problem.remedy
    assert (await member.enrol(token, cluster_name="prod-1b")).cluster_name == "prod-1b"


async def test_names_are_taken_per_tenant_only(door: Door, tenant: Scope, other_tenant: Scope) -> None:
    await door.member(tenant, "prod-1")
    await door.member(other_tenant, "prod-1")


async def test_the_token_decides_the_name_it_is_bound_to(door: Door, tenant: Scope) -> None:
    member = Member(door, "whatever")
    answer = await member.enrol(await door.join_token(tenant, cluster_name="prod-9"))
    assert answer.cluster_name == "prod-9"
    assert answer.notice == "its join token names this cluster 'prod-9', not 'whatever'"


async def test_a_bound_token_whose_name_is_taken_says_that_the_token_is_the_matter(door: Door, tenant: Scope) -> None:
    await door.member(tenant, "prod-1")
    token = await door.join_token(tenant, cluster_name="prod-1")
    with pytest.raises(RefusedByHubError, match=r"bound to 'prod-1'.*create a token"):
        await Member(door, "other").enrol(token)


@pytest.mark.parametrize(
    ("machines", "said"),
    [(("n1=192.0.2.1",), "this same cluster is"), ((), "this same cluster, or one with its kube-system uid, is")],
)
async def test_a_cluster_that_lost_its_state_folder_learns_that_it_is_its_own_rival(
    door: Door, tenant: Scope, machines: tuple[str, ...], said: str
) -> None:
    await door.member(tenant, "prod-1", cluster_uid="one-cluster", machines=machines)
    again = Member(door, "prod-1", cluster_uid="one-cluster", machines=machines)
    with pytest.raises(RefusedByHubError, match=f"{said} registered as 'prod-1' already") as refused:
        await again.enrol(await door.join_token(tenant))
    assert "periplus clusters revoke prod-1" in refused.value.problem.detail


async def test_a_second_spoke_with_a_clusters_identity_is_never_approved_by_itself(door: Door, tenant: Scope) -> None:
    first = await door.member(tenant, "prod-1", **one_cluster("n1=192.0.2.1", "n2=192.0.2.2"))
    again = Member(door, "prod-2", **one_cluster("n2=192.0.2.2", "n3=192.0.2.3", api_ca_sha256="a-load-balancers"))
    answer = await again.enrol(await door.join_token(tenant, auto_approve=True))
    assert answer.state == "pending"
    assert "registered as 'prod-1' already" in answer.notice
    with pytest.raises(RefusedByHubError, match=r"pending-approval.*registered as 'prod-1' already"):
        await again.renew()
    assert (await stored(door, tenant, again)).duplicate_of == first.registration


def one_cluster(*machines: str, **facts: str) -> dict[str, Any]:
    return {"cluster_uid": "one-cluster", "machines": machines, **facts}


@pytest.mark.parametrize(
    "machines",
    [
        pytest.param(("m1=198.51.100.1",), id="no node in common"),
        pytest.param(("n1=198.51.100.1",), id="a node of the backup on another machine"),
        pytest.param((), id="nodes that cannot be listed"),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
async def test_a_copy_of_a_cluster_is_a_cluster_of_its_own(
    door: Door, tenant: Scope, machines: tuple[str, ...], *, is_first: bool
) -> None:
    both = [("prod-1", ("n1=192.0.2.1", "n2=192.0.2.2")), ("copy", machines)]
    for name, seen in reversed(both) if is_first else both:
        member = await door.member(tenant, name, **one_cluster(*seen, api_ca_sha256="one"))
        assert (await stored(door, tenant, member)).duplicate_of is None


async def test_a_second_spoke_is_told_from_a_copy_by_the_nodes_of_now(door: Door, tenant: Scope) -> None:
    first = await door.member(tenant, "prod-1", **one_cluster("n1=192.0.2.1"))
    nodes = [node("n2", "InternalIP=192.0.2.2"), node("n1", "InternalIP=192.0.2.1", ready=False)]
    await first.send(Spoke(first.registration).snapshot({"nodes": nodes}))
    again = Member(door, "prod-2", **one_cluster("n2=192.0.2.2"))
    assert (await again.enrol(await door.join_token(tenant, auto_approve=True))).state == "pending"
    copy = await door.member(tenant, "copy", **one_cluster("n1=192.0.2.1"))
    assert (await stored(door, tenant, copy)).duplicate_of is None, "n1 is not ready any more where it was"


async def test_one_way_to_an_api_server_is_one_cluster_whoever_may_list_nodes(door: Door, tenant: Scope) -> None:
    await door.member(tenant, "admin", **one_cluster("n1=192.0.2.1", way="here"))
    blind = Member(door, "blind", **one_cluster(way="here"))
    assert (await blind.enrol(await door.join_token(tenant, auto_approve=True))).state == "pending"
    elsewhere = await door.member(tenant, "elsewhere", **one_cluster(way="there"))
    assert (await stored(door, tenant, elsewhere)).duplicate_of is None


async def test_a_copy_that_calls_itself_the_same_is_another_cluster(door: Door, tenant: Scope) -> None:
    await door.member(tenant, "prod-1", **one_cluster("n1=192.0.2.1"))
    copy = Member(door, "prod-1", **one_cluster("m1=198.51.100.1"))
    with pytest.raises(RefusedByHubError, match="another cluster of this fleet is called 'prod-1'"):
        await copy.enrol(await door.join_token(tenant))


async def test_each_cluster_starts_in_a_network_domain_of_its_own(door: Door, tenant: Scope) -> None:
    members = [await door.member(tenant, name) for name in ("prod-1", "prod-2")]
    domains = {(await stored(door, tenant, member)).domain_id for member in members}
    assert len(domains) == 2


@pytest.mark.promise("identity-is-proven")
@pytest.mark.parametrize("wrong", ["key", "hub", "registration", "nonce", "reused", "base64", "late", "unknown"])
async def test_a_wrong_proof_is_refused(door: Door, tenant: Scope, clock: FakeClock, wrong: str) -> None:
    member, other = await door.member(tenant, "prod-1"), await door.member(tenant, "prod-2")
    nonce = await member.challenge()
    assert member.enrolled is not None
    hub_id, registration, key = member.enrolled.hub_id, member.enrolled.registration, member.key
    signed = {
        "key": (Ed25519PrivateKey.generate(), (hub_id, registration, nonce)),
        "hub": (key, ("another-hub", registration, nonce)),
        "registration": (key, (hub_id, str(other.registration), nonce)),
        "nonce": (key, (hub_id, registration, "another")),
    }
    changes = {}
    if wrong in signed:
        signer, fields = signed[wrong]
        changes["signature"] = base64.b64encode(signer.sign(proof_bytes(*fields))).decode()
    elif wrong == "base64":
        changes["signature"] = "not base64!"
    elif wrong == "unknown":
        changes["registration"] = "01950000-0000-7000-8000-00000000dead"
    request = member.proof(nonce, **changes)
    if wrong == "reused":
        await member.prove(request)
    if wrong == "late":
        clock.advance(121)
    assert await refusal(member.prove(request)) == "proof-refused"


@pytest.mark.promise("identity-is-proven")
async def test_another_members_nonce_is_not_accepted(door: Door, tenant: Scope) -> None:
    member, other = await door.member(tenant, "prod-1"), await door.member(tenant, "prod-2")
    assert await refusal(member.prove(member.proof(await other.challenge()))) == "proof-refused"


async def test_a_credential_lives_a_day(door: Door, tenant: Scope, clock: FakeClock) -> None:
    member = await door.member(tenant)
    clock.advance(24 * 3600 - 60)
    await member.beat()
    clock.advance(61)
    assert await refusal(member.beat()) == "unauthenticated"
    await member.renew()
    await member.beat()


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Bearer x", b"Bearer ppc_x.y", b"Basic Zm9v", b"Bearer ppc_1.\xe9"]
)
async def test_what_is_no_credential_is_unauthenticated(door: Door, header: bytes) -> None:
    response = await door.http.post("/v1/heartbeat", headers=[(b"Authorization", header)])
    assert response.status_code == 401


async def test_a_credential_with_another_secret_is_unauthenticated(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    await member.beat()
    member.credential = member.credential[:-2] + "xx"
    assert await refusal(member.beat()) == "unauthenticated"


@pytest.mark.parametrize(
    "change",
    [
        {"public_key": "AAAA"},
        *({"public_key": base64.b64encode(key).decode()} for key in keys_of_small_order()),
        {"cluster_uid": ""},
        {"cluster_uid": "x" * 300},
        {"machines": ("n=192.0.2.1",) * 101},
        {"machines": ("\x1b[2J",)},
        {"way": "x" * 300},
        {"node_count": -1},
        {"contract": "one"},
    ],
)
async def test_facts_that_cannot_be_kept_are_malformed(door: Door, tenant: Scope, change: dict[str, object]) -> None:
    member = Member(door, "prod-1")
    assert await refusal(member.enrol(await door.join_token(tenant), **change)) == "malformed-message"


@pytest.mark.promise("names-cannot-deceive")
@pytest.mark.parametrize(
    "name",
    ["", " padded", "x" * 254, "line\nbreak", "pr\u043ed", f"Cluster:{UUID}", UUID, "ppj_0123456789ab"],
)
async def test_a_name_that_deceives_is_refused(door: Door, tenant: Scope, name: str) -> None:
    """Approving "Cluster:<id>" must never mean a cluster that calls itself so."""
    token = await door.join_token(tenant)
    assert await refusal(Member(door, "prod-1").enrol(token, cluster_name=name)) == "bad-name"


@pytest.mark.promise("names-cannot-deceive")
@pytest.mark.parametrize("name", ["PROD-1", "Prod-1", "prod-l", "prod-I"])
async def test_a_name_that_reads_like_anothers_is_refused(door: Door, tenant: Scope, name: str) -> None:
    first = await door.member(tenant, "prod-1")
    token = await door.join_token(tenant)
    assert await refusal(Member(door, name).enrol(token)) == "name-taken"
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, door.db.clock, first.registration)
    assert (await Member(door, name).enrol(token)).cluster_name == name


@pytest.mark.parametrize("path", ["/v1/enroll", "/v1/challenge", "/v1/credential"])
async def test_messages_without_bottom_are_malformed(door: Door, path: str) -> None:
    answer = await door.http.post(path, content=b'{"newer":' + b"[" * 20_000)
    assert (answer.status_code, answer.json()["type"]) == (400, problems.MALFORMED_MESSAGE.uri)


async def test_another_major_contract_is_unsupported(door: Door, tenant: Scope) -> None:
    member = Member(door, "prod-1")
    assert await refusal(member.enrol(await door.join_token(tenant), contract="2.0")) == "unsupported-version"


async def test_the_contract_says_what_the_hub_takes(door: Door) -> None:
    response = await door.http.get("/v1/contract")
    described = msgspec.json.decode(response.content, type=ContractDescription)
    assert described.hub_id == await door.enrolment.hub_id()
    assert {kind.kind: bool(kind.tables) for kind in described.kinds}["inventory"]


async def test_one_database_is_one_hub(door: Door, db: Database) -> None:
    again = open_door(db)
    assert await again.enrolment.hub_id() == await door.enrolment.hub_id()
    again.intake.close()


async def test_a_heartbeat_keeps_liveness_clock_skew_and_outcomes(door: Door, tenant: Scope, clock: FakeClock) -> None:
    member = await door.member(tenant)
    ahead_us = (clock.wall_us()) + 45_000_000
    await member.beat(wall_us=ahead_us, queued_batches=3, queued_bytes=999)
    found = await stored(door, tenant, member)
    assert (found.clock_skew_ms, found.queued_batches, found.queued_bytes) == (45_000, 3, 999)
    assert found.last_seen_at == clock.now()
