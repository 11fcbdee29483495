"""`periplus clusters …`."""

from collections.abc import Iterable, Iterator
from shlex import quote
from typing import Annotated, Any, Final

import typer

from periplus_contract.limits import MAX_CLOCK_AHEAD_S, SKEW_WARNING_S
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import names_of
from periplus_hub.api.cli.confirmation import YesOption, confirm
from periplus_hub.api.cli.copies import copy_notes
from periplus_hub.api.cli.find_by_name import choose
from periplus_hub.api.cli.flow_sources import flows_words, lines_of
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.cli.rich_text import Console, Text
from periplus_hub.api.cli.tables import print_labelled, print_text, standard_output, when
from periplus_hub.api.hub_client import HubClient

clusters = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Clusters of the fleet: list, show, approve, revoke."
)

APPROVE: Final = """
mutation Approve($cluster: ID!) {
  approveCluster(cluster: $cluster) {
    __typename
    ... on Cluster { id name state clusterUid networkDomain { name } }
    ... on Problem { message remedy }
  }
}
"""
REVOKE: Final = APPROVE.replace("approveCluster", "revokeCluster").replace("Approve", "Revoke")

_COLUMNS: Final = ("cluster", "state", "last heard", "domain", "where", "version", "cni", "nodes", "pods", "services")
_NUMBERS: Final = 3
_MAX_RANGES: Final = 50
_NOT_THERE: Final = ("ABSENT", "not_found")
"""State and reason of a source that a cluster does not have."""
_LABEL_WIDTH: Final = len("last heard") + 1

NameArgument = Annotated[str, typer.Argument(help="The cluster's name or id.")]


def find(client: HubClient, text: str) -> dict[str, Any]:
    """The cluster with this id, or else this name; leaves when there is none. A name means the live one."""
    return choose("Cluster", text, _all(client), is_live=_is_live)


def _is_live(node: dict[str, Any]) -> bool:
    return bool(node["state"] != "REVOKED")


def find_each(client: HubClient, given: Iterable[str] | None) -> list[dict[str, Any]]:
    """Those that are named, each once, by what a person typed: names or ids, apart or with commas between them."""
    names = names_of(given)
    known = list(_all(client)) if names else []
    found = (choose("Cluster", name, known, is_live=_is_live) for name in names)
    return list({node["id"]: node for node in found}.values())


def _all(client: HubClient) -> Iterator[dict[str, Any]]:
    for page in queries.pages(client, queries.CLUSTERS, "clusters", {"first": 200}):
        yield from page["nodes"]


@clusters.command("list")
def list_clusters(*, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """Every cluster that ever joined, with its state and what is in it."""
    with hub(url, token_file) as client:
        documents = list(_all(client))
    rows = [_row(node) for node in documents]
    empty = "No clusters yet. Make a token: 'periplus join-token create'."
    Listing(_COLUMNS, rows, documents, empty, numbers=_NUMBERS).show(as_json=as_json)
    if not as_json:
        copies = copy_notes({node["name"]: node for node in documents if node["state"] != "REVOKED"})
        for note in (*filter(None, map(why_pending, documents)), *copies):
            print_text(Text(note), standard_output())


def why_pending(node: dict[str, Any]) -> str:
    """Why a cluster waits for a person although its join token may have said otherwise; empty for all others."""
    twin = node["duplicate"]
    if node["state"] != "PENDING" or twin is None or twin["state"] == "REVOKED":
        return ""
    return (
        f"{node['name']} is the same cluster as {twin['name']}: if the spoke of {twin['name']} is gone, "
        f"'periplus clusters revoke {quote(twin['name'])}', then 'periplus clusters approve {quote(node['name'])}'."
    )


def clock_note(node: dict[str, Any]) -> str:
    """What is wrong with the cluster's clock; empty when it is about right, or not known."""
    skew_s = int(node["clockSkewMs"] or 0) / 1_000
    if abs(skew_s) <= SKEW_WARNING_S:
        return ""
    lost = "; what it reports is set aside until that is right" if skew_s > MAX_CLOCK_AHEAD_S else ""
    return f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the hub's{lost}"


def agents_note(node: dict[str, Any]) -> str:
    """Of how many nodes an agent tells, and of which nothing new comes; empty where no agent ever joined."""
    known = node["agentCounts"]
    if known is None:
        return ""
    nodes = (node["counts"] or {}).get("nodes")
    of_nodes = "; how many nodes it has is not known" if nodes is None else f" of {nodes:,} nodes"
    told = [f"{known['connected']:,} heard{of_nodes}"]
    if known["stale"]:
        told.append(f"{known['stale']:,} silent, so of their nodes newer data is missing")
    told.extend(f"{known[end]:,} {end}" for end in ("superseded", "revoked") if known[end])
    return f"{'; '.join(told)} ('periplus agents list {quote(node['name'])}')"


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    facts, counts = node["facts"] or {}, node["counts"] or {}
    where = " ".join(facts.get(part) or "" for part in ("provider", "region")).strip()
    numbers = (counts.get(kind) for kind in ("nodes", "pods", "services"))
    return (
        node["name"],
        word(node["state"]),
        when(node["lastSeenAt"]),
        node["networkDomain"]["name"],
        where or "–",
        facts.get("kubernetesVersion") or "–",
        ", ".join(facts.get("cnis") or ()) or "–",
        *("?" if number is None else f"{number:,}" for number in numbers),
    )


@clusters.command("show")
def show_cluster(
    name: NameArgument, *, url: UrlOption = None, token_file: TokenFileOption = None, as_json: JsonOption = False
) -> None:
    """One cluster: facts, counts, its ranges, what its spoke could not read, and what the hub had to set aside."""
    with hub(url, token_file) as client:
        found = client.ask(queries.CLUSTER, {"id": find(client, name)["id"]})["cluster"]
        found["allocations"] = _ranges(client, found["id"])
    if as_json:
        tell_json(document(found))
        return
    console = standard_output()
    told = zip((*_COLUMNS, "spoke"), (*_row(found), found["spokeVersion"] or "–"), strict=True)
    for column, cell in (
        *told,
        ("missing", _missing(found)),
        ("why", why_pending(found)),
        ("copies", " ".join(copy_notes({found["name"]: found}))),
        ("clock", clock_note(found)),
        ("agents", agents_note(found)),
        ("flows", _flows(found)),
    ):
        if cell:
            print_labelled(Text(f"{column:<{_LABEL_WIDTH}}", style="dim"), Text(cell), console)
    _print_ranges(found["allocations"], console)
    _print_sources(found, console)
    _print_flow_sources(found, console)
    _print_quarantine(found, console)


def _ranges(client: HubClient, cluster: str) -> list[dict[str, Any]]:
    pages = queries.pages(client, queries.RANGES, "allocations", {"first": 100, "cluster": cluster})
    return [node for page in pages for node in page["nodes"]]


def _print_ranges(ranges: list[dict[str, Any]], console: Console) -> None:
    console.print(Text("ranges" if ranges else "ranges: none is known", style="dim"))
    for each in ranges[:_MAX_RANGES]:
        sure = f"({word(each['quality'])})"
        told = " ".join(
            dict.fromkeys(filter(None, (each["provider"], each["source"], each["name"], each["node"], sure)))
        )
        kind = Text(f"  {word(each['allocationKind']):<13}", style="bold")
        print_labelled(kind, Text(f"{each['cidr']:<20} {told}"), console)
    if len(ranges) > _MAX_RANGES:
        console.print(Text(f"  and {len(ranges) - _MAX_RANGES:,} more: --json has them all", style="dim"))


def _missing(node: dict[str, Any]) -> str:
    """What its addresses are not known whole without; empty when they are."""
    return ", ".join(each["source"] for each in node["missing"])


def _print_sources(found: dict[str, Any], console: Console) -> None:
    """What a cluster does not have is most of what a spoke knows to read: the names are enough."""
    console.print(Text("sources", style="dim"))
    missing = {each["source"] for each in found["missing"]}
    absent = [
        source["name"]
        for source in found["sources"]
        if (source["state"], source["reason"]) == _NOT_THERE and source["name"] not in missing
    ]
    for source in found["sources"]:
        if source["name"] not in absent:
            why = f" — {source['message']}. {source['remedy'] or ''}" if source["message"] else ""
            _print_source(source["state"].lower(), f"{source['name']}{why}", console)
    if absent:
        _print_source("absent", ", ".join(absent), console)


def _flows(found: dict[str, Any]) -> str:
    command = found["flowCommand"] or ""
    return " → ".join(filter(None, (flows_words(lines_of(found["flowSources"]), command), command)))


def _print_flow_sources(found: dict[str, Any], console: Console) -> None:
    """Those of which there is something to say; the others are not there, and nothing is known that would change it."""
    told = [each for each in lines_of(found["flowSources"]) if each.state != "absent" or each.why]
    if told:
        console.print(Text("sources of flows", style="dim"))
    for each in told:
        why = f" — {each.why}" if each.why else ""
        command = f" → {each.command}" if each.command else ""
        state = "chosen" if each.chosen else each.state
        _print_source(state, f"{' '.join(filter(None, (each.kind, each.where)))}{why}{command}", console)


def _print_source(state: str, text: str, console: Console) -> None:
    print_labelled(Text(f"  {state:<10}", style="bold"), Text(text), console)


def _print_quarantine(found: dict[str, Any], console: Console) -> None:
    entries, total = found["quarantine"]["nodes"], found["quarantine"]["totalCount"]
    if not entries:
        return
    shown = "" if total == len(entries) else f"; the newest {len(entries)} of {total}"
    console.print(Text(f"set aside (rows that broke the contract{shown})", style="dim"))
    for entry in entries:
        rows = f"{entry['rows']} row{'' if entry['rows'] == '1' else 's'} of {entry['section']}"
        rows += f" from node {entry['agent']['nodeName']}" if entry["agent"] else ""
        told = Text.assemble(f"{rows}: ", (entry["reason"], "bold"))
        print_labelled(Text(f"  {when(entry['at'])}  ", style="dim"), told, console)


@clusters.command("approve")
def approve(name: NameArgument, *, url: UrlOption = None, token_file: TokenFileOption = None) -> None:
    """Let a pending cluster send."""
    with hub(url, token_file) as client:
        result = queries.outcome(client.ask(APPROVE, {"cluster": find(client, name)["id"]}), "approveCluster")
    tell(f"{result['name']} is {word(result['state'])}, in network domain {result['networkDomain']['name']}")
    tell(f"  {result['id']}, kube-system uid {result['clusterUid']}")


@clusters.command("revoke")
def revoke(
    name: NameArgument, *, yes: YesOption = False, url: UrlOption = None, token_file: TokenFileOption = None
) -> None:
    """Shut a cluster out for good, within ten seconds. Asks first; to come back it has to join again."""
    with hub(url, token_file) as client:
        found = find(client, name)
        confirm(f"revoke cluster {found['name']} ({word(found['registration'])}, {found['id']})", is_sure=yes)
        result = queries.outcome(client.ask(REVOKE, {"cluster": found["id"]}), "revokeCluster")
    tell(f"{result['name']} is {word(result['state'])}")
