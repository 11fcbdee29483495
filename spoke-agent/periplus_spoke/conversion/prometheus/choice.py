"""Which rules may be read in a cluster: two sources of the same bytes are never both told."""

from collections.abc import Sequence

from periplus_spoke.conversion.flow_sources import BY_AGENTS, BYTES, Chosen
from periplus_spoke.conversion.prometheus.rule import FlowRule


def readable(
    rules: Sequence[FlowRule], choices: Sequence[Chosen], *, are_named: bool
) -> tuple[tuple[FlowRule, ...], str]:
    """The best first; or none, and why. `are_named` where the configuration says that these are to be read."""
    if are_named:
        return tuple(rules), ""
    for each in choices:
        if each.source.kind in BY_AGENTS and each.use == "chosen":
            return (), "agents of nodes count the same bytes, so those in Prometheus are not read"
        if each.source.kind in BY_AGENTS and each.source.state == "unknown":
            why = f": {each.source.missing}" if each.source.missing else ""
            return (
                (),
                f"agents of nodes may count the same bytes{why}; if there are none, name a source in flow_sources",
            )
    of_bytes = {each.source.kind for each in choices if each.use == "chosen" and each.source.kind in BYTES}
    # What the API server does not show may be in Prometheus all the same.
    return tuple(rule for rule in rules if rule.name in of_bytes) or tuple(rules), ""
