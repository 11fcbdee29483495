"""Commands about flows of what nothing is called, of times of which nothing is known, and the exit code for scripts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from periplus_hub.kit.clock import SystemClock

from tests.support.batches import pod, upsert
from tests.support.flow_desk import FlowDesk, flow_desk
from tests.support.flow_hub import BOTH, Flow, Peer, bytes_of, seal_flows

WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
LONG_S = 7_200
"""However slow this machine is: so far ahead minutes are told, so that the time until now is told whole."""


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[FlowDesk]:
    """`prod-1` has `web`, `api` and `quiet`; it tells for ten minutes that the first calls the second."""
    async with flow_desk(database_url, tmp_path) as opened:
        now = SystemClock().now()
        opened.spoke.at = now
        made = pod("q-1", "10.1.0.9", now - timedelta(days=1), workload_kind="Deployment", workload_name="quiet")
        known = {"workloads": [upsert("w", namespace="shop", name="quiet", kind="Deployment")]}
        await opened.member.send(opened.spoke.snapshot({"pods": [made], **known}))
        begun = int(now.timestamp()) // 60 * 60 - 600
        flows = [Flow(WEB, API, begun, BOTH, measures=bytes_of(5))]
        await opened.member.send(seal_flows(opened.spoke, flows, window_start_s=begun, window_s=600 + LONG_S))
        await opened.tell([])
        yield opened


@pytest.mark.promise("no-false-all-clear")
async def test_of_what_nothing_is_called_no_command_says_that_there_is_nothing(desk: FlowDesk) -> None:
    for words in (
        ("dependencies", "--of", "shop/quite@prod-1"),
        ("dependencies", "--from", "shop/web", "--to", "shop/quite"),
        ("dependency-map", "--from", "quite"),
        ("flows", "--to", "shop/quite"),
        ("flows", "--of", "shop/quite", "--watch"),
        ("blast-radius", "shop/quite@prod-1"),
        ("blast-radius", "quite", "--fail-if-reached"),
    ):
        for more in ((), ("--json",)):
            refused = await desk.terminal.type(*words, *more, code=1)
            assert refused.stdout == "", words
            error, remedy = refused.stderr.splitlines()
            assert error.startswith("error nothing called 'quite'"), words
            assert remedy == "remedy Do you mean shop/quiet@prod-1?"
    outside = await desk.terminal.type("flows", "--to", "203.0.113.0/24", code=1)
    assert "nothing called '203.0.113.0/24' is known" in outside.stderr
    place = await desk.terminal.type("dependency-map", "--of", "lab/@prod-1", code=1)
    assert "no namespace 'lab' of cluster 'prod-1' is known" in place.stderr
    for words in (
        ("dependencies", "--of", "@prod-2"),
        ("flows", "--of", "web@prod-2"),
        ("blast-radius", "web@prod-2"),
        ("cluster-links", "--of", "prod-2"),
        ("explain-address", "10.1.0.9", "--cluster", "prod-2"),
    ):
        nowhere = await desk.terminal.type(*words, code=1)
        assert "there is no cluster 'prod-2'" in nowhere.stderr
        assert "periplus clusters list" in nowhere.stderr


async def test_what_is_known_and_talks_to_nobody_is_an_answer(desk: FlowDesk) -> None:
    for command, nothing in (
        ("dependencies", "No dependency is known.\n"),
        ("dependency-map", "No dependency is known.\n"),
        ("flows", "No flow is known.\n"),
    ):
        found = await desk.terminal.type(command, "--of", "shop/quiet@prod-1")
        assert found.stdout == nothing
        assert "coverage" in found.stderr


async def test_of_a_cluster_that_is_no_member_any_more_nothing_is_known(desk: FlowDesk) -> None:
    await desk.enrol("prod-2")
    assert (await desk.terminal.type("dependencies", "--of", "@prod-2")).stdout == "No dependency is known.\n"
    await desk.terminal.type("clusters", "revoke", "prod-2", "--yes")
    for words in (("dependencies", "--of", "@prod-2"), ("cluster-links", "--of", "prod-2")):
        refused = await desk.terminal.type(*words, code=1)
        assert "no flow of cluster 'prod-2' is known: it is revoked" in refused.stderr


@pytest.mark.promise("no-false-all-clear")
async def test_since_when_clusters_tell_is_said_where_more_is_asked_for(desk: FlowDesk) -> None:
    for words in (
        ("dependencies",),
        ("dependency-map",),
        ("flows",),
        ("cluster-links",),
        ("coverage",),
        ("blast-radius", "shop/api"),
    ):
        longer = await desk.terminal.type(*words, "--since", "7d")
        assert "note flows are told only since " in longer.stderr, words
        shorter = await desk.terminal.type(*words, "--since", "5m")
        assert "only since" not in shorter.stderr, words
        coverage = await desk.terminal.documents(*words)
        coverage = coverage.get("coverage", coverage)
        [begun] = coverage["clustersBegunLater"]
        assert (begun["cluster"]["name"], coverage["begunLaterCount"], coverage["keptFrom"]) == ("prod-1", 1, None)
    ancient = await desk.terminal.type("dependencies", "--since", "3000d")
    assert "nothing is kept: what passed is not known" in ancient.stderr


@pytest.mark.promise("no-false-all-clear")
async def test_a_script_goes_on_only_where_nothing_is_reached_and_all_is_known(desk: FlowDesk) -> None:
    asked = ("--fail-if-reached", "--since", "5m")
    clear = await desk.terminal.type("blast-radius", "shop/quiet@prod-1", *asked)
    assert "incomplete" not in clear.stderr
    hit = await desk.terminal.type("blast-radius", "shop/api@prod-1", *asked, code=1)
    assert "error --fail-if-reached: shop/web@prod-1" in hit.stderr
    assert "shop/web@prod-1" in hit.stdout, "what is reached is told first"
    assert (await desk.terminal.type("blast-radius", "shop/api@prod-1", "--since", "5m")).exit_code == 0
    longer = await desk.terminal.type("blast-radius", "shop/quiet", "--fail-if-reached", "--json", code=1)
    assert "has no answer while not all is known: begun-later" in longer.stderr
    assert '"isComplete": false' in longer.stdout
    await desk.enrol("prod-2")
    unread = await desk.terminal.type("blast-radius", "shop/quiet", *asked, code=1)
    assert "has no answer while not all is known: no-flows" in unread.stderr
