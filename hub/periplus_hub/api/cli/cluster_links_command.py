"""`periplus cluster-links`: what passes between clusters, regions or zones, and how well."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.coverage_command import KNOWN, tell_coverage
from periplus_hub.api.cli.dependencies_words import SinceOption, at_least, number, one_of, since_ago, tell_part
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, say_more, tell_json

LINKS: Final = (
    KNOWN
    + """
query ClusterLinks($first: Int!, $by: LinkLevel!, $cluster: ID, $since: DateTime) {
  clusterLinks(first: $first, by: $by, cluster: $cluster, since: $since) {
    links {
      clusterA { id name } clusterB { id name }
      placeA { isKnown provider region zone } placeB { isKnown provider region zone }
      bytesAToB bytesBToA packetsAToB packetsBToA connectionsByA connectionsByB
      failures retransmits retransmitRatio rttUs droppedBytes isPartUnmeasured state lastSeen
    }
    linkCount unresolved { verdicts sums { dependencyCounts bytesTx bytesRx arePartUnmeasured } }
    coverage { ...Known }
  }
}
"""
)
_COLUMNS: Final = (
    *("a", "b", "state", "a to b", "b to a", "connections of a", "of b", "failures", "rtt in us", "retransmits"),
    "dropped bytes",
)
_WORDS: Final = 3
_NOT_KNOWN: Final = "not known"
_LEVELS: Final = ("CLUSTER", "REGION", "ZONE")


def cluster_links(
    *,
    by: Annotated[
        str, typer.Option(metavar="<level>", help="cluster, region or zone: what links are between.")
    ] = "cluster",
    of: Annotated[
        str | None, typer.Option(metavar="<name>", help="Only what this cluster is an end of, also with itself.")
    ] = None,
    since: SinceOption = "24h",
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 100,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """What passes between clusters, regions or zones: bytes each way, connections, failures, round trips, drops."""
    level = one_of("level", by, _LEVELS)
    with hub(url, token_file) as client:
        concerned = None if of is None else find(client, of)["id"]
        asked = {"first": first, "by": level, "cluster": concerned, "since": since_ago(since)}
        found = client.ask(LINKS, asked)["clusterLinks"]
    if as_json:
        tell_json(document(found))
        return
    rows = [_row(each) for each in found["links"]]
    nothing = f"Nothing is known to pass between {word(level)}s."
    Listing(_COLUMNS, rows, [], nothing, numbers=len(_COLUMNS) - _WORDS).show(as_json=False)
    say_more(found["linkCount"], len(rows))
    tell_part(each["isPartUnmeasured"] for each in found["links"])
    if any(_place(each, side) == _NOT_KNOWN for each in found["links"] for side in "AB"):
        say_labelled("note", f"{_NOT_KNOWN} is every end whose {word(level)} is not known: two of them may be in one")
    sums = found["unresolved"]["sums"]
    if sums["dependencyCounts"]:
        say_labelled("note", f"{_unresolved(sums)} with an end that nobody is known for: they may belong to a link")
    tell_coverage(found["coverage"])


def _unresolved(sums: dict[str, Any]) -> str:
    known = [int(each) for name in ("bytesTx", "bytesRx") for each in sums[name] if each is not None]
    if not known:
        return "an unknown number of bytes"
    least = "at least " if any(sums["arePartUnmeasured"]) or len(known) < 2 * len(sums["bytesTx"]) else ""
    return f"{least}{sum(known):,} bytes"


def _place(link: dict[str, Any], side: str) -> str:
    cluster, place = link[f"cluster{side}"], link[f"place{side}"]
    if place is None:
        return str(cluster["name"])
    if not place["isKnown"]:
        return _NOT_KNOWN
    whose = cluster["name"] if cluster else place["provider"]
    return f"{whose} {'/'.join(place[part] for part in ('region', 'zone') if place[part])}"


def _row(link: dict[str, Any]) -> tuple[str, ...]:
    rtt = link["rttUs"]

    def measured(name: str) -> str:
        return at_least(link[name], is_part_unmeasured=link["isPartUnmeasured"])

    return (
        _place(link, "A"),
        _place(link, "B"),
        word(link["state"]),
        *(measured(name) for name in ("bytesAToB", "bytesBToA", "connectionsByA", "connectionsByB", "failures")),
        number(None if rtt is None else round(rtt)),
        measured("retransmits"),
        number(link["droppedBytes"]),
    )
