"""What commands about flows say of what is not known: never that it is nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from periplus_contract.batch import FlowsMark
from periplus_hub.fleet import service as fleet
from periplus_hub.kit.clock import SystemClock

from tests.support.batches import Spoke, pod
from tests.support.flow_desk import FlowDesk, flow_desk
from tests.support.flow_hub import BOTH, Flow, Peer, bytes_of
from tests.support.spokes_door import Member

WEB, DB = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/db")
API = Peer("10.2.0.1")
NOBODY = Peer("10.99.0.1")


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[FlowDesk]:
    """`prod-1` tells, and `prod-2` in the same network domain has what it calls, and tells nothing."""
    async with flow_desk(database_url, tmp_path) as opened:
        other = await opened.enrol("prod-2")
        now = SystemClock().now()
        await has(opened.member, opened.spoke, "web", "10.1.0.1")
        await has(other, Spoke(other.registration), "api", "10.2.0.1")
        async with opened.db.write(opened.scope) as c:
            domain = await fleet.create_domain(c, opened.scope, "network")
            members = [opened.member.registration, other.registration]
            await fleet.move_clusters(c, opened.scope, domain.id, members, now=now - timedelta(days=1))
        yield opened


async def has(member: Member, spoke: Spoke, name: str, ip: str) -> None:
    spoke.at = SystemClock().now()
    made = pod(name, ip, spoke.at - timedelta(days=2), workload_kind="Deployment", workload_name=name)
    await member.send(spoke.snapshot({"pods": [made]}))


def at() -> int:
    return int(SystemClock().now().timestamp()) // 60 * 60 - 300


async def lines(desk: FlowDesk, *words: str) -> list[list[str]]:
    return [line.split() for line in (await desk.terminal.type(*words)).stdout.splitlines()[1:]]


@pytest.mark.promise("no-false-all-clear")
async def test_what_is_not_measured_is_no_zero(desk: FlowDesk) -> None:
    await desk.tell([Flow(WEB, API, at()), Flow(WEB, DB, at(), BOTH, measures=bytes_of(9)), Flow(WEB, NOBODY, at())])
    links = await desk.terminal.type("cluster-links")
    assert links.stdout.splitlines()[1].split() == [
        "prod-1",
        "prod-2",
        "active",
        *["unknown"] * 3,
        "0",
        *["unknown"] * 4,
    ]
    assert "an unknown number of bytes with an end that nobody is known for" in links.stderr
    shown = await desk.terminal.type("dependency-map", "--by", "workload", "--nodes", "4")
    assert "1 in address, of unknown bytes" in shown.stderr
    assert " 0 bytes" not in shown.stderr
    boxes = (await desk.terminal.documents("dependency-map", "--by", "cluster"))["nodes"]
    sent = dict(zip(boxes["clusterIds"], boxes["bytesSent"], strict=True))
    assert set(sent.values()) == {None}
    found = await desk.terminal.type("dependencies", "--from", "shop/web", "--to", "shop/db")
    assert found.stdout.rstrip().splitlines()[-1].split()[-1] == "unknown"
    assert "reported by client and server\n" in found.stdout


@pytest.mark.promise("no-false-all-clear")
async def test_what_is_measured_in_part_is_at_least_so_much(desk: FlowDesk) -> None:
    await desk.tell(
        [
            Flow(WEB, API, at(), port=1, measures=bytes_of(5, 7)),
            Flow(WEB, API, at(), port=2),
            Flow(WEB, NOBODY, at(), port=1, measures=bytes_of(3)),
            Flow(WEB, NOBODY, at(), port=2),
        ]
    )
    for words, place in (
        (("dependencies", "--cross-cluster"), -3),
        (("dependency-map", "--cross-cluster"), -4),
        (("blast-radius", "shop/api"), -3),
        (("cluster-links",), 3),
    ):
        shown = await desk.terminal.type(*words)
        assert shown.stdout.splitlines()[1].split()[place:][:2] == ["5+", "7+"], words
        assert "+ is at least: some of it could not be measured" in shown.stderr
    assert "at least 3 bytes with an end that nobody is known for" in (await desk.terminal.type("cluster-links")).stderr


@pytest.mark.promise("no-false-all-clear")
async def test_what_was_beyond_the_row_budget_is_counted(desk: FlowDesk) -> None:
    await desk.tell([Flow(WEB, API, at())], flows=FlowsMark(observed=4, other_rows=1_203))
    shown = await desk.terminal.type("dependencies")
    assert "1,203 rows were beyond the row budgets of spokes (flow_row_budget)" in shown.stderr
    found = await desk.terminal.documents("coverage")
    assert found["otherRows"] == 1_203
    assert {each["cluster"]["name"]: each["otherRows"] for each in found["clusters"]} == {"prod-1": 1_203, "prod-2": 0}


@pytest.mark.promise("no-false-all-clear")
async def test_rows_that_lost_the_name_that_was_asked_for_are_counted(desk: FlowDesk) -> None:
    await desk.tell([Flow(WEB, API, at())], flows=FlowsMark(observed=4, other_hosts=1_203))
    shown = await desk.terminal.type("dependencies")
    assert "1,203 rows lost the name that a client asked for: their windows had too many names" in shown.stderr
    found = await desk.terminal.documents("coverage")
    assert found["otherHosts"] == 1_203
    assert {each["cluster"]["name"]: each["otherHosts"] for each in found["clusters"]} == {"prod-1": 1_203, "prod-2": 0}
