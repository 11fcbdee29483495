"""What flows could be read from in a cluster: what its spoke tells, and what the hub knows beside it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Final
from uuid import UUID

from periplus_contract.flow_words import SOURCE_KINDS

FOUND: Final = "found"
CHOSEN: Final = "chosen"
_AGENTS: Final = "conntrack"
_CLUSTER: Final = "CLUSTER"
"""In a command, where the cluster's name goes: its spoke may not know it."""
_METRICS: Final = frozenset(("obi", "netobserv", "istio", "retina", "submariner", "cilium-mesh"))
"""Count what agents of nodes count too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSource:
    """One source; `state` and `use` are the contract's words, None and '' are nothing to say."""

    registration_id: UUID
    uid: str
    kind: str
    state: str
    place: str | None
    use: str | None
    why: str | None
    command: str | None

    @property
    def is_chosen(self) -> bool:
        """Whether flows are read from it."""
        return self.use == CHOSEN


def completed(sources: Iterable[FlowSource], name: str, agents: int) -> tuple[FlowSource, ...]:
    """In the order of the kinds, with the cluster's name in commands; `agents` of its nodes joined and did not end.

    A spoke sees agents only where a DaemonSet of a name that it knows runs them.
    """
    known = [replace(each, command=_named(each.command, name)) for each in sources]
    if agents:
        known = [_beside_agents(each, agents) for each in known]
    return tuple(sorted(known, key=_order))


def one_command(sources: Sequence[FlowSource]) -> str | None:
    """What would give the cluster flows; None where a source is chosen, or no one command would.

    What is there and lacks a setting comes before what would have to be installed.
    """
    if any(each.is_chosen for each in sources):
        return None
    offered = [each for each in sources if each.command]
    return next((each.command for each in sorted(offered, key=lambda each: each.state != FOUND)), None)


def _named(command: str | None, name: str) -> str | None:
    return command and command.replace(_CLUSTER, quote(name))


def _beside_agents(source: FlowSource, agents: int) -> FlowSource:
    if source.kind == _AGENTS and source.state != FOUND:
        why = f"{agents:,} agent{'s' if agents > 1 else ''} of nodes joined"
        return replace(source, state=FOUND, use=CHOSEN, why=why, command=None)
    if source.kind in _METRICS and source.is_chosen:
        why = "agents of nodes count the same again: name one of both in flow_sources of the spoke"
        return replace(source, why=why)
    return source


def _order(source: FlowSource) -> tuple[int, str]:
    known = source.kind in SOURCE_KINDS
    return SOURCE_KINDS.index(source.kind) if known else len(SOURCE_KINDS), source.uid
