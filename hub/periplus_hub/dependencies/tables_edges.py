"""Conditions on the flow store's table of edges, as statements about it share them."""

from collections.abc import Sequence
from typing import Any, Final

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.model import EdgeFilter, EndFilter
from periplus_hub.flows.model import HOUR_S

OUTCOME: Final = f"if(verdict <= {max(each.value for each in Verdict)}, verdict, {Verdict.UNKNOWN.value})"
"""A later minor's number is one that this hub does not know."""
_NAME: Final = ("namespace", "kind", "workload")
ENDS: Final = tuple(f"{side}_{part}" for side in ("src", "dst") for part in ("registration", *_NAME))
"""The columns of both ends."""


def in_hours(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
    """The condition on all rows of the asked edges in the hours of the asked time, and its parameters."""
    given: dict[str, Any] = {"since": hour_of(asked.since), "until": hour_of(asked.until) + HOUR_S}
    within = ("hour >= fromUnixTimestamp({since:UInt32})", "hour < fromUnixTimestamp({until:UInt32})")
    return " AND ".join((*within, *conditions(asked, given))), given


def conditions(asked: EdgeFilter, given: dict[str, Any]) -> Sequence[str]:
    """Those that a row of an asked edge meets, whatever its time and state; their parameters are added to `given`."""
    found = []
    if asked.cross_cluster:
        found.append("crosses")
    if not asked.either.is_any:
        either = (_meant(side, "either", asked.either, given) for side in ("src", "dst"))
        found.append(f"({' OR '.join(either)})")
    for side, end in (("src", asked.src), ("dst", asked.dst)):
        if not end.is_any:
            found.append(_meant(side, side, end, given))
    for column, name, value in (("dst_port", "port", asked.port), ("protocol", "protocol", asked.protocol)):
        if value is not None:
            given[name] = value
            found.append(f"{column} = {{{name}:UInt16}}")
    if asked.verdicts:
        given["verdicts"] = [each.value for each in asked.verdicts]
        found.append(f"has({{verdicts:Array(UInt8)}}, {OUTCOME})")
    return found


def _meant(side: str, word: str, end: EndFilter, given: dict[str, Any]) -> str:
    """The condition that the end of this side is one of those that are meant."""
    parts = []
    if end.clusters:
        given[f"{word}_clusters"] = [str(each) for each in end.clusters]
        parts.append(f"has({{{word}_clusters:Array(UUID)}}, {side}_registration)")
    for column, value in zip(_NAME, (end.namespace, end.kind, end.name), strict=True):
        if value is not None:
            given[f"{word}_{column}"] = value
            parts.append(f"{side}_{column} = {{{word}_{column}:String}}")
    return f"({' AND '.join(parts)})"
