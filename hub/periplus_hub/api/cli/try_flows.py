"""Flows in `periplus try`: how its spokes, which are outside of the clusters, read them, and what a person can do."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import join
from typing import Annotated, Final

import typer

from periplus_contract.flow_words import SOURCE_KINDS
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.report import ClusterLine, FlowSourceLine, Report
from periplus_hub.api.cli.temporary_fleet import Target
from periplus_hub.kit.some_names import some

WatchOption = Annotated[
    str | None,
    typer.Option(
        "--watch",
        metavar="<time>",
        help="Read flows and print dependencies as they come, for 30s, 5m or 1h, or until Ctrl-C. With --json "
        "each document is a line.",
    ),
]
PrometheusOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<context>=<url>",
        help="Read the flows of this context from the Prometheus at this address, as of a 'kubectl port-forward', and "
        "not through its API server. Repeatable.",
    ),
]
HubbleOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<context>=<url>",
        help="Read the flows of this context from the Hubble Relay at this address, as of a 'kubectl port-forward'. "
        "Repeatable.",
    ),
]
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600}
_LONGEST_S: Final = 86_400
_ADDRESS: Final = re.compile(r"https?://[^/?#@\s,]+(/[^?#\s,]*)?")
_BACK: Final = "3"
"""Minutes that are read of before the start: nobody has to wait for a minute to be over."""
AGENTS: Final = "conntrack"
HUBBLE: Final = "hubble"
PROMETHEUS: Final = "prometheus"
_NOT_READ: Final = frozenset((AGENTS, "goldmane", PROMETHEUS))
"""Agents of nodes send to the hub that they joined, and so not to this one: what they count is told here by others. Of
the rest spokes read nothing, or nothing of its own."""
_SOURCES: Final = ",".join(kind for kind in SOURCE_KINDS if kind not in _NOT_READ)
_CILIUM: Final = "cilium-mesh"
_AGENTS_ELSEWHERE: Final = "its agents send to the hub that they joined, not to this one"
_RELAY_TLS: Final = ":443"
_NO_FILES: Final = "Hubble Relay takes TLS alone, whose files 'periplus try' does not take: join a spoke of the cluster"


@dataclass(frozen=True)
class Reading:
    """What spokes are to read flows from."""

    prometheus: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses by the cluster's name; of others the API server passes questions on."""
    relays: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def equip(self, target: Target) -> Target:
        """With the settings of its spoke."""
        options = ["--flow-sources", _SOURCES, "--prometheus-minutes-back", _BACK]
        if urls := self.prometheus.get(target.name):
            options += ["--prometheus-urls", ",".join(urls)]
        else:
            options.append("--prometheus-by-api-server")
        for url in self.relays.get(target.name, ()):
            options += ["--hubble-relay", url]
        return replace(target, spoke_options=tuple(options))


def reading(
    targets: Sequence[Target], prometheus: Sequence[str] | None, relays: Sequence[str] | None, *, is_read: bool
) -> Reading | None:
    """What the options ask for; None where flows are not to be read."""
    if not is_read:
        if prometheus or relays:
            remedy = "Give --watch 5m, which shows flows as they come, or --keep."
            fail("--prometheus and --hubble-relay say where flows are read, and none are", remedy, Exit.USAGE)
        return None
    found = _addresses("--hubble-relay", relays or (), targets)
    if twice := next((name for name, urls in found.items() if len(urls) > 1), ""):
        fail(f"--hubble-relay names two addresses of {twice}", "Give the one that is to be read.", Exit.USAGE)
    return Reading(_addresses("--prometheus", prometheus or (), targets), found)


def seconds_of(text: str | None) -> int:
    """The time that `--watch` names; 0 where it is not given."""
    if text is None:
        return 0
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdecimal()) or len(number) > len(str(_LONGEST_S)):
        fail(f"--watch {text!r} is no time", "Write it like 30s, 5m or 1h.", Exit.USAGE)
    found = int(number) * _UNITS[unit]
    if not 0 < found <= _LONGEST_S:
        fail(f"--watch {text!r} is no time to watch", "Watch for a second at least, and a day at most.", Exit.USAGE)
    return found


def _addresses(option: str, given: Sequence[str], targets: Sequence[Target]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in given:
        named = ((each, name) for each in targets for name in (each.context, each.name))
        # Of several that it begins with the longest: names of contexts may hold what separates.
        fits = [(len(name), each.name, text[len(name) + 1 :]) for each, name in named if text.startswith(f"{name}=")]
        _, cluster, url = max(fits, default=(0, "", ""))
        if not cluster:
            remedy = f"Write it like {targets[0].context}=http://127.0.0.1:9090, with a context that is read."
            fail(f"{option} {text!r} names no context that is read", remedy, Exit.USAGE)
        if not _ADDRESS.fullmatch(url):
            remedy = "Write it like http://127.0.0.1:9090."
            fail(f"{option} {text!r} has no address behind the context", remedy, Exit.USAGE)
        found.setdefault(cluster, []).append(url)
    return found


def with_hint(report: Report) -> Report:
    """And which flows could be shown, where none were read."""
    offered = [cluster.name for cluster in report.clusters if _is_offered(cluster)]
    if not offered:
        return report
    return replace(report, notes=(*report.notes, f"--watch 5m looks for flows of {some(offered)} and shows them."))


def _is_offered(cluster: ClusterLine) -> bool:
    return any(each.kind in {PROMETHEUS, HUBBLE, _CILIUM} and each.state == "found" for each in cluster.flow_sources)


def from_outside(report: Report, targets: Sequence[Target]) -> Report:
    """What is said of sources, as it is for spokes outside of the clusters that end with this command."""
    of = {each.name: each for each in targets}
    lines = (_from_outside(line, of[line.name]) if line.name in of else line for line in report.clusters)
    return replace(report, clusters=tuple(lines))


def _from_outside(line: ClusterLine, target: Target) -> ClusterLine:
    sources = tuple(_seen(each, target) for each in line.flow_sources)
    commands = [each.command for each in sorted(sources, key=lambda each: each.state != "found") if each.command]
    command = "" if any(each.chosen for each in sources) else next(iter(commands), "")
    return replace(line, flow_sources=sources, flow_command=command)


def _seen(source: FlowSourceLine, target: Target) -> FlowSourceLine:
    if source.state != "found":
        return source
    if source.kind == AGENTS:
        return replace(source, chosen=False, why=_AGENTS_ELSEWHERE, command="")
    if source.kind == HUBBLE and not source.chosen:
        if source.where.endswith(_RELAY_TLS):
            return replace(source, why=_NO_FILES, command="")
        option = f"--hubble-relay {target.context}=http://127.0.0.1:4245"
        why = f"no API server passes gRPC on: forward its port, and give {option}"
        return replace(source, why=why, command=forwarding(source, target, 4245))
    return source


def forwarding(source: FlowSourceLine, target: Target, port: int) -> str:
    """The command that forwards this port of ours to it; empty where it is not known where it is."""
    place, _, number = source.where.rpartition(":")
    namespace, _, service = place.partition("/")
    if not service:
        return ""
    # kubectl takes one file, or those of KUBECONFIG.
    kubeconfig = [] if ":" in target.kubeconfig else ["--kubeconfig", target.kubeconfig]
    names = ["kubectl", *kubeconfig, "--context", target.context, "--namespace", namespace]
    return join([*names, "port-forward", f"service/{service}", f"{port}:{number}"])
