"""`periplus preflight`: whether clusters can be joined, before anybody changes anything."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.api.cli.arguments import range_of
from periplus_hub.api.cli.clusters_command import find_each
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.junit import junit
from periplus_hub.api.cli.output import tell_json
from periplus_hub.api.cli.preflight_answer import ask_preflight
from periplus_hub.api.cli.preflight_text import print_preflight
from periplus_hub.api.cli.tables import standard_output

_ALL: Final = "all"
_EXITS: Final = {"fail": Exit.THRESHOLD, "unknown": Exit.FAILED, "pass": Exit.OK}
_KINDS: Final = {"pod": "pods", "service": "services", "node": "nodes", "loadbalancer": "loadBalancers"}
_DOMAIN: Final = "domain"
_EXAMPLE: Final = "Write it like 'shop-ap:pod=10.64.0.0/16,service=10.65.0.0/16,node=10.66.0.0/24'."

Into = StrEnum("Into", [(each.name, each.value) for each in FederationTarget] + [("ALL", _ALL)])  # type: ignore[misc]  # names follow from the targets


def preflight(
    *,
    into: Annotated[list[Into], typer.Option(help="How to join them. Repeatable; all is every way.")],
    cluster: Annotated[
        list[str] | None,
        typer.Option(metavar="<names>", help="The clusters to join, a,b,c. Repeatable. Default: all."),
    ] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<name:ranges>",
            help="And a cluster that is not built yet: 'name:domain=production,pod=10.64.0.0/16,service=…,node=…,"
            "loadbalancer=…', or its name only, for what is reserved for it. Repeatable.",
        ),
    ] = None,
    networks_entered: Annotated[
        bool,
        typer.Option(
            "--networks-entered",
            help="Say that all networks that are routed to these clusters are entered: 'periplus ranges'.",
        ),
    ] = False,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="<path>", help="Write a JUnit file too: a case for each rule.")
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether clusters can be joined: Cilium Cluster Mesh, Submariner, Istio and others, rule by rule.

    Exits with 0 if all asked for passes, with 2 if something fails, else with 1: something is not known.
    """
    planned = [planned_cluster(text) for text in plan or ()]
    with hub(url, token_file) as client:
        clusters = [str(node["id"]) for node in find_each(client, cluster)]
        if cluster and not clusters:
            fail("--cluster names no cluster", "Leave it out for all, or name some: --cluster a,b.", Exit.USAGE)
        for each in planned:
            if _DOMAIN in each:
                each[_DOMAIN] = find_domain(client, each[_DOMAIN])["id"]
        found = ask_preflight(client, targets(into), clusters or None, planned, networks_entered=networks_entered)
    write_junit(junit_file, found)
    if as_json:
        tell_json(found)
    else:
        print_preflight(found, standard_output())
    leave(found)


def targets(into: Sequence[Into]) -> list[FederationTarget] | None:
    """The ways asked for; None is all."""
    return None if Into(_ALL) in into else [FederationTarget(each.value) for each in into]


def leave(found: dict[str, Any]) -> None:
    """End the command as the verdict says."""
    if code := _EXITS[found["verdict"]]:
        raise typer.Exit(int(code))


def write_junit(path: Path | None, found: dict[str, Any]) -> None:
    """Where one was asked for."""
    if path is None:
        return
    try:
        path.write_bytes(junit(found))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", "Name a file that can, with --junit.")


def planned_cluster(text: str) -> dict[str, Any]:
    """What --plan says: a name, then kinds with a range each; a kind may come again. `domain` is as it was typed."""
    if text and "=" not in text:
        return {"name": text.removesuffix(":")}
    head, equals, tail = text.partition("=")
    name, _, kind = head.rpartition(":")  # the last one: names and IPv6 ranges have colons of their own
    if not name or not equals:
        fail(f"--plan {text!r} is no name with ranges", _EXAMPLE, Exit.USAGE)
    found: dict[str, Any] = {"name": name}
    for each in f"{kind}={tail}".split(","):
        kind, _, cidr = each.partition("=")
        if kind == _DOMAIN and cidr and _DOMAIN not in found:
            found[_DOMAIN] = cidr
            continue
        if kind not in _KINDS:
            fail(f"--plan {text!r}: {kind!r} is none of {', '.join([*_KINDS, _DOMAIN])}", _EXAMPLE, Exit.USAGE)
        found.setdefault(_KINDS[kind], []).append(range_of(cidr))
    return found
