"""A listener stays equal to the API server through everything a watch can meet."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from periplus_spoke.conversion.objects import Pod
from periplus_spoke.kube.client import KubeSettings
from periplus_spoke.kube.lists import Resource
from periplus_spoke.kube.problems import KubeProblem
from periplus_spoke.kube.reflector import Reflector, State

from tests.support.kube_api import FakeKube, Trouble
from tests.support.kube_objects import pod
from tests.support.kube_session import SkippingTimer, session

PATH = "/api/v1/pods"
PODS = Resource(source="pods", group="", plural="pods", version="v1", type=Pod)


class Mirror:
    """A listener that holds what it was told."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.states: list[tuple[State, str]] = []
        self.removed: list[str] = []
        self.misfits: list[str] = []
        self.lists = 0
        self._seen: set[str] = set()
        self._changed = asyncio.Event()

    def list_began(self) -> None:
        self._seen = set()

    def upsert(self, thing: Pod) -> None:
        self.held[thing.metadata.name] = thing.status.phase
        self._seen.add(thing.metadata.name)
        self._changed.set()

    def remove(self, thing: Pod) -> None:
        self.held.pop(thing.metadata.name, None)
        self.removed.append(thing.metadata.name)
        self._changed.set()

    def list_ended(self) -> None:
        self.lists += 1
        self.held = {name: phase for name, phase in self.held.items() if name in self._seen}
        self._changed.set()

    def state_changed(self, state: State, problem: KubeProblem | None) -> None:
        self.states.append((state, problem.reason if problem else ""))
        self._changed.set()

    def misfit(self, message: str, uid: str) -> None:
        self.misfits.append(message)
        self._seen.add(uid)
        self._changed.set()

    async def until(self, condition: Callable[["Mirror"], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def mirrored(
    fake: FakeKube, folder: Path, timer: SkippingTimer | None = None, settings: KubeSettings | None = None
) -> AsyncIterator[Mirror]:
    timer = timer or SkippingTimer()
    mirror = Mirror()
    async with session(fake, folder, timer=timer, settings=settings) as client:
        task = asyncio.create_task(Reflector(client, PODS, mirror, timer, random.Random(3)).run())
        try:
            yield mirror
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def watches(fake: FakeKube) -> list[dict[str, str]]:
    return [request.query for request in fake.requests if request.is_watch]


async def test_list_then_events(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put(PATH, pod("a"))
    async with mirrored(fake, tmp_path) as mirror:
        await mirror.until(lambda m: m.held == {"a": "Running"})
        fake.put(PATH, pod("b"))
        fake.put(PATH, pod("a", phase="Succeeded"))
        await mirror.until(lambda m: m.held == {"a": "Succeeded", "b": "Running"})
        fake.delete(PATH, "b", "default")
        await mirror.until(lambda m: m.held == {"a": "Succeeded"})
    (query,) = watches(fake)
    assert query["allowWatchBookmarks"] == "true"
    assert 240 <= int(query["timeoutSeconds"]) <= 480
    assert mirror.states == [("ok", "")]


async def test_a_normal_end_resumes_after_the_last_event(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put(PATH, pod("a"))
    async with mirrored(fake, tmp_path) as mirror:
        await fake.asked(lambda request: request.is_watch)
        fake.put(PATH, pod("b"))
        await mirror.until(lambda m: len(m.held) == 2)
        await fake.end_watches()
        await fake.asked(lambda request: request.query.get("resourceVersion") == str(fake.version))
    assert mirror.lists == 1


async def test_a_bookmark_alone_moves_the_resourceversion(tmp_path: Path) -> None:
    fake = FakeKube()
    async with mirrored(fake, tmp_path) as mirror:
        await fake.asked(lambda request: request.is_watch)
        fake.version = 500
        fake.bookmark(PATH)
        await fake.end_watches()
        await fake.asked(lambda request: request.query.get("resourceVersion") == "500")
    assert mirror.lists == 1


async def test_a_watch_that_falls_silent_between_bookmarks_is_begun_again(tmp_path: Path) -> None:
    """A connection that a firewall has forgotten says nothing for ever; without this it counts as working."""
    fake = FakeKube()
    async with mirrored(fake, tmp_path, settings=KubeSettings(watch_quiet_s=0.2)) as mirror:
        await fake.asked(lambda request: request.is_watch)
        fake.version = 500
        fake.bookmark(PATH)
        await fake.asked(lambda request: request.query.get("resourceVersion") == "500")
        fake.trouble(PATH, Trouble(hang=True, times=99))
        await mirror.until(lambda m: m.states[-1] == ("failed", "timeout"))
    assert mirror.lists == 1


@pytest.mark.parametrize("trouble", [Trouble(status=410, watch=True), Trouble(error_event=410, watch=True)])
async def test_gone_lists_again_and_drops_what_vanished(tmp_path: Path, trouble: Trouble) -> None:
    fake = FakeKube()
    fake.put(PATH, pod("stays"))
    fake.put(PATH, pod("vanishes"))
    async with mirrored(fake, tmp_path) as mirror:
        await mirror.until(lambda m: len(m.held) == 2)
        await fake.asked(lambda request: request.is_watch)
        fake.forget(PATH, "vanishes", "default")
        fake.trouble(PATH, trouble)
        await fake.end_watches()
        await mirror.until(lambda m: m.held == {"stays": "Running"})
    assert mirror.lists == 2
    assert all(state == "ok" for state, _ in mirror.states)


async def test_endless_gone_backs_off(tmp_path: Path) -> None:
    fake = FakeKube()
    timer = SkippingTimer()
    fake.trouble(PATH, Trouble(status=410, watch=True, times=8))
    async with mirrored(fake, tmp_path, timer) as mirror:
        await mirror.until(lambda m: m.lists == 9)
    assert max(timer.waits[:1]) <= 1
    assert max(timer.waits) > 4


@pytest.mark.parametrize(("status", "state"), [(403, "forbidden"), (404, "absent")])
async def test_a_refused_kind_is_a_fact_and_asked_again_in_minutes(tmp_path: Path, status: int, state: str) -> None:
    fake = FakeKube()
    timer = SkippingTimer()
    fake.trouble(PATH, Trouble(status=status))
    async with mirrored(fake, tmp_path, timer) as mirror:
        await mirror.until(lambda m: ("ok", "") in m.states)
    assert mirror.states[0][0] == state
    assert 120 <= timer.waits[0] <= 300


async def test_rights_lost_while_watching(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put(PATH, pod("a"))
    async with mirrored(fake, tmp_path) as mirror:
        await mirror.until(lambda m: len(m.held) == 1)
        fake.trouble(PATH, Trouble(status=403))
        await fake.end_watches()
        await mirror.until(lambda m: m.states[-2:] == [("forbidden", "forbidden"), ("ok", "")])
    assert mirror.held == {"a": "Running"}


@pytest.mark.parametrize(("asked", "low", "high"), [("20", 20, 30), ("0", 1, 1.5), ("9" * 400, 300, 450)])
async def test_throttling_waits_as_asked(tmp_path: Path, asked: str, low: float, high: float) -> None:
    fake = FakeKube()
    timer = SkippingTimer()
    fake.trouble(PATH, Trouble(status=429, headers={"Retry-After": asked}))
    async with mirrored(fake, tmp_path, timer) as mirror:
        await mirror.until(lambda m: m.lists == 1)
    assert low <= timer.waits[0] <= high
    assert mirror.states[0] == ("failed", "throttled")


async def test_watches_that_end_after_one_word_are_no_tight_loop(tmp_path: Path) -> None:
    fake = FakeKube()
    timer = SkippingTimer()
    word = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}\n'
    fake.trouble(PATH, Trouble(body=word, watch=True, times=5))
    async with mirrored(fake, tmp_path, timer) as mirror:
        await mirror.until(lambda m: m.lists == 1)
        await fake.asked(lambda _: sum(seen.is_watch for seen in fake.requests) >= 6)
    assert len([wait for wait in timer.waits if 0.5 <= wait <= 1.5]) >= 5


async def test_server_errors_back_off_and_recover(tmp_path: Path) -> None:
    fake = FakeKube()
    timer = SkippingTimer()
    fake.trouble(PATH, Trouble(status=500, times=5))
    async with mirrored(fake, tmp_path, timer) as mirror:
        await mirror.until(lambda m: m.lists == 1)
    assert mirror.states == [*[("failed", "server_error")] * 5, ("ok", "")]
    assert all(wait <= 60 for wait in timer.waits)


async def test_one_broken_watch_is_no_failure(tmp_path: Path) -> None:
    fake = FakeKube()
    fake.put(PATH, pod("a"))
    async with mirrored(fake, tmp_path) as mirror:
        await mirror.until(lambda m: m.lists == 1)
        fake.trouble(PATH, Trouble(status=502, watch=True))
        await fake.end_watches()
        fake.put(PATH, pod("b"))
        await mirror.until(lambda m: len(m.held) == 2)
    assert all(state == "ok" for state, _ in mirror.states)
    assert mirror.lists == 1


async def test_an_event_of_unknown_shape_is_counted_and_passed(tmp_path: Path) -> None:
    fake = FakeKube()
    async with mirrored(fake, tmp_path) as mirror:
        await mirror.until(lambda m: m.lists == 1)
        odd = pod("odd")
        odd["status"]["podIPs"] = 7
        fake.put(PATH, odd)
        fake.put(PATH, pod("good"))
        await mirror.until(lambda m: m.held == {"good": "Running"})
    assert len(mirror.misfits) == 1
