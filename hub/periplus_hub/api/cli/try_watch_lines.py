"""What `periplus try --watch` saw, and how it is printed: lines for people, or a document a line for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Protocol

from periplus_hub.api.cli.coverage_command import tell_coverage
from periplus_hub.api.cli.dependencies_words import named_end, named_port
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say, say_labelled, say_more, tell, tell_json_line
from periplus_hub.api.cli.report import minute

Waits = Literal["no-source", "unread", "trouble", "first-minute"]
Ending = Literal["time", "stopped", "no-source"]
_PORTS_SHOWN: Final = 3
_NO_SOURCE: Final = "no flows can be read in any of these clusters"
_NONE_CAME: Final = "no flows came"


class Waiting(NamedTuple):
    """A cluster that told no flows yet, or of which some may be missing."""

    cluster: str
    reason: Waits
    message: str
    command: str
    """The one that may help; empty where none is known."""


class Change(NamedTuple):
    """A dependency that is new, or whose numbers rose since it was last shown."""

    edge: Mapping[str, Any]
    before: Mapping[str, Any] | None


@dataclass(frozen=True)
class Seen:
    """What the hub answers now."""

    at: datetime
    edges: list[dict[str, Any]]
    edge_count: int
    coverage: dict[str, Any]
    """With that of each cluster."""
    waiting: list[Waiting]

    @property
    def has_flows(self) -> bool:
        """Whether any cluster told a minute, were it one in which nothing passed."""
        return any(each["toldUntil"] is not None for each in self.coverage["clusters"])


class Lines(Protocol):
    """Prints."""

    def show(self, seen: Seen, changes: Sequence[Change]) -> None:
        """What is news of it."""

    def end(self, seen: Seen, ending: Ending) -> None:
        """The last words."""


class LinesOfText:
    """Dependencies and coverage on standard output; why nothing comes on standard error, once."""

    def __init__(self) -> None:
        self._said: set[Waiting] = set()
        self._coverage = ""

    def show(self, seen: Seen, changes: Sequence[Change]) -> None:
        """A line for each change, and one for the coverage when it is another."""
        self._say(seen.waiting)
        time = f"{seen.at:%H:%M:%S} UTC"
        for change in changes:
            tell(f"{time} {_line(change)}")
        clusters = seen.coverage["clusters"]
        telling = sum(each["toldUntil"] is not None for each in clusters)
        known = f"{_percent(seen.coverage['ratio'])} of what active clusters were to tell"
        coverage = f"coverage {known}; {telling} of {len(clusters)} tell flows"
        if changes and coverage != self._coverage:
            tell(f"{time} {coverage}")
            self._coverage = coverage

    def _say(self, waiting: Sequence[Waiting]) -> None:
        for each in waiting:
            if each not in self._said:
                say_labelled(each.cluster, each.message)
                if each.command:
                    say(f"    → {each.command}")
        self._said |= set(waiting)

    def end(self, seen: Seen, ending: Ending) -> None:
        """How much came, and from where."""
        if ending == "no-source":
            tell(_NO_SOURCE)
            return
        tell()
        dependencies = f"{seen.edge_count:,} dependenc{'y' if seen.edge_count == 1 else 'ies'}"
        tell(dependencies if seen.has_flows else _NONE_CAME, bold=True)
        for each in seen.coverage["clusters"]:
            tell(f"  {each['cluster']['name']}: {_told(each)}")
        say_more(seen.edge_count, len(seen.edges), "smaller ones were not looked at")
        tell_coverage(seen.coverage)


class LinesOfJson:
    """A document a line: `what` says which it is."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] | None = None

    def show(self, seen: Seen, changes: Sequence[Change]) -> None:
        """One line, where there is news."""
        if not changes and seen.waiting == self._waiting:
            return
        self._waiting = seen.waiting
        found = {
            "dependencies": [{**document(change.edge), "isNew": change.before is None} for change in changes],
            "waiting": _documents(seen.waiting),
            "coverage": document(seen.coverage),
        }
        tell_json_line({"what": "dependencies", "at": seen.at.isoformat(), **found})

    def end(self, seen: Seen, ending: Ending) -> None:
        """All that is known at the end."""
        found = {
            "ended": ending,
            "dependencyCount": seen.edge_count,
            "dependencies": document(seen.edges),
            "waiting": _documents(seen.waiting),
            "coverage": document(seen.coverage),
        }
        tell_json_line({"what": "summary", "at": seen.at.isoformat(), **found})


def _documents(waiting: Sequence[Waiting]) -> list[dict[str, str]]:
    return [each._asdict() for each in waiting]


def _told(cluster: Mapping[str, Any]) -> str:
    if cluster["toldUntil"] is None:
        return "told nothing"
    return f"told until {minute(cluster['toldUntil'])}, {_percent(cluster['ratio'])} known, {cluster['rows']} rows"


def _percent(ratio: float | None) -> str:
    return "nothing yet" if ratio is None else f"{int(ratio * 1_000 + 1e-9) / 10:g} %"


def _line(change: Change) -> str:
    edge, before = change
    ports = [named_port(each) for each in edge["ports"]]
    more = f" and {len(ports) - _PORTS_SHOWN} more" if len(ports) > _PORTS_SHOWN else ""
    numbers = [
        f"{_number(edge[name])} {words}{_rise(edge[name], None if before is None else before[name])}"
        for name, words in (("bytesTx", "bytes to"), ("bytesRx", "bytes back"), ("connectionsOpened", "connections"))
    ]
    verdict = "" if edge["verdict"] in {"FORWARDED", "UNKNOWN"} else f", {word(edge['verdict'])}"
    ends = f"{named_end(edge['source'])} → {named_end(edge['destination'])}"
    through = f"{', '.join(ports[:_PORTS_SHOWN])}{more}{verdict}"
    return f"{'new ' if before is None else 'more'} {ends}, {through}: {', '.join(numbers)}"


def _number(value: str | None) -> str:
    """Unknown is not zero."""
    return "unknown" if value is None else f"{int(value):,}"


def _rise(value: str | None, before: str | None) -> str:
    if value is None or before is None or value == before:
        return ""
    return f" ({int(value) - int(before):+,})"
