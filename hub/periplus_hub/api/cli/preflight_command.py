"""`periplus preflight`: whether clusters can be joined, before anybody changes anything."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.api.cli.arguments import range_of
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.junit import junit
from periplus_hub.api.cli.output import tell_json
from periplus_hub.api.cli.preflight_answer import ask_preflight
from periplus_hub.api.cli.preflight_text import print_preflight
from periplus_hub.api.cli.tables import standard_output

_ALL: Final = "all"
_EXITS: Final = {"fail": Exit.THRESHOLD, "unknown": Exit.FAILED, "pass": Exit.OK}
_KINDS: Final = {"pod": "pods", "service": "services", "node": "nodes"}
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
            help="And a cluster that is not built yet: 'name:pod=10.64.0.0/16,service=…,node=…'. Repeatable.",
        ),
    ] = None,
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
        names = [name for text in cluster or () for name in text.split(",") if name]
        clusters = [str(find(client, name)["id"]) for name in names]
        if cluster and not clusters:
            fail("--cluster names no cluster", "Leave it out for all, or name some: --cluster a,b.", Exit.USAGE)
        found = ask_preflight(client, targets(into), clusters or None, planned)
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
        path.write_bytes(junit(found["ways"]))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", "Name a file that can, with --junit.")


def planned_cluster(text: str) -> dict[str, Any]:
    """What --plan says: a name, then kinds with a range each; a kind may come again."""
    head, equals, tail = text.partition("=")
    name, _, kind = head.rpartition(":")  # the last one: names and IPv6 ranges have colons of their own
    if not name or not equals:
        fail(f"--plan {text!r} is no name with ranges", _EXAMPLE, Exit.USAGE)
    found: dict[str, Any] = {"name": name}
    for each in f"{kind}={tail}".split(","):
        kind, _, cidr = each.partition("=")
        if kind not in _KINDS:
            fail(f"--plan {text!r}: {kind!r} is none of {', '.join(_KINDS)}", _EXAMPLE, Exit.USAGE)
        found.setdefault(_KINDS[kind], []).append(range_of(cidr))
    return found
