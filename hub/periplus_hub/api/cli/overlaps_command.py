"""`periplus overlaps`, the report, and what people do about it."""

from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.acceptances_command import accept, accepted, withdraw
from periplus_hub.api.cli.arguments import names_of, nothing_before
from periplus_hub.api.cli.clusters_command import find, find_each
from periplus_hub.api.cli.copies import copy_notes
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.fail_on import FailOnOption, leave
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.moves import with_moves
from periplus_hub.api.cli.queries import OverlapAsk
from periplus_hub.api.cli.report import Report, Severity
from periplus_hub.api.cli.try_command import printer
from periplus_hub.api.hub_client import HubClient

_ALL: Final = "all"
_TWO: Final = 2


overlaps = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
for command in (accept, accepted, withdraw):
    overlaps.command(command.__name__)(command)


@overlaps.callback()
def show_overlaps(
    context: typer.Context,
    *,
    joined: Annotated[
        list[str] | None,
        typer.Option(metavar="<names|all>", help="As if these clusters, a,b,c or all, were one network. Repeatable."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="<name>", help="Only overlaps of this cluster, with its own severities.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="<name>", help="Only overlaps with a cluster in this network domain.")
    ] = None,
    severity: Annotated[list[Severity] | None, typer.Option(help="Only this severity. Repeatable.")] = None,
    fail_on: FailOnOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """The overlap register: groups by severity, what each would break, what to do."""
    if context.invoked_subcommand is not None:
        nothing_before(context)
        return
    show = printer(as_json=as_json)
    with hub(url, token_file) as client:
        asked = {"cluster": cluster, "domain": domain, "severity": " or ".join(severity or ())}
        known = queries.clusters(client)
        join = None if joined is None else _joined(client, joined)
        ask = OverlapAsk(
            joined=None if join is None else tuple(each["id"] for each in join),
            cluster=None if cluster is None else find(client, cluster)["id"],
            domain=None if domain is None else find_domain(client, domain)["id"],
            severities=tuple(severity or ()),
        )
        words = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
        report = _report(client, ask, {each["name"]: each for each in join} if join else known, words)
    show(report)
    leave(report, fail_on)


def _report(client: HubClient, ask: OverlapAsk, known: dict[str, dict[str, Any]], words: str) -> Report:
    """Of the clusters that are looked at: all, or those asked about as joined. What is joined is computed anew."""
    lines = tuple(queries.cluster_line(name, "", node) for name, node in known.items())
    groups, as_of = queries.overlap_groups(client, ask, {each.name: each.network_domain for each in lines})
    groups = with_moves(client, groups, known)
    joined = ask.joined is not None
    doubt = "" if joined else queries.doubt(client)
    copies = copy_notes(known)
    return Report(clusters=lines, groups=groups, joined=joined, as_of=as_of, doubt=doubt, asked=words, copies=copies)


def _joined(client: HubClient, given: list[str]) -> list[dict[str, Any]]:
    """The clusters named, each once; empty is all."""
    if names_of(given) == [_ALL]:
        return []
    found = find_each(client, given)
    if len(found) < _TWO:
        fail(
            f"--joined {','.join(given)!r} names {'one cluster' if found else 'no cluster'}",
            "Name at least two, as in --joined a,b, or all: --joined all.",
        )
    return found
