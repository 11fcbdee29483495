"""What is asked of flows beside who depends on whom, as values. Pure."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.model import FAILURES, EdgeFilter
from periplus_hub.flows.model import DAY_S, HOUR_S


class FlowMeasure(Enum):
    """What flows are compared by."""

    BYTES = "bytes"
    CONNECTIONS = "connections"
    FAILURES = "failures"
    RETRANSMITS = "retransmits"
    RTT = "rtt"


SUMMED: Final[Mapping[FlowMeasure, tuple[str, ...]]] = {
    FlowMeasure.BYTES: ("bytes_tx", "bytes_rx"),
    FlowMeasure.CONNECTIONS: ("connections_opened",),
    FlowMeasure.FAILURES: FAILURES,
    FlowMeasure.RETRANSMITS: ("retransmits",),
    FlowMeasure.RTT: ("rtt_us_sum", "rtt_count"),
}
"""The measures of a row that each is made of: their sum, or the first by the second where it is a mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEnds:
    """Ends in columns."""

    registration_ids: Sequence[UUID | None]
    namespaces: Sequence[str]
    kinds: Sequence[str]
    names: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopFlows:
    """The flows with the most, in columns; last those of which it is not known how much."""

    sources: FlowEnds
    destinations: FlowEnds
    protocols: Sequence[int]
    ports: Sequence[int]
    verdicts: Sequence[Verdict]
    values: Sequence[int | None]
    are_part_unmeasured: Sequence[bool]
    flow_count: int
    unmeasured_count: int
    """Of all flows, those whose value is not known."""
    total: int
    """Of all flows whose value is known; of a mean it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values in steps of time, in columns; None is not known."""

    step_s: int
    starts: Sequence[int]
    values: Sequence[int | None]
    is_part_unmeasured: bool
    """Some of it could not be measured: sums are at least so much."""


def filled(steps: Sequence[int], found: Mapping[int, int | None], told: Container[int]) -> list[int | None]:
    """A value for each step of the time: 0 only where it was told that nothing passed."""
    return [found.get(each, 0 if each in told else None) for each in steps]


def whole_days(steps: range, hours: Container[int], of_days: Mapping[int, int], over_s: int) -> set[int]:
    """The days of which each hour that began before then was told.

    `hours` are those that were told, and `of_days` has a bit for each of a day whose hours are not kept one by one.
    """
    return {day for day in steps if _is_told(range(day, min(day + DAY_S, over_s), HOUR_S), hours, of_days.get(day, 0))}


def _is_told(day: range, hours: Container[int], bits: int) -> bool:
    return all(hour in hours or bits >> number & 1 for number, hour in enumerate(day))


def concerned(asked: EdgeFilter) -> tuple[UUID, ...]:
    """The clusters that are named: of what none of them tells it is not known whether there is any."""
    return tuple(each for end in (asked.src, asked.dst, asked.either) for each in end.clusters)
