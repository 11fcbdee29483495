"""Flows that exporters counted, where no Prometheus reads them: each page is read once a minute, and what rose counts.

Of what passed before an exporter was read for the first time nothing is told. A page that could not be read is made up
for by the next one: its bytes are told with those of the window in which it was read.
"""

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from periplus_contract import flow_words
from periplus_contract.tables import Kind
from periplus_spoke.collectors.base import Sink
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.exporter_client import MOST_EXPORTERS, Exporter, ExporterClient
from periplus_spoke.collectors.exporters_by_api_server import ExportersByApiServer
from periplus_spoke.collectors.metric_rules import WINDOW_S, MetricRules, OfCluster, OfReader, Tell, rules_in_order
from periplus_spoke.conversion.prometheus.answers import AnswerError
from periplus_spoke.conversion.prometheus.exposition import Reading
from periplus_spoke.conversion.prometheus.promql import present, rate
from periplus_spoke.conversion.prometheus.rises import Answers, Rises, metrics_of, rates, rises
from periplus_spoke.conversion.prometheus.rule import FlowRule
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient

_ANSWER_S: Final = 10.0
"""A page may take so long."""
_OLDEST_S: Final = 300
"""A reading that is older says nothing of a window."""
_AT_ONCE: Final = 4
_MOST_SERIES: Final = 200_000
"""Of all exporters together: two readings of each are remembered."""
_SECOND_US: Final = 1_000_000
_SHOWN: Final = 3

_log: Final = logging.getLogger(__name__)


class _Read(NamedTuple):
    """A page, and when it was read."""

    reading: Reading
    at_us: int


class Exporters(Protocol):
    """Those that can be read. Used as an async context manager."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def has(self, rule: FlowRule) -> bool:
        """Whether they are to be read for it now."""

    def urls(self) -> tuple[str, ...]:
        """Where they are."""

    async def behind(self, url: str) -> list[Exporter]:
        """The exporters that there are now. Raises AnswerError."""

    async def read(self, exporter: Exporter, metrics: list[str]) -> Reading:
        """Its page. Raises AnswerError."""


class ExporterFlows:
    """Implements `Collector`."""

    name = "exporters"
    kind = Kind.FLOWS

    def __init__(
        self,
        config: SpokeConfig,
        cluster: OfCluster,
        timer: Timer,
        tell: Tell,
        *,
        exporters: Exporters,
        most_series: int = _MOST_SERIES,
    ) -> None:
        """Reads nothing yet."""
        self._most_series = most_series
        self._timer = timer
        self._tell = tell
        self._client = exporters
        self._rules = MetricRules(config, cluster, tell)
        self._metrics = metrics_of(self._rules.all)
        self._before: dict[Exporter, _Read] = {}
        self._unread = 0
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Windows that are over are not told again."""

    async def run(self, sink: Sink) -> None:
        """Read until cancelled. The first reading tells nothing: it is what the next one is compared with."""
        async with self._client:
            last_s = await self._until_a_window_ends()
            await self._window(last_s)
            while True:
                end_s = await self._until_a_window_ends()
                # A clock that is set back tells of the same window twice, each time what passed since.
                self._unread += max((end_s - last_s) // WINDOW_S - 1, 0)
                window = await self._window(end_s)
                if window is not None:
                    await sink.emit(window)
                last_s = end_s
                self.settled.set()

    async def _until_a_window_ends(self) -> int:
        now_us = self._timer.wall_us()
        end_s = (now_us // _SECOND_US // WINDOW_S + 1) * WINDOW_S
        await self._timer.sleep(end_s - now_us / _SECOND_US)
        return end_s

    async def _window(self, end_s: int) -> Sealable | None:
        """The window that ends now; None where nothing of it could be read."""
        try:
            return await self._read(end_s)
        except Exception:  # noqa: BLE001 - a fault of ours here must not end the agent
            _log.exception("reading flows from exporters failed")
            self._tell("prometheus", "flows could not be read because of a fault of the agent; its log has it")
            self._unread += 1
            return None

    async def _read(self, end_s: int) -> Sealable | None:
        rules = [rule for rule in self._rules.readable() if self._client.has(rule)]
        if not rules:
            self._before = {}
            return None
        readings, troubles = await self._readings()
        self._tell("prometheus_unreachable", "; ".join(troubles[:_SHOWN]))
        names = {written.partition("{")[0] for reading in readings.values() for written in reading.series}
        found = present(rules, names)
        nothing = f"no exporter that answers has metrics of {', '.join(rule.name for rule in rules)}"
        self._tell("prometheus_empty", nothing if readings and not found else "")
        rose = self._rose(readings)
        if not found:
            self._unread += bool(troubles)
            return None
        return await self._told(found[0], readings, rose, len(troubles), end_s=end_s)

    async def _told(
        self, rule: FlowRule, readings: dict[Exporter, Reading], rose: Sequence[Rises], failed: int, *, end_s: int
    ) -> Sealable | None:
        sampling = rate(rates(rule, readings.values())) if rule.sampling else 1
        window = self._rules.window(rule, sampling)
        answers = await asyncio.to_thread(Answers, rule, rose)
        for counter in self._rules.counted(rule):
            answer = await asyncio.to_thread(answers.to, counter)
            window.missed(flow_words.LOST_UNREADABLE, answer.unreadable)
            await asyncio.to_thread(window.take, counter.measure, answer.samples, counter.verdict)
        window.missed(flow_words.LOST_UNREADABLE, sum(each.unreadable for each in readings.values()))
        unread = sum(each.unread > 0 for each in readings.values())
        window.missed(flow_words.LOST_UNREAD, self._unread + failed + unread)
        if failed or unread:
            window.note(flow_words.PARTIAL_ANSWERS)
        sealable = await asyncio.to_thread(self._rules.sealable, window, end_s)
        self._tell("prometheus_cluster", "" if sealable else self._rules.misnamed(window))
        if sealable is not None:
            self._unread = 0
        return sealable

    async def _readings(self) -> tuple[dict[Exporter, Reading], list[str]]:
        """What each exporter says, and what could not be read."""
        exporters: list[Exporter] = []
        troubles: list[str] = []
        for url in self._client.urls():
            try:
                exporters += await self._client.behind(url)
            except AnswerError as error:
                troubles.append(str(error))
        if len(exporters) > MOST_EXPORTERS:
            troubles.append(f"{len(exporters) - MOST_EXPORTERS} exporters beyond {MOST_EXPORTERS} are not read")
        found: dict[Exporter, Reading] = {}
        turns = asyncio.Semaphore(_AT_ONCE)
        room = self._most_series

        async def one(exporter: Exporter) -> None:
            nonlocal room
            async with turns:
                try:
                    reading = await self._client.read(exporter, self._metrics)
                except AnswerError as error:
                    troubles.append(str(error))
                    return
            room -= len(reading.series)
            if room >= 0:
                found[exporter] = reading
            else:
                troubles.append(f"{exporter} is not read: all exporters have more than {self._most_series} series")

        await asyncio.gather(*(one(exporter) for exporter in exporters[:MOST_EXPORTERS]))
        return found, troubles

    def _rose(self, readings: dict[Exporter, Reading]) -> list[Rises]:
        """What each counted since it was read before; what was read now is what the next window is compared with."""
        now_us = self._timer.monotonic_us()
        fresh = {each: read for each, read in self._before.items() if now_us - read.at_us <= _OLDEST_S * _SECOND_US}
        rose = [rises(fresh[each].reading if each in fresh else None, reading) for each, reading in readings.items()]
        self._before = fresh | {each: _Read(reading, now_us) for each, reading in readings.items()}
        return rose


def exporter_flows(
    config: SpokeConfig, of: tuple[ClusterReader, KubeClient], timer: Timer, tell: Tell
) -> ExporterFlows | None:
    """None where no exporter is configured or looked for, or none of its metrics may be read."""
    if not (config.exporter_urls or config.prometheus_by_api_server) or not rules_in_order(config.flow_sources):
        return None
    reader, kube = of
    cluster = OfReader(reader)
    exporters: Exporters = ExporterClient(config, _ANSWER_S)
    if config.prometheus_by_api_server:
        exporters = ExportersByApiServer(kube, cluster.sources, cluster.pods_behind)
    return ExporterFlows(config, cluster, timer, tell, exporters=exporters)
