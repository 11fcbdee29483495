"""`periplus explain-address`: why flows take an address for whose it is."""

from typing import Annotated, Any, Final, NoReturn

import typer

from periplus_hub.api.cli.arguments import address_of, time_of
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, say_more, tell, tell_json
from periplus_hub.api.cli.report import minute
from periplus_hub.api.cli.tables import when
from periplus_hub.kit.some_names import some

EXPLANATION: Final = """
query ExplainAddress($ip: IpAddress!, $at: DateTime, $cluster: ID) {
  explainAddress(ip: $ip, at: $at, cluster: $cluster) {
    at viewCount notKnownWhole { names count }
    views {
      cluster { id name } networkDomain { id name }
      owner { ...End } rule candidates { ...End }
      ranks { rule outcome owners { ...End } }
      holders { owner { ...End } layer validFrom validTo rule outcome } holderCount
    }
  }
}
fragment End on FlowEnd { cluster { id name } namespace kind name }
"""
_RANKS: Final = ("lookup", "outcome", "found")
_HOLDERS: Final = ("has it", "as", "since", "until", "lookup", "why it is the answer, or is not")
_OUTCOMES: Final = {
    "DECIDED": "decides",
    "AMBIGUOUS": "decides: several, nobody guesses",
    "OUTRANKED": "an earlier one decided",
    "NOBODY": "nobody",
    "NOT_CONNECTED": "no such network is connected",
    "NOT_PUBLIC": "only for public addresses",
}
_REASONS: Final = {
    "DECIDED": "the lookup that decided finds it",
    "OUTRANKED": "an earlier lookup decided",
    "OTHER_TIME": "had it at another minute of the hour",
    "OTHER_CLUSTER": "it means something in its own cluster only",
    "BEHIND_NAT": "a pod behind NAT does not show",
    "NOT_CONNECTED": "its network domain is not connected with this one",
    "NOT_MEMBER": "its cluster was no member then",
}

_UNFOUND: Final = ("unknown", "outside")
"""Rules by which it is of nobody known."""


def explain_address(
    ip: Annotated[str, typer.Argument(help="The address.")],
    *,
    at: Annotated[
        str | None, typer.Option(metavar="<time>", help="Time in ISO 8601; UTC unless it has an offset. Default: now.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="<name>", help="As seen from this cluster. Default: from every network domain."),
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why flows take an address for whose it is: every lookup in order, and why others that have it are not the answer.

    These are the rules that dependencies are made with. Who has an address, with node, zone and ranges around it, is
    'periplus address'.
    """
    wanted, when_asked = address_of(ip), None if at is None else time_of("--at", at)
    with hub(url, token_file) as client:
        viewer = None if cluster is None else find(client, cluster)["id"]
        asked = {"ip": wanted, "at": when_asked, "cluster": viewer}
        found = client.ask(EXPLANATION, asked)["explainAddress"]
    unread = found["notKnownWhole"]
    if as_json:
        tell_json(document(found | {"notKnownWhole": unread["names"], "notKnownWholeCount": unread["count"]}))
    if not found["views"]:
        _nobody_looks(found["at"], is_told=as_json)
    if as_json:
        return
    tell(f"{wanted} at {minute(found['at'])}")
    for view in found["views"]:
        _show(view)
    say_more(found["viewCount"], len(found["views"]), "more are not shown; name one with --cluster")
    if unread["count"] and any(view["rule"] in _UNFOUND for view in found["views"]):
        names = some(unread["names"]) + (" and others" if unread["count"] > len(unread["names"]) else "")
        say_labelled("note", f"what has it may be of a cluster that is not known whole: {names}")


def _nobody_looks(at: str, *, is_told: bool) -> NoReturn:
    """An address means something to a member of the fleet only."""
    if is_told:
        raise typer.Exit(int(Exit.FAILED))
    fail(f"no cluster was a member of the fleet at {minute(at)}", "Ask for a time at which there was one.")


def _show(view: dict[str, Any]) -> None:
    domain = "a domain that is gone" if view["networkDomain"] is None else view["networkDomain"]["name"]
    viewer = f"any cluster of {domain}" if view["cluster"] is None else f"{view['cluster']['name']} in {domain}"
    tell()
    tell(f"seen from {viewer}: {_named(view['owner'])} ({view['rule']})", bold=True)
    for each in view["candidates"]:
        tell(f"  it may be {_named(each)}")
    ranks: list[tuple[str, ...]] = [
        (each["rule"], _OUTCOMES[each["outcome"]], ", ".join(map(_named, each["owners"]))) for each in view["ranks"]
    ]
    Listing(_RANKS, ranks, [], "").show(as_json=False)
    holders: list[tuple[str, ...]] = [
        (
            _named(each["owner"]),
            each["layer"],
            when(each["validFrom"]),
            when(each["validTo"], "now"),
            each["rule"] or "none",
            _REASONS[each["outcome"]],
        )
        for each in view["holders"]
    ]
    Listing(_HOLDERS, holders, [], "Nothing known had it in this hour.").show(as_json=False)
    say_more(view["holderCount"], len(holders), "more that had it are not shown")


def _named(end: dict[str, Any]) -> str:
    place = "/".join(filter(None, (end["namespace"], end["name"])))
    kind = word(end["kind"])
    return f"{kind} {place}" if end["cluster"] is None else f"{kind} {place}@{end['cluster']['name']}"
