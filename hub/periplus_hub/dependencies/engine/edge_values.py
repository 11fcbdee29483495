"""Everything that is known of one dependency, as values. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.model import FAILURES, EdgeEnd, EdgeSide

HISTORY: Final[Mapping[str, tuple[str, ...]]] = {
    "bytes_tx": ("bytes_tx",),
    "bytes_rx": ("bytes_rx",),
    "connections_opened": ("connections_opened",),
    "failures": FAILURES,
}
"""What is told hour by hour, and of which measures it is the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUse:
    """What passed at a port, with one verdict. None is not known."""

    protocol: int
    port: int
    verdict: Verdict
    bytes_tx: int | None
    bytes_rx: int | None
    connections_opened: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUse:
    """By which lookups the two ends were found, and of how many bytes both ways; None where nobody counts them."""

    src_rule: str
    dst_rule: str
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeHours:
    """By hour, each of `HISTORY`; None is not known."""

    found: Mapping[str, Mapping[int, int | None]]
    client_bytes: int | None
    server_bytes: int | None
    reported_by: frozenset[EdgeSide]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDetail:
    """Of all verdicts together, where nothing else is said."""

    src: EdgeEnd
    dst: EdgeEnd
    hours: EdgeHours
    ports: Sequence[PortUse]
    port_count: int
    rules: Sequence[RuleUse]
    src_candidates: Sequence[EdgeEnd]
    dst_candidates: Sequence[EdgeEnd]
