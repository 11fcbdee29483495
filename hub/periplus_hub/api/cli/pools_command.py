"""`periplus pools`: how full pools, nodes, namespaces and teams are, and what is short first."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from periplus_hub.addresses.ipam.model import FULL_PPM, PoolScope
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say_labelled
from periplus_hub.api.cli.report import counted
from periplus_hub.api.hub_client import HubClient
from periplus_hub.kit.some_names import some

POOLS: Final = """
query Pools($first: Int!, $after: String, $cluster: ID, $scopes: [PoolScope!]) {
  pools(
    first: $first, after: $after, cluster: $cluster, scopes: $scopes, orderBy: {field: TAKEN, direction: DESC}
  ) {
    nodes {
      provider name family scope node cidrs taken fill limitedBy capacity assigned used reserved cooling leaked
      borrowed unusable idle unaccounted free largestFreeBlock fragmented contradictions evidence source quality
      observedAt
      cluster { id name }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
USE: Final = """
query PoolUse($first: Int!, $after: String, $cluster: ID, $by: PoolUseBy!) {
  poolUse(by: $by, first: $first, after: $after, cluster: $cluster) {
    nodes {
      name taken limitedBy pods podsAllocatable ipv4Addresses ipv6Addresses capacity free share cluster { id name }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_COLUMNS: Final = ("pool", "cluster", "scope", "short of", "taken", "free", "capacity")
_NODE_COLUMNS: Final = ("node", "cluster", "short of", "taken", "pods", "pods at most", "addresses free")
_COLUMNS_OF: Final = ("cluster", "pods", "IPv4", "IPv6", "of the pools")
_NAMED: Final = 10
_LOOK: Final = "Look at 'periplus pools' without --full and at 'periplus clusters list'."


class By(StrEnum):
    """What a row is about."""

    POOL = "pool"
    NODE = "node"
    NAMESPACE = "namespace"
    TEAM = "team"


def pools(
    *,
    cluster: Annotated[str | None, typer.Option(metavar="<name>", help="Only of this cluster.")] = None,
    scope: Annotated[list[PoolScope] | None, typer.Option(help="Only pools of this scope. Repeatable.")] = None,
    by: Annotated[By, typer.Option(help="What a row is about.")] = By.POOL,
    full: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only what is at least so full: 0.9 is nine tenths.")
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """How full pools of addresses are, the fullest first: by what can still be handed out.

    By node, it is pods or addresses, whichever a node has fewer left of. Of namespaces and teams it is known what they
    use and how much of the cluster's pools that is, not what they may use. A team is what the label team, squad or
    owner of a pod, or else of its namespace, says.
    """
    if by is not By.POOL and scope:
        fail("--scope is about pools", "Leave out --by, or --scope.", Exit.USAGE)
    if by in {By.NAMESPACE, By.TEAM} and full is not None:
        fail(f"how full a {by.value} is, is not known", "Leave out --full: what it uses is listed.", Exit.USAGE)
    with hub(url, token_file) as client:
        concerned = None if cluster is None else find(client, cluster)["id"]
        every = _rows(client, by, concerned, scope or [])
        unread = [] if full is None else _not_whole(client, concerned)
    shown = every if full is None else [each for each in every if _is_full(each, full)]
    _listing(by, shown, full).show(as_json=as_json)
    _tell_contradictions(shown)
    if full is not None:
        _leave(shown, every, unread, by)


def _rows(client: HubClient, by: By, cluster: str | None, scopes: Sequence[PoolScope]) -> list[dict[str, Any]]:
    asked: dict[str, Any] = {"first": 1_000, "cluster": cluster}
    if by is By.POOL:
        wanted = [each.name for each in scopes] or None
        return [
            node for page in queries.pages(client, POOLS, "pools", asked | {"scopes": wanted}) for node in page["nodes"]
        ]
    pages = queries.pages(client, USE, "poolUse", asked | {"by": by.name})
    found = [node for page in pages for node in page["nodes"]]
    return sorted(found, key=lambda each: (-_known(each), each["cluster"]["name"], each["name"]))


def _known(row: dict[str, Any]) -> float:
    """What is unknown is the least."""
    return -1.0 if row["taken"] is None else float(row["taken"])


def _is_full(row: dict[str, Any], least: float) -> bool:
    return row["taken"] is not None and round(row["taken"] * FULL_PPM) >= round(least * FULL_PPM)


def _not_whole(client: HubClient, only: str | None) -> list[str]:
    known = queries.clusters(client).items()
    return [name for name, node in known if node["state"] != "COMPLETE" and only in {None, node["id"]}]


def _listing(by: By, rows: list[dict[str, Any]], full: float | None) -> Listing:
    empty = f"No {by.value}s." if full is None else f"No {by.value} is known to be so full."
    if by is By.POOL:
        return Listing(_COLUMNS, [_pool(each) for each in rows], rows, empty, numbers=3)
    if by is By.NODE:
        return Listing(_NODE_COLUMNS, [_node(each) for each in rows], rows, empty, numbers=4)
    return Listing((by.value, *_COLUMNS_OF), [_user(each) for each in rows], rows, empty, numbers=4)


def _pool(row: dict[str, Any]) -> tuple[str, ...]:
    limit = row["limitedBy"]
    return (
        _named(row),
        row["cluster"]["name"],
        word(row["scope"]),
        word(limit),
        _percent(row["taken"]),
        _number(row["free"]),
        _number(row["capacity"]),
    )


def _named(row: dict[str, Any]) -> str:
    family = "" if row["family"] == _IPV4 else " IPv6"
    where = f" on {row['node']}" if row["node"] not in {"", row["name"]} else ""
    return f"{row['name']}{where}{family}"


_IPV4: Final = 4


def _node(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"] or "–",
        row["cluster"]["name"],
        word(row["limitedBy"]),
        _percent(row["taken"]),
        str(row["pods"]),
        _number(row["podsAllocatable"]),
        _number(row["free"]),
    )


def _user(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"] or "not known",
        row["cluster"]["name"],
        str(row["pods"]),
        row["ipv4Addresses"],
        row["ipv6Addresses"],
        _share(row["share"]),
    )


def _percent(share: float | None) -> str:
    """Rounded down: 100 % only where nothing is left."""
    return "unknown" if share is None else f"{int(share * FULL_PPM + 0.5) // 10_000} %"


def _share(share: float | None) -> str:
    """What is something is not shown as nothing."""
    return "under 1 %" if share and _percent(share) == "0 %" else _percent(share)


def _number(text: str | None) -> str:
    """A large one to one part in a thousand."""
    if text is None:
        return "unknown"
    return text if len(text) <= _DIGITS else f"{float(text):.2e}"


_DIGITS: Final = 12


def _tell_contradictions(rows: list[dict[str, Any]]) -> None:
    wrong = [each for each in rows if each.get("contradictions")]
    for each in wrong[:_NAMED]:
        of = f"{_named(each)} of {each['cluster']['name']}"
        say_labelled("note", f"what is told of {of} contradicts itself: {'; '.join(each['contradictions'])}")
    if len(wrong) > _NAMED:
        say_labelled("note", f"the same is true of {len(wrong) - _NAMED:,} more; --json has all")


def _leave(shown: list[dict[str, Any]], every: list[dict[str, Any]], unread: Sequence[str], by: By) -> None:
    """0 is said of nothing full only where all is known."""
    unknown = sum(each["taken"] is None for each in every)
    doubts = (
        [f"it is not known how full {counted(unknown, by.value)} {'is' if unknown == 1 else 'are'}"] if unknown else []
    )
    doubts += [f"not known whole: {some(unread)}"] if unread else []
    if not every:
        doubts.append(f"no {by.value} is known")
    if not doubts:
        return
    if not shown:
        fail(f"nothing is known to be so full, but {' and '.join(doubts)}", _LOOK)
    say_labelled("note", " and ".join(doubts))
