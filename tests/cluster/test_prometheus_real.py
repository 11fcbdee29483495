"""What a real Prometheus does with counters that are reset, end or begin, with replicas, secrets and lost parts."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from periplus_contract import flow_words
from periplus_spoke.collectors.metric_rules import WINDOW_S

from tests.cluster.rig.processes import free_port
from tests.cluster.test_prometheus_sources import PAIR_OF_ISTIO, mark_of, scraped, told, window_of
from tests.support.clock import QuickTimer
from tests.support.metric_readers import Said, of_prometheus, windows
from tests.support.real_prometheus import PASSWORD, USER, Line, exporting, job, prometheus
from tests.support.vendor_metrics import ISTIO, rising, window_end_s
from tests.support.web_apps import listening

RECEIVED, SENT = "istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"
SECRET = "a-token"


def pod(name: str) -> dict[str, str]:
    """Series of one of several proxies of the workload."""
    return ISTIO | {"pod": name}


async def test_a_reset_is_counted_and_takes_nothing_from_other_series(prometheus_program: Path, tmp_path: Path) -> None:
    end_s = window_end_s()
    lines = [
        *rising(RECEIVED, pod("web-1"), 9_000, 40, end_s),
        *rising(RECEIVED, pod("web-2"), 1_000, 1_100, end_s),
    ]
    async with scraped(prometheus_program, tmp_path / "p", lines) as server:
        window = await window_of(end_s, server.url)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}
    assert mark_of(window).lost == {flow_words.LOST_RESET: 1}


async def test_a_reset_within_the_window_that_was_passed_again_is_taken_for_less(
    prometheus_program: Path, tmp_path: Path
) -> None:
    end_s = window_end_s()
    again = [Line(RECEIVED, pod("web-1"), value, end_s - before) for value, before in ((900, 70), (0, 40), (950, 5))]
    async with scraped(prometheus_program, tmp_path / "p", again) as server:
        window = await window_of(end_s, server.url)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 50}}


async def test_a_series_that_begins_in_the_window_gives_nothing_yet(prometheus_program: Path, tmp_path: Path) -> None:
    end_s = window_end_s()
    lines = [
        Line(RECEIVED, pod("web-new"), 5_000, end_s - 30),
        *rising(RECEIVED, pod("web-2"), 1_000, 1_100, end_s),
        Line(SENT, pod("web-new"), 7_000, end_s + 5),
    ]
    async with scraped(prometheus_program, tmp_path / "p", lines) as server:
        first = await window_of(end_s, server.url)
        second = await window_of(end_s + WINDOW_S, server.url)
    assert told(first) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}
    assert told(second) == {}
    assert mark_of(second).observed == 1


async def test_a_series_that_goes_stale_tells_no_more(prometheus_program: Path, tmp_path: Path) -> None:
    began = time.time()
    gone = [Line(RECEIVED, pod("web-1"), value, began - before) for value, before in ((1_000, 100), (5_000, 1))]
    async with exporting(*gone) as exporter:
        jobs = [job("proxies", exporter, track_timestamps_staleness=True)]
        async with prometheus(prometheus_program, tmp_path / "p", jobs) as server:
            await server.has_line(gone[-1])
            exporter.lines = ()
            # Without the mark of its end, the series would be there for five minutes.
            await server.has(RECEIVED, began + 200, 0)
            end_s = (int(time.time()) // WINDOW_S + 1) * WINDOW_S
            exporter.lines = rising(RECEIVED, pod("web-2"), 1_000, 1_100, end_s)
            await server.has_line(exporter.lines[-1])
            window = await window_of(end_s, server.url)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}


async def test_replicas_are_one_series(prometheus_program: Path, tmp_path: Path) -> None:
    """Two Prometheis scrape the same, and a third has what both of them tell, with the label that Thanos goes by."""
    start_s = int(time.time() - 1) // WINDOW_S * WINDOW_S
    before, after = Line(RECEIVED, ISTIO, 1_000, start_s - 1), Line(RECEIVED, ISTIO, 1_100, time.time())
    async with AsyncExitStack() as stack:
        exporter = await stack.enter_async_context(exporting(before))
        replicas = [
            await stack.enter_async_context(
                prometheus(
                    prometheus_program,
                    tmp_path / name,
                    [job("proxies", exporter)],
                    external_labels={"prometheus_replica": name},
                )
            )
            for name in ("a", "b")
        ]
        federation = {
            "job_name": "federation",
            "honor_labels": True,
            "metrics_path": "/federate",
            "params": {"match[]": ['{__name__=~"istio_.*"}']},
            "static_configs": [{"targets": [replica.url.removeprefix("http://") for replica in replicas]}],
        }
        whole = await stack.enter_async_context(prometheus(prometheus_program, tmp_path / "whole", [federation]))
        await whole.has(f"{RECEIVED} == 1000", start_s, 2)
        exporter.lines = (after,)
        await whole.has(f"{RECEIVED} == 1100", start_s + WINDOW_S, 2)
        end_s = start_s + WINDOW_S
        window = await window_of(end_s, whole.url, prometheus_replica_labels=("prometheus_replica",))
        of_each = [await window_of(end_s, *urls) for urls in ([replicas[0].url, replicas[1].url], [replicas[1].url])]
    assert [told(each) for each in (window, *of_each)] == [{PAIR_OF_ISTIO: {"bytes_tx": 100}}] * 3


async def test_prometheus_own_password_is_asked_for_and_given(prometheus_program: Path, tmp_path: Path) -> None:
    end_s, said = window_end_s(), Said()
    lines = rising(RECEIVED, ISTIO, 1_000, 1_100, end_s)
    user, wrong = tmp_path / "user", tmp_path / "wrong"
    user.write_text(f"{USER}:{PASSWORD}\n")
    wrong.write_text(f"{USER}:{PASSWORD}?\n")
    async with exporting(*lines) as exporter:
        jobs = [job("proxies", exporter)]
        async with prometheus(prometheus_program, tmp_path / "p", jobs, wants_password=True) as server:
            await server.has_line(lines[-1])
            assert await windows(of_prometheus(server.url, said=said), 1) == []
            assert "status 401" in said["prometheus_unreachable"]
            assert await windows(of_prometheus(server.url, prometheus_basic_auth_file=wrong), 1) == []
            window = await window_of(end_s, server.url, prometheus_basic_auth_file=user)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}


@asynccontextmanager
async def door(url: str) -> AsyncIterator[str]:
    """A proxy that lets in who has the token, as clusters put in front of their Prometheus."""

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return web.Response(status=401)
        async with aiohttp.ClientSession() as session, session.get(f"{url}{request.path_qs}") as response:
            return web.Response(body=await response.read(), content_type=response.content_type, status=response.status)

    app = web.Application()
    app.router.add_get("/api/v1/query", answer)
    async with listening(app) as (host, port):
        yield f"http://{host}:{port}"


async def test_a_token_opens_the_door_in_front_of_it(prometheus_program: Path, tmp_path: Path) -> None:
    end_s, said = window_end_s(), Said()
    token = tmp_path / "token"
    token.write_text(f"{SECRET}\n")
    lines = rising(RECEIVED, ISTIO, 1_000, 1_100, end_s)
    async with scraped(prometheus_program, tmp_path / "p", lines) as server, door(server.url) as url:
        assert await windows(of_prometheus(url, said=said), 1) == []
        window = await window_of(end_s, url, prometheus_token_file=token)
    assert "prometheus_token_file" in said["prometheus_unreachable"]
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}


async def test_one_that_hangs_is_named_and_the_next_one_asked(prometheus_program: Path, tmp_path: Path) -> None:
    end_s, said = window_end_s(), Said()
    lines = rising(RECEIVED, ISTIO, 1_000, 1_100, end_s)
    async with (
        scraped(prometheus_program, tmp_path / "a", lines) as hangs,
        scraped(prometheus_program, tmp_path / "b", lines) as other,
    ):
        hangs.child.signal(signal.SIGSTOP)
        window = await window_of(end_s, hangs.url, other.url, said=said, answer_s=5.0)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}
    assert f"{hangs.url} did not answer within 5 s" in said["prometheus_unreachable"]


async def test_an_answer_without_what_is_kept_elsewhere_is_told_as_a_part(
    prometheus_program: Path, tmp_path: Path
) -> None:
    end_s, said = window_end_s(), Said()
    lines = rising(RECEIVED, ISTIO, 1_000, 1_100, end_s)
    away = [{"url": f"http://127.0.0.1:{free_port()}/read", "read_recent": True}]
    async with exporting(*lines) as exporter:
        jobs = [job("proxies", exporter)]
        async with prometheus(prometheus_program, tmp_path / "p", jobs, remote_read=away) as server:
            await server.has_line(lines[-1])
            window = await window_of(end_s, server.url, said=said)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}
    assert mark_of(window).conditions == (flow_words.PARTIAL_ANSWERS,)
    assert mark_of(window).lost == {flow_words.LOST_UNREAD: 6}
    assert "remote" in said["prometheus"]


async def test_one_that_is_away_is_named_and_read_when_it_is_back(prometheus_program: Path, tmp_path: Path) -> None:
    end_s = window_end_s()
    lines = rising(RECEIVED, ISTIO, 1_000, 1_100, end_s)
    async with scraped(prometheus_program, tmp_path / "p", lines) as server:
        await asyncio.to_thread(server.child.kill)
        timer, said = QuickTimer(), Said()
        timer.us = (end_s - 2 * WINDOW_S + 10) * 1_000_000
        assert await windows(of_prometheus(server.url, said=said, timer=timer), 1) == []
        assert "no answer from" in said["prometheus_unreachable"]
        server.child.start()
        await server.has_line(lines[-1])
        window = await window_of(end_s, server.url)
    assert told(window) == {PAIR_OF_ISTIO: {"bytes_tx": 100}}
