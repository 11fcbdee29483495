"""`periplus plan`: free ranges for clusters, and reserving them. The commands about reservations are beside it."""

from typing import Annotated, Any, Final

import typer

from periplus_contract.names import is_id
from periplus_hub.addresses.free.model import MAX_COUNT
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.arguments import days_of, names_of, nothing_before
from periplus_hub.api.cli.clusters_command import find_each
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.moves import PLAN
from periplus_hub.api.cli.output import say_labelled, tell_json
from periplus_hub.api.cli.reservations_command import release, reserved
from periplus_hub.api.cli.reserving import USUAL_DAYS, Wish, reserve_proposals
from periplus_hub.api.cli.rich_text import Text
from periplus_hub.api.cli.tables import print_table, standard_output, when
from periplus_hub.api.hub_client import HubClient

_COLUMNS: Final = ("cluster", "for", "range", "reserved until", "size follows from")
_SIZES: Final = (
    "Say how large it will be: --nodes, and --services; --pods where they need more than their nodes' blocks."
)
_LOOK: Final = "Look at 'periplus clusters list'; what is missing there may be in use."

plan = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
for command in (reserved, release):
    plan.command(command.__name__)(command)


def _count(things: str) -> object:
    return typer.Option(min=0, max=MAX_COUNT, help=f"Each has so many {things}. Default: as now.")


@plan.callback()
def plan_ranges(
    context: typer.Context,
    *,
    cluster: Annotated[
        list[str] | None,
        typer.Option(metavar="<names>", help="For these clusters, a,b, there already or not. Repeatable."),
    ] = None,
    nodes: Annotated[int | None, _count("nodes")] = None,
    pods: Annotated[int | None, _count("pods")] = None,
    services: Annotated[int | None, _count("services")] = None,
    growth: Annotated[float, typer.Option(min=1, max=100, help="How many times that there must be room for.")] = 2,
    domain: Annotated[
        str | None, typer.Option(metavar="<name>", help="The network domain that clusters not there yet will be in.")
    ] = None,
    reserve: Annotated[bool, typer.Option("--reserve", help="Take the ranges: no later plan proposes them.")] = False,
    expires: Annotated[
        str | None, typer.Option(metavar="<days>", help=f"With --reserve: for how long. Default: {USUAL_DAYS}d.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="With --reserve: why.")] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Free ranges for the pods, services and nodes of clusters: apart from each other and from all that is in use.

    With --reserve again, what a cluster has reserved stays as it is, but for what --expires and --reason say.
    """
    if context.invoked_subcommand is not None:
        nothing_before(context)
        return
    names = names_of(cluster)
    if not names:
        fail("for which cluster?", "Name one, there already or not: --cluster shop-ap.", Exit.USAGE)
    if not reserve and (expires, reason) != (None, None):
        fail("--expires and --reason are of reservations", "Say --reserve too, or leave them out.", Exit.USAGE)
    wish = Wish(None if expires is None else days_of("--expires", expires), reason)
    with hub(url, token_file) as client:
        asked = _asked(client, names, sized=nodes is not None or pods is not None or services is not None)
        if domain is not None:
            asked["domain"] = find_domain(client, domain)["id"]
        sizes = {"nodes": nodes, "pods": pods, "services": services, "growth": f"{growth:g}"}
        found = client.ask(PLAN, asked | sizes)["plan"]
        done = reserve and all(each["cidr"] for each in found["proposals"])
        notes = reserve_proposals(client, found["proposals"], wish) if done else []
    _show(found, as_json=as_json)
    for note in notes:
        say_labelled("note", note)
    _leave(found, reserve=reserve)


def _asked(client: HubClient, names: list[str], *, sized: bool) -> dict[str, Any]:
    """Who is there, by id, and who is not yet; leaves for one that is not there and has no size."""
    live = queries.clusters(client)
    there = [name for name in names if is_id(name) or name in live]
    new = [name for name in names if name not in there]
    if new and not sized:
        fail(f"there is no cluster {new[0]!r}", f"See 'periplus clusters list'. {_SIZES}")
    return {"clusters": [each["id"] for each in find_each(client, there)], "newClusters": new}


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
    """0 is said only of ranges that nobody can be using unseen, reserved or not."""
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
        are = "are reserved, and" if reserve else "are"
        fail(f"these ranges {are} free of what is known; not known of: {names}", _LOOK)
