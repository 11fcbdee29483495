"""Holds what detectors of flows find against what a case expects. Pure: differences are in words, and none is fine."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.facts import FLOW_COVERAGE, WATCHED

from tests.cases.flow_case import Expect, ExpectedFinding

Json = dict[str, Any]

OF_FLOWS: Final = tuple(each.name for each in DETECTORS if {FLOW_COVERAGE, WATCHED}.intersection(each.needs))
"""The detectors that look at flows."""
_ARROW: Final = " → "


@dataclass(frozen=True)
class Found:
    """A finding as it is told."""

    detector: str
    members: tuple[str, ...]
    severity: str
    title: str


def found_of(nodes: Iterable[Json]) -> list[Found]:
    """Those of the detectors of flows, of findings as GraphQL has them."""
    return [
        Found(each["detector"], _members(each), each["severity"].lower(), each["title"])
        for each in nodes
        if each["detector"] in OF_FLOWS
    ]


def _members(node: Json) -> tuple[str, ...]:
    ends = {end for pair in node["evidence"].get("pairs", ()) for end in pair.split(_ARROW)}
    return tuple(sorted(ends or {cluster["name"] for cluster in node["clusters"]["nodes"]}))


def finding_differences(expect: Expect, found: Sequence[Found], undecided: Iterable[str]) -> Iterator[str]:
    """Expected ones that are not there, those that are there and not expected, and who can tell and should not."""
    if expect.findings is not None:
        yield from _differences(expect.findings, found)
    names = sorted(undecided)
    if expect.undecided is not None and names != sorted(set(expect.undecided)):
        yield f"undecided: expected {_named(sorted(set(expect.undecided)))}, found {_named(names)}"


def _differences(expected: Sequence[ExpectedFinding], found: Sequence[Found]) -> Iterator[str]:
    left = list(found)
    for wanted in expected:
        who = f"{wanted.detector} of {_named(wanted.members)}"
        same = next((each for each in left if _is_about(wanted, each)), None)
        if same is None:
            yield f"{who}: expected {wanted.severity or 'a finding'}, found none"
            continue
        left.remove(same)
        if wanted.severity not in {"", same.severity}:
            yield f"{who}: expected {wanted.severity}, found {same.severity} ({same.title})"
    for each in left:
        yield f"{each.detector} of {_named(each.members)}: expected none, found {each.severity} ({each.title})"


def _is_about(wanted: ExpectedFinding, each: Found) -> bool:
    return (wanted.detector, tuple(sorted(set(wanted.members)))) == (each.detector, each.members)


def _named(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
