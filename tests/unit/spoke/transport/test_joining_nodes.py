"""An agent of a node: it joins by the token of its cluster's agents, which is good for many."""

import random
from pathlib import Path

import pytest

from periplus_contract import problems
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.delivery import Delivery
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kit.errors import ConfigError, HubRefusedForGoodError, SpokeError
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.identity import IdentityStore, Registration, check_cluster, check_node
from periplus_spoke.transport.joining import Joining
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.session import ForgottenError, HubRefusalError, Identity, Session

from tests.support.clock import FakeClock
from tests.support.fake_hub import JOIN_TOKEN, FakeHub, lose_answer, refuse
from tests.support.spoke_rig import FACTS, sign_here

TOKEN = "agents.of-prod-1"
NODE = NodeIdentity(name="node-1")


class ImpatientClock(FakeClock):
    """Sleeping is over at once."""

    slept_s = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept_s += seconds
        self.advance(seconds)


def joining(client: HubClient, folder: Path, clock: FakeClock, token: str = TOKEN) -> Joining:
    return Joining(
        client=client,
        store=IdentityStore(folder, sign_here),
        join_token=token,
        why_no_token="no join token",
        report=Report(folder / "status.json"),
        timer=clock,
        rng=random.Random(1),
    )


async def test_a_node_needs_its_name_and_a_token_and_no_api_server(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        made = await joining(client, tmp_path, clock).enrol(NODE)
    assert (made.registration, made.cluster_name, made.node_name) == (hub.registration, "prod-1", "node-1")
    assert hub.nodes == ["node-1"]
    assert IdentityStore(tmp_path).registration() == made


async def test_without_a_token_it_says_which_one_it_takes(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        with pytest.raises(ConfigError) as refused:
            await joining(client, tmp_path, clock, token="").enrol(NODE)
    assert "'periplus join-token create --agents-of CLUSTER'" in refused.value.remedy


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(tmp_path: Path) -> None:
    clock = ImpatientClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        hub.misbehave("/v1/enroll-agent", lose_answer)
        await joining(client, tmp_path, clock).enrol(NODE)
    assert (hub.nodes, len(hub.keys)) == (["node-1", "node-1"], 1)


async def test_while_the_nodes_other_agent_is_heard_it_waits(tmp_path: Path) -> None:
    clock = ImpatientClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        hub.misbehave("/v1/enroll-agent", refuse(problems.NODE_HAS_AGENT, retry_after="31"))
        join = joining(client, tmp_path, clock)
        made = await join.enrol(NODE)
    assert made.node_name == "node-1"
    assert clock.slept_s > 0
    assert join.report.status.remedy == problems.NODE_HAS_AGENT.remedy


async def test_too_many_agents_end_it_with_the_remedy(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        hub.misbehave("/v1/enroll-agent", refuse(problems.TOO_MANY_AGENTS))
        with pytest.raises(HubRefusedForGoodError) as refused:
            await joining(client, tmp_path, clock).enrol(NODE)
    assert refused.value.remedy == problems.TOO_MANY_AGENTS.remedy


async def test_an_agent_that_the_hub_forgot_joins_again_with_the_token_it_had(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        stored = await joining(client, tmp_path, clock).enrol(NODE)
        assert await joining(client, tmp_path, clock).stay(stored)
        hub.keys.clear()
        assert not await joining(client, tmp_path, clock).stay(stored)
        assert await joining(client, tmp_path, clock, token="").stay(stored), "without a token it holds"
        await joining(client, tmp_path, clock).enrol(NODE)
    assert len(hub.keys) == 1


def test_a_folder_of_another_node_or_of_a_spoke_is_refused(tmp_path: Path) -> None:
    store = IdentityStore(tmp_path)
    mine = {"registration": "r", "hub_id": "h", "cluster_name": "prod-1"}
    store.remember(Registration(**mine, cluster_uid="", node_name="node-1"))
    stored = store.registration()
    assert stored is not None
    check_node(stored, "node-1")
    with pytest.raises(SpokeError, match="belongs to node 'node-1' of cluster 'prod-1', this is node 'node-2'"):
        check_node(stored, "node-2")
    with pytest.raises(SpokeError, match="this cluster is uid-1"):
        check_cluster(stored, "uid-1")
    with pytest.raises(SpokeError, match="belongs to the spoke of cluster 'prod-1'"):
        check_node(Registration(**mine, cluster_uid="uid-1"), "node-1")


@pytest.mark.parametrize(("who", "token"), [(NODE, JOIN_TOKEN), (FACTS, TOKEN)])
async def test_the_tokens_of_spokes_and_agents_are_told_apart(tmp_path: Path, who: Identity, token: str) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        with pytest.raises(HubRefusedForGoodError):
            await joining(client, tmp_path, clock, token=token).enrol(who)


async def test_a_delivery_of_a_node_keeps_to_its_node(tmp_path: Path) -> None:
    clock = ImpatientClock()
    async with FakeHub(clock) as hub:
        config = SpokeConfig(hub=hub.url, state_dir=tmp_path / "state")
        for _ in range(2):
            async with Delivery(config, clock, random.Random(1), Report()) as delivery:
                joined = await delivery.join(NODE, TOKEN)
                await delivery.open(joined, CollectorGroup([]))
        assert hub.nodes == ["node-1"], "the second time it stayed"
        async with Delivery(config, clock, random.Random(1), Report()) as delivery:
            with pytest.raises(SpokeError, match="this is node 'node-2'"):
                await delivery.join(NodeIdentity(name="node-2"), TOKEN)
        empty = SpokeConfig(hub=hub.url, state_dir=tmp_path / "other")
        async with Delivery(empty, clock, random.Random(1), Report()) as delivery:
            with pytest.raises(ConfigError, match="no join token"):
                await delivery.join(NODE, "")


async def test_an_agent_that_was_forgotten_while_it_ran_ends_so_that_it_joins_again(tmp_path: Path) -> None:
    clock = ImpatientClock()
    async with FakeHub(clock) as hub:
        config = SpokeConfig(hub=hub.url, state_dir=tmp_path / "state")
        async with Delivery(config, clock, random.Random(1), Report()) as delivery:
            joined = await delivery.join(NODE, TOKEN)
            context = await delivery.open(joined, CollectorGroup([]))
            hub.keys.clear()
            with pytest.raises(ExceptionGroup) as ended:
                await delivery.send(context, joined, quiet_s=0.1)
            assert ended.value.subgroup(ForgottenError)
        async with Delivery(config, clock, random.Random(1), Report()) as delivery:
            await delivery.join(NODE, TOKEN)
    assert (hub.nodes, len(hub.keys)) == (["node-1", "node-1"], 1)


async def test_a_revoked_agent_holds_what_it_has_and_asks_on(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        stored = await joining(client, tmp_path, clock).enrol(NODE)
        session = Session(client, IdentityStore(tmp_path, sign_here), stored, clock)
        hub.revoked = True
        for _ in range(3):
            with pytest.raises(HubRefusalError):
                await session.bearer()
        hub.revoked = False
        await session.bearer()
