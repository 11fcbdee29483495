"""`periplus costs`: what traffic costs, by team, workload, pair or path class, and what each number is made of."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.arguments import time_of
from periplus_hub.api.cli.coverage_command import KNOWN, tell_coverage
from periplus_hub.api.cli.dependencies_words import one_of
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import document, word
from periplus_hub.api.cli.output import say_labelled, say_more, tell, tell_json

COSTS: Final = (
    KNOWN
    + """
query Costs($first: Int!, $by: CostGrouping!, $policy: CostPolicy!, $since: DateTime, $until: DateTime) {
  costs(first: $first, by: $by, policy: $policy, since: $since, until: $until) {
    total currency basis since until groupCount bytesWithoutPrice books
    groups {
      cost isPartUnmeasured team pathClass
      initiator { cluster { id name } namespace kind name region }
      acceptor { cluster { id name } namespace kind name region }
      lines {
        pathClass sku provider meter tier bytes quantity unit unitBytes unitPrice cost source isVerified book bookLine
      }
      withoutPrice { pathClass provider why bytes }
    }
    coverage { ...Known }
  }
}
"""
)
_GROUPINGS: Final = (
    *("TEAM", "CLUSTER", "NAMESPACE", "WORKLOAD", "CLUSTER_PAIR", "SERVICE_PAIR", "PATH_CLASS", "REGION_PAIR"),
)
_POLICIES: Final = ("ENDPOINT_OWNER", "INITIATOR_PAYS", "SENDER_PAYS")
_CENT: Final = Decimal("0.01")
_LEAST: Final = Decimal("0.0001")
_GIB: Final = 2**30
_PLACES: Final = 9
"""That are shown of a quantity."""
_PAIRS: Final = ("CLUSTER_PAIR", "SERVICE_PAIR", "REGION_PAIR")


def costs(
    *,
    by: Annotated[
        str,
        typer.Option(
            metavar="<grouping>",
            help="team, cluster, namespace, workload, cluster-pair, service-pair, path-class or region-pair.",
        ),
    ] = "team",
    policy: Annotated[
        str, typer.Option(metavar="<policy>", help="Who pays: endpoint-owner, initiator-pays or sender-pays.")
    ] = "endpoint-owner",
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="<time>",
            help="From this hour on, as 2026-11-01T00:00:00Z. Default: of this UTC month.",
        ),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="<time>", help="Until then. Default: now.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also what each cost is made of.")] = False,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many groups at most.")] = 100,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """What traffic costs by the price books: an estimate, with what has no price beside it."""
    grouping = one_of("grouping", by, _GROUPINGS)
    asked = {
        "first": first,
        "by": grouping,
        "policy": one_of("policy", policy, _POLICIES),
        "since": None if since is None else time_of("--from", since),
        "until": None if until is None else time_of("--to", until),
    }
    with hub(url, token_file) as client:
        found = client.ask(COSTS, asked)["costs"]
    if as_json:
        tell_json(document(found))
        return
    _tell(found, grouping, explain=explain)


def _tell(found: dict[str, Any], grouping: str, *, explain: bool) -> None:
    rows = [_row(each, grouping) for each in found["groups"]]
    names = ("from", "to") if grouping in _PAIRS else (word(grouping),)
    columns = (*names, f"cost in {found['currency']}", "GiB priced", "GiB without a price")
    Listing(columns, rows, [], "No traffic is known in that time.", numbers=3).show(as_json=False)
    say_more(found["groupCount"], len(rows))
    if explain:
        for each in found["groups"]:
            _explain(each, grouping, found["currency"])
    least = "at least " if int(found["bytesWithoutPrice"]) or any(_is_partial(each) for each in found["groups"]) else ""
    books = ", ".join(found["books"]) or "no price book"
    tell()
    tell(f"total: {least}{_cents(found['total'])} {found['currency']}, an estimate by {books}")
    if int(found["bytesWithoutPrice"]):
        text = f"{_gib(found['bytesWithoutPrice'])} GiB have no price that is known: they are not free"
        say_labelled("note", f"{text}. --by path-class --explain says why")
    tell_coverage(found["coverage"])


def _row(group: dict[str, Any], grouping: str) -> tuple[str, ...]:
    bytes_ = _measured_once(group)
    without = sum(int(each["bytes"]) for each in group["withoutPrice"])
    mark = "+" if _is_partial(group) else ""
    return (*_names(group, grouping), f"{_cents(group['cost'])}{mark}", _gib(bytes_), _gib(without))


def _is_partial(group: dict[str, Any]) -> bool:
    return bool(group["isPartUnmeasured"] or group["withoutPrice"])


def _measured_once(group: dict[str, Any]) -> int:
    """The bytes of its legs: what two legs are charged for counts twice, as it is paid."""
    return sum(int(each["bytes"]) for each in group["lines"])


def _names(group: dict[str, Any], grouping: str) -> tuple[str, ...]:
    if grouping == "TEAM":
        return (str(group["team"]),)
    if grouping == "PATH_CLASS":
        return (word(group["pathClass"]),)
    ends = ("initiator", "acceptor") if grouping in _PAIRS else ("initiator",)
    return tuple(_end(group[each]) for each in ends)


def _end(end: dict[str, Any]) -> str:
    if end["region"]:
        return str(end["region"])
    name = "/".join(each for each in (end["namespace"], end["name"]) if each)
    if end["cluster"]:
        return f"{name}@{end['cluster']['name']}" if name else str(end["cluster"]["name"])
    return " ".join(each for each in (end["kind"] or "unknown", name) if each)


def _explain(group: dict[str, Any], grouping: str, currency: str) -> None:
    tell()
    tell(f"{' -> '.join(_names(group, grouping))}: {_cents(group['cost'])} {currency}", bold=True)
    for line in group["lines"]:
        tier = "free allowance" if line["tier"] == 0 else f"tier {line['tier']}"
        checked = "" if line["isVerified"] else ", not verified"
        tell(
            f"  {word(line['pathClass'])}, {line['provider']} {line['sku']} at the {line['meter']}, {tier}: "
            f"{int(line['bytes']):,} bytes / {int(line['unitBytes']):,} = {_short(line['quantity'])} {line['unit']} "
            f"x {line['unitPrice']} = {_short(line['cost'])} {currency}"
        )
        tell(f"    {line['source']} ({line['book']}, line {line['bookLine']}{checked})")
    for each in group["withoutPrice"]:
        of = f" of {each['provider']}" if each["provider"] else ""
        tell(f"  {word(each['pathClass'])}{of}: {int(each['bytes']):,} bytes without a price: {each['why']}")


def _short(text: str) -> str:
    """To nine places, where it has more."""
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_PLACES:
        return f"{number.quantize(Decimal(1).scaleb(-_PLACES), ROUND_HALF_EVEN):f}..."
    return f"{number:f}"


def _cents(text: str) -> str:
    """To the cent; of less than a cent the first digits."""
    number = Decimal(text)
    if 0 < abs(number) < _CENT:
        return f"{number:.2g}" if abs(number) >= _LEAST else f"under {_LEAST}"
    return f"{number.quantize(_CENT, ROUND_HALF_EVEN):,}"


def _gib(number: int | str) -> str:
    return f"{(Decimal(number) / _GIB).quantize(_CENT, ROUND_HALF_EVEN):,}"
