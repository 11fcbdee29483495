"""Flows that others counted and a Prometheus keeps: one source of bytes, by its rule, a window at a time.

A window is asked for when it is over and its samples have had the time to arrive. What is asked for is of the window
alone, so that nothing has to be remembered between two windows, and any of several Prometheis can answer.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from periplus_contract import flow_words
from periplus_contract.tables import Kind
from periplus_spoke.collectors.base import Sink
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.metric_rules import WINDOW_S, MetricRules, OfCluster, OfReader, Tell, rules_in_order
from periplus_spoke.collectors.prometheus_by_api_server import PrometheusByApiServer
from periplus_spoke.collectors.prometheus_client import PrometheusClient
from periplus_spoke.conversion.flow_sources import with_pages
from periplus_spoke.conversion.prometheus.answers import AnswerError, Vector
from periplus_spoke.conversion.prometheus.promql import Questions, present, rate
from periplus_spoke.conversion.prometheus.rule import FlowRule
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient

ARRIVAL_S: Final = 30
"""How long after the end of a window its samples may still arrive: from agents that push them, over receivers."""
_ANSWER_S: Final = 30.0
"""An answer may take so long."""
_MOST_BEHIND: Final = 5
"""Windows that a slow Prometheus may be behind; older ones are given up."""
_SOURCE_STAYS_WINDOWS: Final = 10
"""So many windows later it is looked again which source is there."""
_MOST_TOLD: Final = 1_440
"""Windows of which it is known that they were told: so far the clock may be set back, and nothing counts twice."""
_SECOND_US: Final = 1_000_000

_log: Final = logging.getLogger(__name__)


class _Place(NamedTuple):
    """Where a source is read."""

    url: str
    rule: FlowRule


class Prometheis(Protocol):
    """Those that can be asked. Used as an async context manager."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def urls(self) -> tuple[str, ...]:
        """Where they are, the first to ask first."""

    async def ask(self, url: str, query: str, at_s: int) -> Vector:
        """The answer of one of them, as of that time. Raises AnswerError."""


class PrometheusFlows:
    """Implements `Collector`."""

    name = "prometheus"
    kind = Kind.FLOWS

    def __init__(
        self,
        config: SpokeConfig,
        cluster: OfCluster,
        timer: Timer,
        tell: Tell,
        *,
        prometheis: Prometheis,
    ) -> None:
        """Asks nobody yet."""
        self._config = config
        self._cluster = cluster
        self._timer = timer
        self._tell = tell
        self._client = prometheis
        self._questions = Questions(config.prometheus_selector, config.prometheus_replica_labels, WINDOW_S)
        self._rules = MetricRules(config, cluster, tell)
        self._place: _Place | None = None
        self._windows_until_look = 0
        self._unread = 0
        self._was_spared = False
        self._told: deque[int] = deque(maxlen=_MOST_TOLD)
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Windows that are over are not told again."""

    async def run(self, sink: Sink) -> None:
        """Ask until cancelled. The first window begins after the agent did: earlier ones it may have told before.

        Unless it is configured to go back.
        """
        async with self._client:
            if self._config.prometheus_minutes_back:
                await self._cluster.is_read()
            end_s = self._first_end()
            while True:
                end_s = await self._wait_for(end_s)
                if end_s not in self._told and (window := await self._read(end_s)) is not None:
                    await sink.emit(window)
                    self._told.append(end_s)
                self.settled.set()
                end_s += WINDOW_S

    def _first_end(self) -> int:
        now_s = self._timer.wall_us() // _SECOND_US
        if back := self._config.prometheus_minutes_back:
            return ((now_s - ARRIVAL_S) // WINDOW_S - back + 1) * WINDOW_S
        return (now_s // WINDOW_S + 2) * WINDOW_S

    async def _wait_for(self, end_s: int) -> int:
        """Until the window that ends then can be asked for; its end, or that of a later one where it is too late."""
        now_s = self._timer.wall_us() // _SECOND_US
        if end_s - now_s > 2 * WINDOW_S:  # the clock was set back
            end_s = self._first_end()
        behind = (now_s - end_s - ARRIVAL_S) // WINDOW_S
        if behind > _MOST_BEHIND:
            self._unread += behind
            end_s += behind * WINDOW_S
        wait_us = (end_s + ARRIVAL_S) * _SECOND_US - self._timer.wall_us()
        if wait_us > 0:
            await self._timer.sleep(wait_us / _SECOND_US)
        return end_s

    async def _read(self, end_s: int) -> Sealable | None:
        """The window; None where nothing of it could be read."""
        try:
            place = await self._find(end_s)
            window = None if place is None else await self._read_at(place, end_s)
        except Exception:  # noqa: BLE001 - a fault of ours here must not end the agent
            _log.exception("reading flows from Prometheus failed")
            self._tell("prometheus", "flows could not be read because of a fault of the agent; its log has it")
            self._unread += 1
            window = None
        if window is None:
            self._place = None
        return window

    async def _find(self, end_s: int) -> _Place | None:
        """The first source that may be read and is there, at the first Prometheus that answers and has it."""
        rules = self._rules.readable()
        if self._is_spared():
            return None
        if self._place is not None and self._place.rule in rules and self._windows_until_look > 0:
            self._windows_until_look -= 1
            return self._place
        self._place = await self._look(rules, end_s) if rules else None
        self._windows_until_look = _SOURCE_STAYS_WINDOWS
        return self._place

    def _is_spared(self) -> bool:
        """Whether exporters are read because no Prometheus is found.

        They may have told of the window that is asked for now where one has just been found.
        """
        is_spared = self._config.prometheus_by_api_server and with_pages(self._cluster.sources()) is not None
        spares, self._was_spared = is_spared or self._was_spared, is_spared
        return spares

    async def _look(self, rules: Sequence[FlowRule], end_s: int) -> _Place | None:
        found: dict[FlowRule, str] = {}
        troubles = []
        urls = self._client.urls()
        for url in urls:
            try:
                answer = await self._client.ask(url, self._questions.presence(rules), end_s)
            except AnswerError as error:
                troubles.append(str(error))
                continue
            for rule in present(rules, (sample.labels.get("__name__", "") for sample in answer.samples)):
                found.setdefault(rule, url)
        self._tell("prometheus_unreachable", "; ".join(troubles))
        best = next((rule for rule in rules if rule in found), None)
        names = ", ".join(rule.name for rule in rules)
        nothing = f"no Prometheus that answers has metrics of {names}" if urls else "no Prometheus is found"
        self._tell("prometheus_empty", nothing if len(troubles) < max(len(urls), 1) and best is None else "")
        self._unread += bool(troubles) and best is None
        return None if best is None else _Place(found[best], best)

    async def _read_at(self, place: _Place, end_s: int) -> Sealable | None:
        rule = place.rule
        troubles: list[str] = []
        sampling = await self._sampling(place, end_s, troubles)
        window = self._rules.window(rule, sampling)
        answers = 0
        for counter in self._rules.counted(rule):
            answer = await self._ask(place.url, self._questions.rises(rule, counter), end_s, troubles)
            if answer is None:
                window.missed(flow_words.LOST_UNREAD)
                continue
            answers += 1
            window.missed(flow_words.LOST_UNREADABLE, answer.unreadable)
            if answer.warnings:
                window.missed(flow_words.LOST_UNREAD)
                window.note(flow_words.PARTIAL_ANSWERS)
                troubles.append(f"{place.url} says of its answer: {answer.warnings}")
            await asyncio.to_thread(window.take, counter.measure, answer.samples, counter.verdict)
        self._tell("prometheus", "; ".join(dict.fromkeys(troubles)))
        if not answers:
            self._unread += 1
            return None
        window.missed(flow_words.LOST_UNREAD, self._unread)
        sealable = await asyncio.to_thread(self._rules.sealable, window, end_s)
        self._tell("prometheus_cluster", "" if sealable else self._rules.misnamed(window))
        if sealable is not None:
            self._unread = 0
        return sealable

    async def _sampling(self, place: _Place, end_s: int, troubles: list[str]) -> int | None:
        """Of how many packets one was counted; None where it is not told, or not the same everywhere."""
        if not place.rule.sampling:
            return 1
        answer = await self._ask(place.url, self._questions.sampling(place.rule), end_s, troubles)
        return None if answer is None else rate(sample.labels.get("rate", "") for sample in answer.samples)

    async def _ask(self, url: str, query: str, end_s: int, troubles: list[str]) -> Vector | None:
        try:
            return await self._client.ask(url, query, end_s)
        except AnswerError as error:
            troubles.append(str(error))
            return None


def prometheus_flows(
    config: SpokeConfig, of: tuple[ClusterReader, KubeClient], timer: Timer, tell: Tell
) -> PrometheusFlows | None:
    """None where no Prometheus is configured, or none of its sources may be read."""
    if not (config.prometheus_urls or config.prometheus_by_api_server) or not rules_in_order(config.flow_sources):
        return None
    reader, kube = of
    cluster = OfReader(reader)
    prometheis: Prometheis = PrometheusClient(config, _ANSWER_S)
    if config.prometheus_by_api_server:
        prometheis = PrometheusByApiServer(kube, cluster.sources, _ANSWER_S)
    return PrometheusFlows(config, cluster, timer, tell, prometheis=prometheis)
