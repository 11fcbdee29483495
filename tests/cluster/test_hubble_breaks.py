"""Relays and nodes that end, hang, move and come back, as the real Hubble Relay tells of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from periplus_contract import flow_words
from periplus_spoke.collectors.hubble import CONDITION, NODES_CONDITION

from tests.cluster.rig.hubble import Hubble
from tests.cluster.rig.hubble_listener import HOUR_S, lines, losses
from tests.cluster.rig.hubble_shop import WEB_TO_API, arriving, furnish, leaving, listening, until_known
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.processes import Child

LEFT = "client: shop/Deployment/web > 10.2.0.20, 8080/6, forwarded, connections_opened"
ARRIVED = "server: 10.1.0.10 > shop/Deployment/api, 8080/6, forwarded, connections_opened"
UNREAD, AWAY = flow_words.LOST_UNREAD, flow_words.LOST_NODES


def opened(number: int) -> bytes:
    """A connection leaves web on node a."""
    return leaving(replace(WEB_TO_API, source_port=41_000 + number))


def came(number: int) -> bytes:
    """A connection reaches api on node b."""
    return arriving(replace(WEB_TO_API, source_port=41_000 + number))


@contextmanager
def stopped(child: Child) -> Iterator[None]:
    """It hangs: what it was sent waits for it."""
    child.signal(signal.SIGSTOP)
    try:
        wait_for("it stands still", lambda: _state(child) == "T", timeout_s=60)
        yield
    finally:
        child.signal(signal.SIGCONT)


def _state(child: Child) -> str:
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2][0]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_relay_that_is_started_again_tells_once_what_came_meanwhile(
    hubble: Hubble, how: signal.Signals
) -> None:
    async with listening(hubble) as it:
        hubble.a.perf(HOUR_S + 11, opened(1))
        await it.heard(1)
        hubble.relay.child.signal(how)
        await it.until(lambda: it.conditions[CONDITION])
        assert it.conditions[CONDITION].startswith(
            "Hubble Relay is not heard, so that flows of this time are missing: "
        )
        hubble.relay.child.kill()
        hubble.a.perf(HOUR_S + 12, opened(2))
        hubble.relay.start()
        await it.pass_to(40)
        # Told again as streams overlap, and told now.
        await it.heard(3)
        hubble.a.perf(HOUR_S + 41, opened(3))
        await it.heard(4)
        assert it.conditions[CONDITION] == ""
        told = await it.windows(65)
    assert lines(told) == [f"{LEFT} 3"]
    # Begun, ended, and begun again.
    assert losses(told) == {UNREAD: 3}


async def test_a_relay_that_hangs_is_left_and_listened_to_again(hubble: Hubble) -> None:
    async with listening(hubble) as it:
        hubble.a.perf(HOUR_S + 11, opened(1))
        await it.heard(1)
        it.may_hang.update(("answers", "open"))
        with stopped(hubble.relay.child):
            await it.pass_to(51)
            assert it.conditions[CONDITION].endswith("flows of this time are missing: it does not answer")
        it.may_hang.clear()
        hubble.a.perf(HOUR_S + 52, opened(2))
        await it.pass_to(60)
        await it.heard(3)
        first = await it.windows(65)
        assert it.conditions[CONDITION] == ""
    assert lines(first) == [f"{LEFT} 2"]
    assert losses(first) == {UNREAD: 3}


async def test_a_node_that_dies_is_away_until_it_is_back(hubble: Hubble) -> None:
    async with listening(hubble) as it:
        hubble.b.stop()
        await it.until(lambda: it.lost[UNREAD] == 2)
        await it.pass_to(41)
        assert it.conditions[NODES_CONDITION] == ("Hubble Relay cannot reach 1 nodes, whose flows are missing: east/b")
        hubble.a.perf(HOUR_S + 41, opened(1))
        await it.heard(1)
        first = await it.windows(65)
        hubble.b.start()
        furnish(hubble.b)
        await asyncio.to_thread(hubble.b.until_read)
        hubble.b.perf(HOUR_S + 66, came(2))
        await it.heard(2)
        second = await it.windows(125)
        third = await it.windows(185)
    assert it.conditions == {CONDITION: "", NODES_CONDITION: ""}
    # The stream began, and broke off at one node.
    assert (lines(first), losses(first)) == ([f"{LEFT} 1"], {UNREAD: 2, AWAY: 1})
    assert (lines(second), losses(second)) == ([f"{ARRIVED} 1"], {AWAY: 1})
    assert (lines(third), losses(third)) == ([], {})


async def test_a_node_that_hangs_silences_no_other(hubble: Hubble) -> None:
    async with listening(hubble) as it:
        it.may_hang.add("nodes")
        with stopped(hubble.b.child):
            await it.pass_to(51)
            assert it.conditions[NODES_CONDITION].startswith("Hubble Relay waits for a node that does not answer")
            assert it.conditions[CONDITION] == ""
            hubble.a.perf(HOUR_S + 52, opened(1))
            await it.heard(1)
            first = await it.windows(65)
        it.may_hang.clear()
        hubble.b.perf(HOUR_S + 66, came(2))
        await it.heard(2)
        second = await it.windows(125)
        third = await it.windows(185)
    assert it.conditions == {CONDITION: "", NODES_CONDITION: ""}
    assert (lines(first), losses(first)) == ([f"{LEFT} 1"], {UNREAD: 1, AWAY: 1})
    assert (lines(second), losses(second)) == ([f"{ARRIVED} 1"], {AWAY: 1})
    assert (lines(third), losses(third)) == ([], {})


async def test_a_node_that_comes_later_is_heard(hubble: Hubble) -> None:
    hubble.peer("DELETED", hubble.b)
    async with listening(hubble) as it:
        hubble.peer("ADDED", hubble.b)
        await asyncio.to_thread(hubble.b.until_read)
        hubble.b.perf(HOUR_S + 11, came(1))
        await it.heard(1)
        told = await it.windows()
    assert (lines(told), losses(told)) == ([f"{ARRIVED} 1"], {UNREAD: 1})


@pytest.mark.parametrize("is_taken_out", [False, True], ids=["another address", "taken out and put in again"])
async def test_a_node_that_moves_is_heard_again_and_nothing_of_it_is_lost(hubble: Hubble, is_taken_out: bool) -> None:
    """The relay itself goes on as if nothing had happened, and never reads that node again for this stream."""
    async with listening(hubble) as it:
        hubble.b.perf(HOUR_S + 11, came(1))
        await it.heard(1)
        if is_taken_out:
            hubble.peer("DELETED", hubble.b)
            await until_known(hubble)
        await it.pass_to(66)
        if is_taken_out:
            hubble.peer("ADDED", hubble.b)
        else:
            hubble.peer("UPDATED", hubble.b, host="127.0.0.2")
        await until_known(hubble)
        hubble.b.perf(HOUR_S + 67, came(2))
        hubble.a.perf(HOUR_S + 67.5, opened(3))
        # Of node a alone the relay tells, until it is asked anew: then it tells again, too, what was heard before.
        await it.heard(2)
        await it.pass_to(76)
        await it.heard(5 if is_taken_out else 4)
        told = await it.windows(125)
        assert it.conditions == {CONDITION: "", NODES_CONDITION: ""}
    # One minute after the other, and nothing of what is told again; where it began, ended, and began again is unread.
    assert [lines([each]) for each in told if each.rows] == [[f"{ARRIVED} 1"], [f"{LEFT} 1", f"{ARRIVED} 1"]]
    assert [losses([each]) for each in told if each.rows] == [{UNREAD: 1}, {UNREAD: 2}]
