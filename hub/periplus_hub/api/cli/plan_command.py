"""`periplus plan`: free ranges for clusters, and reserving them. The commands about reservations are beside it."""

from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from periplus_contract.names import is_id
from periplus_hub.addresses.free.model import MAX_COUNT
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import days_of
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.moves import PLAN
from periplus_hub.api.cli.output import tell_json
from periplus_hub.api.cli.reservations_command import release, reserved
from periplus_hub.api.cli.rich_text import Text
from periplus_hub.api.cli.tables import print_table, standard_output, when
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.clock import SystemClock

RESERVE: Final = """
mutation Reserve(
  $cidr: Cidr!, $kind: AllocationKind!, $cluster: String!, $reason: String!, $until: DateTime!
) {
  reserveRange(input: {cidr: $cidr, kind: $kind, clusterName: $cluster, reason: $reason, expiresAt: $until}) {
    __typename
    ... on RangeReservation { id expiresAt }
    ... on Problem { message remedy }
  }
}
"""
_COLUMNS: Final = ("cluster", "for", "range", "reserved until", "size follows from")
_SIZES: Final = (
    "Say how large it will be: --nodes, and --services; --pods where they need more than their nodes' blocks."
)
_LOOK: Final = "Look at 'periplus clusters list'; what is missing there may be in use."

plan = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
for command in (reserved, release):
    plan.command(command.__name__)(command)


@plan.callback()
def plan_ranges(
    context: typer.Context,
    *,
    cluster: Annotated[
        list[str] | None,
        typer.Option(metavar="<name>", help="For this cluster, or one that is not there yet. Repeatable."),
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=0, max=MAX_COUNT, help="Each has so many nodes. Default: as now.")
    ] = None,
    pods: Annotated[
        int | None, typer.Option(min=0, max=MAX_COUNT, help="Each has so many pods. Default: as now.")
    ] = None,
    services: Annotated[
        int | None, typer.Option(min=0, max=MAX_COUNT, help="Each has so many services. Default: as now.")
    ] = None,
    growth: Annotated[float, typer.Option(min=1, max=100, help="How many times that there must be room for.")] = 2,
    reserve: Annotated[bool, typer.Option("--reserve", help="Take the ranges: no later plan proposes them.")] = False,
    expires: Annotated[str, typer.Option(metavar="<days>", help="With --reserve: for how long, like 30d.")] = "30d",
    reason: Annotated[str, typer.Option(help="With --reserve: why.")] = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Free ranges for the pods, services and nodes of clusters: apart from each other and from all that is in use."""
    if context.invoked_subcommand is not None:
        return
    if not cluster:
        fail("for which cluster?", "Name one, there already or not: --cluster shop-ap.", Exit.USAGE)
    lasting = days_of("--expires", expires)
    with hub(url, token_file) as client:
        asked = _asked(client, cluster, sized=nodes is not None or pods is not None or services is not None)
        sizes = {"nodes": nodes, "pods": pods, "services": services, "growth": f"{growth:g}"}
        found = client.ask(PLAN, asked | sizes)["plan"]
        if reserve and all(each["cidr"] for each in found["proposals"]):
            _reserve(client, found["proposals"], lasting, reason)
    _show(found, as_json=as_json)
    _leave(found, reserve=reserve)


def _asked(client: HubClient, names: list[str], *, sized: bool) -> dict[str, list[str]]:
    """Who is there, by id, and who is not yet; leaves for one that is not there and has no size."""
    live = queries.clusters(client)
    there = [name for name in names if is_id(name) or name in live]
    new = [name for name in names if name not in there]
    if new and not sized:
        fail(f"there is no cluster {new[0]!r}", f"See 'periplus clusters list'. {_SIZES}")
    return {"clusters": [find(client, name)["id"] for name in there], "newClusters": new}


def _reserve(client: HubClient, proposals: list[dict[str, Any]], lasting: timedelta, reason: str) -> None:
    """Each that is not the cluster's already; a refusal ends the command, and names who was quicker."""
    until = (SystemClock().now() + lasting).isoformat()
    for each in proposals:
        if each["reservation"] is None:
            wish = {"cidr": each["cidr"], "kind": each["allocationKind"], "cluster": each["clusterName"]}
            data = client.ask(RESERVE, wish | {"reason": reason, "until": until})
            made = queries.outcome(data, "reserveRange")
            each["reservation"] = {"id": made["id"], "expiresAt": made["expiresAt"]}


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        tell_json(document(found))
        return
    print_table(_COLUMNS, [tuple(map(Text, _row(each))) for each in found["proposals"]], standard_output())


def _row(proposal: dict[str, Any]) -> tuple[str, ...]:
    reservation = proposal["reservation"]
    return (
        proposal["clusterName"],
        f"{word(proposal['allocationKind'])}s",
        proposal["cidr"] or "none",
        when(reservation["expiresAt"]) if reservation else "–",
        proposal["why"],
    )


def _leave(found: dict[str, Any], *, reserve: bool) -> None:
    """0 is said only of ranges that nobody can be using unseen."""
    without = [each for each in found["proposals"] if not each["cidr"]]
    if without:
        first = without[0]
        whose = f"the {word(first['allocationKind'])}s of {first['clusterName']}"
        nothing = "; nothing was reserved" if reserve else ""
        unsized = "not known" in first["why"]
        fail(
            f"no range for {whose}: {first['why']}{nothing}",
            _SIZES if unsized else "Ask for less, or with less growth.",
        )
    unknown = found["notKnownOf"]
    if unknown["count"]:
        more = unknown["count"] - len(unknown["names"])
        names = ", ".join(unknown["names"]) + (f" and {more:,} more" if more else "")
        fail(f"these ranges are free of what is known; not known of: {names}", _LOOK)
