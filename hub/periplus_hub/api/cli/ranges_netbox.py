"""`periplus ranges import-netbox`: the prefixes of a NetBox as entered ranges. The group is in `ranges_group`."""

import asyncio
import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_contract.text import visible
from periplus_hub.addresses.ranges.engine.csv_text import write_csv
from periplus_hub.addresses.ranges.engine.rules import USES, Broken, range_of
from periplus_hub.addresses.ranges.model import MAX_NAME, MAX_OWNER, RangeUse
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.domains_command import find_domain
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.netbox import NetBoxPrefix, outbound, read_prefixes
from periplus_hub.api.cli.output import say_labelled, tell
from periplus_hub.api.cli.ranges_command import REMOVE, all_ranges
from periplus_hub.api.cli.ranges_files import import_text, tell_changes
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.errors import Refusal

_SHOWN: Final = 20
_BY_STATUS: Final = {"container": RangeUse.VPC, "reserved": RangeUse.RESERVED}
Row = tuple[str, ...]


def import_netbox(
    netbox: Annotated[str, typer.Argument(metavar="NETBOX", help="Its address, as https://netbox.example.org.")],
    *,
    vrf: Annotated[
        list[str] | None, typer.Option(help="VRF=DOMAIN: the network domain of a VRF; may be repeated.")
    ] = None,
    no_vrf: Annotated[str | None, typer.Option(help="The network domain of prefixes without a VRF.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only prefixes with this status; may be repeated.")] = None,
    use: Annotated[
        str, typer.Option(help=f"What prefixes are for whose role and status do not say so: {USES}.")
    ] = "subnet",
    netbox_token_file: Annotated[
        Path | None, typer.Option(help="File with NetBox's token. Default: PERIPLUS_NETBOX_TOKEN.")
    ] = None,
    netbox_ca_file: Annotated[
        Path | None, typer.Option(help="The authority of NetBox's certificate, in a file.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Enter the ranges; without it, only say what would change.")
    ] = False,
    remove_vanished: Annotated[
        bool, typer.Option(help="With --apply, also remove what this NetBox does not have any more.")
    ] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Enter the prefixes of a NetBox, as often as you like: what is there just so stays, and what vanished is named.

    Ends with 1 where prefixes that were asked for cannot be entered; all others are.
    """
    if use not in set(RangeUse):
        fail(f"--use {use!r} is none of {USES}", code=Exit.USAGE)
    homes = _homes(vrf or [], no_vrf)
    origin = netbox.rstrip("/").removesuffix("/api")
    prefixes = _read(origin, _token(netbox_token_file), netbox_ca_file, status or [])
    with hub(url, token_file) as client:
        names = {vrf_name: find_domain(client, domain)["name"] for vrf_name, domain in homes.items()}
        rows, refused = _rows(prefixes, names, origin, use)
        known = [
            each for each in all_ranges(client, None) if (each["rangeSource"], each["origin"]) == ("NETBOX", origin)
        ]
        how = {"source": "NETBOX", "origin": origin, "apply": apply}
        done = _imported(client, write_csv(rows), how)
        vanished = _vanished(known, rows, set(names.values()))
        tell_changes(done)
        _tell_vanished(client, vanished, remove=apply and remove_vanished)
    if refused:
        told = f"{refused:,} {'prefix' if refused == 1 else 'prefixes'} of {origin} cannot be entered"
        fail(told, "Each is named above, with what is wrong. Correct them in NetBox, or narrow with --status or --vrf.")


def _homes(vrfs: Sequence[str], no_vrf: str | None) -> dict[str, str]:
    homes = {} if no_vrf is None else {"": no_vrf}
    for each in vrfs:
        name, divider, domain = each.rpartition("=")
        if not divider or not name or not domain:
            fail(f"--vrf {each!r} is not VRF=DOMAIN", "Write one like --vrf production=vpc.", Exit.USAGE)
        homes[name] = domain
    if not homes:
        fail(
            "nothing says which network domain prefixes are in",
            "Give --vrf VRF=DOMAIN, --no-vrf DOMAIN, or both.",
            Exit.USAGE,
        )
    return homes


def _token(file: Path | None) -> str:
    try:
        text = os.environ.get("PERIPLUS_NETBOX_TOKEN", "") if file is None else file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        fail(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}",
            "Check --netbox-token-file.",
        )
    token = text.strip()
    if not token or not token.isprintable():
        fail("there is no token for NetBox", "Set PERIPLUS_NETBOX_TOKEN or give --netbox-token-file.")
    return token


def _read(origin: str, token: str, ca_file: Path | None, statuses: Sequence[str]) -> list[NetBoxPrefix]:
    try:
        trust = ssl.create_default_context(cafile=ca_file)
        return asyncio.run(read_prefixes(outbound(trust), origin, token, statuses))
    except Refusal as refusal:
        fail(refusal.message, refusal.remedy)
    except OSError as error:
        fail(f"{ca_file} cannot be used: {error.strerror or error}", "Check --netbox-ca-file.")


def _rows(prefixes: Iterable[NetBoxPrefix], homes: Mapping[str, str], origin: str, use: str) -> tuple[list[Row], int]:
    """One for each prefix that can be entered, and how many cannot; those are named, and so are VRFs left out."""
    rows: list[Row] = []
    refused = 0
    unmapped: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    for each in prefixes:
        if each.vrf not in homes:
            unmapped[each.vrf] = unmapped.get(each.vrf, 0) + 1
            continue
        prefix, domain = range_of(each.cidr), homes[each.vrf]
        if isinstance(prefix, Broken):
            refused += 1
            say_labelled("not taken", f"{each.cidr}: {prefix.message}")
        elif (str(prefix), domain) in seen:
            say_labelled("not taken", f"{each.cidr}: it is there twice for {domain}")
        else:
            seen.add((str(prefix), domain))
            link = f"{origin}/ipam/prefixes/{each.number}/"
            texts = (_plain(each.description, MAX_NAME), _plain(each.tenant, MAX_OWNER), link)
            rows.append((str(prefix), domain, _use_of(each, use), *texts, ""))
    for vrf, count in unmapped.items():
        told, option = (f"of VRF {vrf!r}", f"--vrf '{vrf}=DOMAIN'") if vrf else ("without a VRF", "--no-vrf DOMAIN")
        say_labelled("not taken", f"{count:,} prefixes {told}: give {option}")
    return rows, refused


def _use_of(prefix: NetBoxPrefix, use: str) -> str:
    return prefix.role if prefix.role in set(RangeUse) else _BY_STATUS.get(prefix.status, RangeUse(use)).value


def _plain(text: str, longest: int) -> str:
    """One line of what can be seen."""
    return "".join(character if visible(character) == character else " " for character in text)[:longest].strip()


def _imported(client: HubClient, text: str, how: dict[str, Any]) -> dict[str, Any]:
    done = import_text(client, text, how)
    if done["troubles"]:
        first = done["troubles"][0]
        cidr = text.splitlines()[first["line"] - 1].partition(",")[0]
        fail(f"{cidr}: {first['message']}", first["remedy"])
    return done


def _vanished(known: Iterable[dict[str, Any]], rows: Iterable[Row], domains: set[str]) -> list[dict[str, Any]]:
    """What this NetBox named before for these domains, and does not name now."""
    named = {(row[0], row[1]) for row in rows}
    return [
        each
        for each in known
        if each["networkDomain"]["name"] in domains and (each["cidr"], each["networkDomain"]["name"]) not in named
    ]


def _tell_vanished(client: HubClient, vanished: Sequence[dict[str, Any]], *, remove: bool) -> None:
    for each in vanished:
        if remove:
            queries.outcome(client.ask(REMOVE, {"range": each["id"]}), "removeRange")
    for each in vanished[:_SHOWN]:
        tell(f"- {each['cidr']} in {each['networkDomain']['name']}")
    if vanished:
        end = "are removed" if remove else "are not in NetBox any more, and stay: say --apply --remove-vanished"
        tell(f"{len(vanished):,} {end}")
