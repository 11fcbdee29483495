"""The agent of a node, composed: it joins with its node's name, and what its collectors tell arrives."""

import asyncio
import random
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from periplus_contract.tables import Kind
from periplus_spoke import node_agent
from periplus_spoke.collectors.conntrack import ConntrackCollector
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kit.config import ConfigError, SpokeConfig, load
from periplus_spoke.node_agent import NodeAgent, named
from periplus_spoke.node_registry import NODE_COLLECTORS

from tests.support.collector_contract import PATIENCE_S
from tests.support.fake_hub import FakeHub
from tests.unit.spoke.test_second_agent import AGENTS_TOKEN, ToyConnections


async def test_what_a_node_tells_arrives_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_agent, "NODE_COLLECTORS", (lambda *_: ToyConnections(),))
    async with FakeHub() as hub, asyncio.timeout(PATIENCE_S):
        config = SpokeConfig(hub=hub.url, state_dir=tmp_path / "state", node_name="node-1")
        agent = NodeAgent(config, AGENTS_TOKEN, SystemClock(), random.Random(1))
        running = asyncio.create_task(agent.run())
        await hub.reached(lambda: len(hub.ledger) == 3).wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert hub.nodes == ["node-1"]
    assert {header.kind for header in hub.ledger.values()} == {Kind.FLOWS}


def test_a_node_is_watched_by_conntrack(tmp_path: Path) -> None:
    config = SpokeConfig(hub="http://127.0.0.1:1", state_dir=tmp_path, node_name="node-1")
    made = [make(config, SystemClock(), lambda *_: None) for make in NODE_COLLECTORS]
    assert [type(each) for each in made] == [ConntrackCollector]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conntrack_interval_s", "7"),
        ("conntrack_interval_s", "0"),
        ("local_networks", "10.0.0.1/8"),
        ("node_name", "node_1"),
        ("node_name", "NODE"),
        ("node_name", "my node"),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name.replace("_", "-")):
        load({"hub": "http://127.0.0.1:1", name: value}, {})


def test_networks_and_periods_are_read() -> None:
    given = {"hub": "http://127.0.0.1:1", "local_networks": "10.1.0.0/24, fd00::/64", "conntrack_interval_s": "15"}
    config = load(given, {})
    assert [str(each) for each in config.local_networks] == ["10.1.0.0/24", "fd00::/64"]
    assert config.conntrack_interval_s == 15


def test_a_node_without_a_name_has_that_of_its_machine(tmp_path: Path) -> None:
    config = SpokeConfig(hub="http://127.0.0.1:1", state_dir=tmp_path)
    assert named(config, "Worker-7.example").node_name == "worker-7.example"
    assert named(replace(config, node_name="node-1"), "my_vm").node_name == "node-1"


@pytest.mark.parametrize("machine", ["my_vm", "", "-"])
def test_a_machine_that_no_node_can_be_called_like_needs_the_nodes_name(tmp_path: Path, machine: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(repr(machine))) as refused:
        named(SpokeConfig(hub="http://127.0.0.1:1", state_dir=tmp_path), machine)
    assert "--node-name" in refused.value.remedy
