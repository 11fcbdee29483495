"""How commands about flows are told what is meant, and how they name ends, ports and times."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say_labelled
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.clock import SystemClock

_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400}
_PROTOCOLS: Final = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}
_NUMBERS: Final = {name.upper(): number for number, name in _PROTOCOLS.items()}
_MOST_BACK: Final = 10_000
_LAST_PORT: Final = 65_535

SinceOption = Annotated[
    str, typer.Option(metavar="<time>", help="How far back: 30m, 24h or 7d, counted in whole hours.")
]
_STATES: Final = ("ACTIVE", "NEW", "SILENT", "UNKNOWN")
LEVELS: Final = ("WORKLOAD", "NAMESPACE", "CLUSTER")
END: Final = "<namespace/name@cluster>"
OfOption = Annotated[
    str | None,
    typer.Option(metavar=END, help="Only of this. Also namespace/name, namespace/@cluster, @cluster, name."),
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar=END, help="Only what this opens connections for, as --of takes it.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar=END, help="Only what this takes connections of, as --of takes it.")
]
PortOption = Annotated[
    str | None, typer.Option("--port", metavar="<port>", help="Only what went to this port: 443, tcp, udp/53.")
]
StateOption = Annotated[
    list[str] | None,
    typer.Option("--state", metavar="<state>", help="Only active, new, silent or unknown. Several times for several."),
]
DroppedOption = Annotated[bool, typer.Option("--dropped", help="Only what was dropped, as policies do.")]
CrossOption = Annotated[bool, typer.Option("--cross-cluster", help="Only those between two clusters that are known.")]
LevelOption = Annotated[str, typer.Option("--by", metavar="<level>", help="workload, namespace or cluster.")]


def end_filter(client: HubClient, option: str, text: str | None) -> dict[str, Any] | None:
    """What `--of`, `--from` and `--to` name, as the API takes it; leaves where it is nothing."""
    if text is None:
        return None
    place, at, cluster = text.partition("@")
    namespace, slash, name = ("", "", place) if _is_range(place) else place.rpartition("/")
    if not (namespace or name or cluster) or (at and not cluster):
        remedy = "Write it like shop/web@prod-1, shop/web, web, shop/@prod-1 or @prod-1."
        fail(f"{option} {text!r} names nothing", remedy, Exit.USAGE)
    return {
        "cluster": find(client, cluster)["id"] if cluster else None,
        "namespace": namespace if slash else None,
        "name": name or None,
    }


def _is_range(text: str) -> bool:
    """As the ends that are outside of all clusters are called; no namespace is called so."""
    try:
        return bool(ip_network(text))
    except ValueError:
        return False


def dependency_filter(
    client: HubClient, of: str | None, from_: str | None, to: str | None, narrowed: Mapping[str, Any]
) -> dict[str, Any]:
    """The API's filter: what `--of`, `--from` and `--to` name, and what it is `narrowed` to."""
    ends = (("either", "--of", of), ("source", "--from", from_), ("destination", "--to", to))
    return {**{member: end_filter(client, option, text) for member, option, text in ends}, **narrowed}


def narrowed_by(
    port: str | None, states: Sequence[str] | None, *, dropped: bool, cross_cluster: bool
) -> dict[str, Any]:
    """What `--port`, `--state`, `--dropped` and `--cross-cluster` say, as members of the API's filter."""
    found = [one_of("state", each, _STATES) for each in states or ()]
    verdicts = ["DROPPED"] if dropped else []
    return {"crossCluster": cross_cluster, "states": found, "verdicts": verdicts, **port_filter(port)}


def port_filter(text: str | None) -> dict[str, int]:
    """What `--port` names: a port, a protocol, or both."""
    if text is None:
        return {}
    first, slash, last = text.partition("/")
    given: dict[str, int] = {}
    for part in (first, last) if slash else (first,):
        if part.isdecimal() and int(part) <= _LAST_PORT:
            given["port"] = int(part)
        elif part.upper() in _NUMBERS:
            given["protocol"] = _NUMBERS[part.upper()]
        else:
            fail(f"--port {text!r} is no port", "Write it like 443, tcp, tcp/443 or udp/53.", Exit.USAGE)
    if slash and len(given) == 1:
        fail(f"--port {text!r} is no port", "Write it like 443, tcp, tcp/443 or udp/53.", Exit.USAGE)
    return given


def one_of(option: str, text: str, words: tuple[str, ...]) -> str:
    """The API's word that an option names; leaves where there is none."""
    found = text.upper().replace("-", "_")
    if found not in words:
        fail(f"there is no {option} {text!r}", f"Use one of {', '.join(map(word, words))}.", Exit.USAGE)
    return found


def since_ago(text: str) -> str:
    """The time that `--since` names."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal() or not 0 < int(number) <= _MOST_BACK:
        fail(f"--since {text!r} is no time", "Write it like 30m, 24h or 7d.", Exit.USAGE)
    return (SystemClock().now() - timedelta(seconds=int(number) * _UNITS[unit])).isoformat()


def named_end(end: dict[str, Any]) -> str:
    """As `--of` takes it, where it is in a cluster."""
    place = f"{end['namespace']}/{end['name']}" if end["namespace"] else end["name"]
    if end["cluster"] is None:
        return f"{end['kind']} {place}".strip()
    named = f"{word(end['kind'])} {place}" if end["kind"] in {"Node", "other"} else place
    return f"{named}@{end['cluster']['name']}"


def with_verdict(verdict: str, state: str) -> str:
    """The state of a dependency, behind what became of what was sent where it was not simply forwarded."""
    return state if verdict in {"FORWARDED", "UNKNOWN"} else f"{word(verdict)}, {state}"


def named_port(port: dict[str, Any]) -> str:
    """As `TCP 443`."""
    protocol = _PROTOCOLS.get(port["protocol"], f"protocol {port['protocol']}")
    return f"{protocol} {port['port']}" if port["port"] else protocol


def at_least(value: str | float | None, *, is_part_unmeasured: bool) -> str:
    """A sum, with `+` where some of what it is made of could not be measured."""
    return number(value) + ("+" if is_part_unmeasured and value is not None else "")


def tell_part(are_part_unmeasured: Iterable[bool]) -> None:
    """What `+` means, where a sum has one."""
    if any(are_part_unmeasured):
        say_labelled("note", "+ is at least: some of it could not be measured")


def number(value: str | float | None) -> str:
    """Unknown is not zero."""
    return "unknown" if value is None else str(value)
