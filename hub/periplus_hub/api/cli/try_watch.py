"""`periplus try --watch`: dependencies as they come, why none come where none do, and how much is known at the end."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from periplus_contract.streams import is_output_lost
from periplus_hub.api.cli.coverage_command import COVERAGE
from periplus_hub.api.cli.dependencies_command import DEPENDENCIES
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.flow_sources import flows_words, with_flow_sources
from periplus_hub.api.cli.report import SAME_CLUSTER, ClusterLine, Report
from periplus_hub.api.cli.stop_signals import StopSignals
from periplus_hub.api.cli.temporary_fleet import Fleet, Target
from periplus_hub.api.cli.try_flows import HUBBLE, PROMETHEUS, Reading, forwarding, from_outside
from periplus_hub.api.cli.try_watch_lines import Change, Ending, Lines, Seen, Waiting
from periplus_hub.kit.clock import Clock

_POLL_S: Final = 2.0
_BEFORE: Final = timedelta(minutes=10)
"""So far back flows may be told that spokes read of before their start."""
_MOST: Final = 1_000
_UNREACHABLE: Final = "prometheus_unreachable"
_EMPTY: Final = "prometheus_empty"
_TROUBLES: Final = (
    *(_UNREACHABLE, "prometheus_cluster", _EMPTY, "prometheus"),
    *("hubble", "hubble_nodes"),
)
"""Conditions of spokes that say why flows do not come, or not all."""
_MEASURES: Final = ("bytesTx", "bytesRx", "connectionsOpened", "failures")
_END: Final = ("cluster", "namespace", "kind", "name")
_FIRST: Final = "waits for its first minute of flows"


@dataclass
class Watch:
    """Of one `periplus try`."""

    fleet: Fleet
    report: Report
    reading: Reading
    lines: Lines
    clock: Clock
    _shown: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def run(self, seconds: int) -> bool:
        """For so long, or until a signal, or until it is sure that nothing comes; whether any flows were told."""
        stop = StopSignals()
        since = (self.clock.now() - _BEFORE).isoformat()
        until_s = time.monotonic() + seconds
        while True:
            seen = self._ask(since)
            left_s = until_s - time.monotonic()
            self._show(seen, left_s)
            if (ending := self._ending(seen, left_s, is_stopped=stop.wait(0))) is not None:
                break
            stop.wait(min(_POLL_S, left_s))
        self.fleet.progress.clear()
        self.lines.end(seen, ending)
        return seen.has_flows

    def _ending(self, seen: Seen, left_s: float, *, is_stopped: bool) -> Ending | None:
        hub = self.fleet.children.hub
        if is_stopped or is_output_lost():
            return "stopped"
        if hub is not None and not hub.running:
            self.fleet.progress.clear()
            fail("the hub ended", "Start again; if it happens again, report it with these lines.", log=hub.tail())
        if not seen.has_flows and all(each.reason in {"no-source", "unread"} for each in seen.waiting):
            return "no-source"
        return "time" if left_s <= 0 else None

    def _ask(self, since: str) -> Seen:
        client = self.fleet.client
        narrowed = {"first": _MOST, "since": since, "level": "WORKLOAD", "order": "BYTES", "filter": {}}
        found = client.ask(DEPENDENCIES, narrowed)["dependencies"]
        known = client.ask(COVERAGE, {"since": since})["coverage"]
        told = {each["cluster"]["name"]: each for each in known["clusters"]}
        lines = from_outside(with_flow_sources(client, self.report), self.fleet.targets).clusters
        waiting = list(self._waiting(lines, told))
        commands = {line.name: line.flow_command for line in lines}
        commands |= {each.cluster: each.command for each in waiting if each.command}
        for each in known["clustersWithoutFlows"]:
            each["flowCommand"] = commands.get(each["name"], each["flowCommand"])
        return Seen(self.clock.now(), found["edges"], found["edgeCount"], known, waiting)

    def _waiting(self, lines: tuple[ClusterLine, ...], told: Mapping[str, Mapping[str, Any]]) -> Iterator[Waiting]:
        targets = {each.name: (index, each) for index, each in enumerate(self.fleet.targets)}
        for line in lines:
            if line.reason == SAME_CLUSTER:
                continue
            index, target = targets.get(line.name, (-1, None))
            status = None if target is None else self.fleet.children.status(index, line.name)
            if target is None or status is None or status.phase == "failed":
                yield Waiting(line.name, "unread", line.message or "cannot be read", "")
                continue
            if not line.flow_sources:
                yield Waiting(line.name, "first-minute", "is still being read", "")
                continue
            has_told = line.name in told and told[line.name]["toldUntil"] is not None
            if (found := self._why(line, target, status.conditions, has_told=has_told)) is not None:
                yield found

    def _why(
        self, line: ClusterLine, target: Target, conditions: Mapping[str, str], *, has_told: bool
    ) -> Waiting | None:
        is_chosen = any(each.chosen for each in line.flow_sources) or line.name in self.reading.relays
        asked = [each for each in line.flow_sources if each.kind == PROMETHEUS and each.state == "found"]
        may_come = is_chosen or ((asked or line.name in self.reading.prometheus) and _EMPTY not in conditions)
        if not may_come and not has_told:
            words = flows_words(line.flow_sources, "")  # the reason, too, where there is a command
            more = f" ({conditions[_EMPTY]})" if asked and _EMPTY in conditions else ""
            return Waiting(line.name, "no-source", words + more, line.flow_command)
        # Where none of its metrics are awaited, nobody misses them.
        awaited = any(each.chosen and each.kind != HUBBLE for each in line.flow_sources)
        troubles = [conditions[name] for name in _TROUBLES if name in conditions and (awaited or name != _EMPTY)]
        if troubles:
            command, option = "", ""
            if _UNREACHABLE in conditions and asked and line.name not in self.reading.prometheus:
                command = forwarding(asked[0], target, 9090)
                option = f", or forward its port and give --prometheus {target.context}=http://127.0.0.1:9090"
            return Waiting(line.name, "trouble", "; ".join(troubles) + option, command or line.flow_command)
        return None if has_told else Waiting(line.name, "first-minute", _FIRST, "")

    def _show(self, seen: Seen, left_s: float) -> None:
        changes = list(self._changes(seen.edges))
        self.fleet.progress.clear()
        self.lines.show(seen, changes)
        waiting = ", ".join(f"{each.cluster}: {each.reason}" for each in seen.waiting)
        self.fleet.progress.show("watching flows until Ctrl-C", f"{max(0.0, left_s):.0f} s left · {waiting}")

    def _changes(self, edges: list[dict[str, Any]]) -> Iterator[Change]:
        for edge in edges:
            key = tuple(str(edge[side][part]) for side in ("source", "destination") for part in _END)
            key += (edge["verdict"],)
            before = self._shown.get(key)
            if before is None or any(edge[name] != before[name] for name in _MEASURES):
                yield Change(edge, before)
            self._shown[key] = edge
