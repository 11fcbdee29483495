"""Where `periplus dependencies` finds one dependency alone: everything that is known of it."""

from collections.abc import Sequence
from typing import Any, Final

from periplus_hub.api.cli.coverage_command import KNOWN
from periplus_hub.api.cli.dependencies_words import named_end, named_port, number
from periplus_hub.api.cli.dependency_evidence import evidence, show_evidence
from periplus_hub.api.cli.hub_connection import Listing
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say_labelled, say_more, tell
from periplus_hub.api.cli.tables import when
from periplus_hub.api.hub_client import HubClient

_EDGE: Final = (
    KNOWN
    + """
query Edge($source: DependencyEndFilter!, $destination: DependencyEndFilter!, $since: DateTime) {
  edge(source: $source, destination: $destination, since: $since) {
    source { ...End } destination { ...End }
    history { stepS timestamps bytesTx bytesRx connectionsOpened failures }
    ports { protocol port verdict bytesTx bytesRx connectionsOpened } portCount
    clientBytes serverBytes reportedBy
    rules { sourceRule destinationRule bytes }
    sourceCandidates { ...End } destinationCandidates { ...End }
    coverage { ...Known }
  }
}
fragment End on DependencyEnd { cluster { id name } namespace kind name rules }
"""
)
_PORTS: Final = ("port", "verdict", "bytes to", "bytes back", "connections")
_RULES: Final = ("source found by", "destination found by", "bytes")
_STEPS: Final = ("bytes to", "bytes back", "connections", "failures")
_STEPS_SHOWN: Final = 48
_DAY_S: Final = 86_400


def in_full(
    client: HubClient, edges: Sequence[dict[str, Any]], since: str, evidence_of: str | None = None, rows: int = 0
) -> dict[str, Any] | None:
    """The dependency that these lines are of; None where they are of several, or nothing passed.

    With so many of its raw rows in an hour, where one is named.
    """
    pairs = {(_key(edge["source"]), _key(edge["destination"])) for edge in edges}
    if len(pairs) != 1:
        return None
    ends = {side: _exactly(edges[0][side]) for side in ("source", "destination")}
    found: dict[str, Any] | None = client.ask(_EDGE, {**ends, "since": since})["edge"]
    if found is not None and evidence_of is not None:
        found["evidence"] = evidence(client, ends, found["history"], evidence_of, rows)
    return found


def show_in_full(found: dict[str, Any]) -> None:
    """Its ports, who reported it, how its ends were found out, and what passed when."""
    ports: list[tuple[str, ...]] = [
        (
            named_port(each),
            word(each["verdict"]),
            number(each["bytesTx"]),
            number(each["bytesRx"]),
            number(each["connectionsOpened"]),
        )
        for each in found["ports"]
    ]
    tell()
    Listing(_PORTS, ports, [], "", numbers=3).show(as_json=False)
    say_more(found["portCount"], len(ports), "more ports are not shown")
    tell()
    rules: list[tuple[str, ...]] = [
        (each["sourceRule"], each["destinationRule"], number(each["bytes"])) for each in found["rules"]
    ]
    Listing(_RULES, rules, [], "", numbers=1).show(as_json=False)
    for side in ("source", "destination"):
        for each in found[f"{side}Candidates"]:
            tell(f"the {side} may be {named_end(each)}")
    sides = " and ".join(map(word, found["reportedBy"])) or "nobody"
    told = {"client": found["clientBytes"], "server": found["serverBytes"]}
    apart = ", ".join(f"{each} bytes as the {side}'s cluster tells" for side, each in told.items() if each is not None)
    tell(f"reported by {sides}{f': {apart}' if apart else ''}")
    _show_steps(found["history"])
    if "evidence" in found:
        show_evidence(found["evidence"])


def _show_steps(history: dict[str, Any]) -> None:
    names = ("timestamps", "bytesTx", "bytesRx", "connectionsOpened", "failures")
    steps = list(zip(*(history[name] for name in names), strict=True))
    shown = steps[-_STEPS_SHOWN:]
    step = "day" if history["stepS"] == _DAY_S else "hour"
    tell()
    rows: list[tuple[str, ...]] = [(when(start), *map(number, values)) for start, *values in shown]
    Listing((step, *_STEPS), rows, [], "", numbers=4).show(as_json=False)
    if len(steps) > len(shown):
        say_labelled("note", f"the last {len(shown)} of {len(steps):,} {step}s are shown; --json has all")


def _key(end: dict[str, Any]) -> tuple[str, ...]:
    return (end["cluster"]["id"] if end["cluster"] else "", end["namespace"], end["kind"], end["name"])


def _exactly(end: dict[str, Any]) -> dict[str, Any]:
    cluster, namespace, kind, name = _key(end)
    return {"cluster": cluster or None, "namespace": namespace, "kind": kind, "name": name}
