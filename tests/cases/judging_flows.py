"""Holds edges, owners and coverage against what a case expects. Pure: differences are in words, and none is fine."""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from tests.cases.flow_case import Coverage, Edge, FlowCase, Link, Owner

Json = dict[str, Any]

_NOBODY: Final = UUID(int=0)
_SLACK: Final = 0.005
_SHOWN: Final = 6


def differences(case: FlowCase, answer: Json, links: Json, owners: list[Json]) -> Iterator[str]:
    """Of the answers about dependencies and about links, and of what is stored of each asked owner."""
    yield from _edges(case, answer)
    for link in case.expect.links:
        yield from _link(link, links[link.by]["links"])
    if case.expect.link_count is not None and links["zone"]["linkCount"] != case.expect.link_count:
        yield f"{links['zone']['linkCount']} links, not {case.expect.link_count}: {_every_link(links['zone']['links'])}"
    for expected, found in zip(case.expect.owners, owners, strict=True):
        yield from _owner(expected, found)
    if case.expect.coverage is not None:
        yield from _coverage(case.expect.coverage, answer["coverage"])


def _edges(case: FlowCase, answer: Json) -> Iterator[str]:
    edges = answer["edges"]
    for expected in case.expect.edges:
        near = [edge for edge in edges if _is_between(expected, edge)]
        wrong = [list(_wrong(expected, edge)) for edge in near]
        if not near:
            yield f"no edge from {expected.src} to {expected.dst}; there are {_some(edges)}"
        elif all(wrong):
            yield f"{expected.src} to {expected.dst}: {min(('; '.join(each) for each in wrong), key=len)}"
    for expected in case.expect.no_edges:
        if any(_is_between(expected, edge) and not list(_wrong(expected, edge)) for edge in edges):
            yield f"there must be no edge from {expected.src} to {expected.dst}"
    if case.expect.edge_count is not None and answer["edgeCount"] != case.expect.edge_count:
        yield f"{answer['edgeCount']} edges, not {case.expect.edge_count}: {_some(edges)}"


def _is_between(expected: Edge, edge: Json) -> bool:
    return expected.src in _names(edge["source"]) and expected.dst in _names(edge["destination"])


def _wrong(expected: Edge, edge: Json) -> Iterator[str]:
    numbers = {"bytesTx": expected.bytes_tx, "bytesRx": expected.bytes_rx, "failures": expected.failures}
    for name, wanted in {**numbers, "connectionsOpened": expected.connections_opened}.items():
        found = None if edge[name] is None else int(edge[name])
        if not isinstance(wanted, msgspec.UnsetType) and found != wanted:
            yield f"{name} is {found}, not {wanted}"
    ports = sorted(each["port"] for each in edge["ports"])
    if expected.ports is not None and ports != sorted(expected.ports):
        yield f"ports are {ports}, not {sorted(expected.ports)}"
    if expected.state and edge["state"].lower() != expected.state:
        yield f"it is {edge['state'].lower()}, not {expected.state}"
    side = edge["onlySeenBy"] and edge["onlySeenBy"].lower()
    if not isinstance(expected.only_seen_by, msgspec.UnsetType) and side != expected.only_seen_by:
        yield f"only seen by {side}, not {expected.only_seen_by}"
    missing = [rule for rule in expected.rules if rule not in edge["destination"]["rules"]]
    if missing:
        yield f"rules are {edge['destination']['rules']}, without {missing}"


def _link(expected: Link, links: list[Json]) -> Iterator[str]:
    """Whichever of its places comes first."""
    wanted = {"bytesAToB": expected.bytes_a_to_b, "bytesBToA": expected.bytes_b_to_a}
    turned = {"bytesAToB": expected.bytes_b_to_a, "bytesBToA": expected.bytes_a_to_b}
    for a, b, numbers in ((expected.a, expected.b, wanted), (expected.b, expected.a, turned)):
        for link in links:
            if (_place(link, "A"), _place(link, "B")) == (a, b):
                for name, value in numbers.items():
                    found = None if link[name] is None else int(link[name])
                    if not isinstance(value, msgspec.UnsetType) and found != value:
                        yield f"{a} and {b}: {name} is {found}, not {value}"
                return
    yield f"no link of {expected.a} and {expected.b}; there are {_every_link(links)}"


def _place(link: Json, side: str) -> str:
    place, cluster = link[f"place{side}"], link[f"cluster{side}"]
    if not place["isKnown"]:
        return "not known"
    named = "/".join(place[part] for part in ("region", "zone") if place[part])
    whose = f"{place['provider']}:" if place["provider"] else ""
    return f"{whose}{named}@{cluster['name']}" if cluster else f"{whose}{named}"


def _every_link(links: list[Json]) -> str:
    shown = [f"{_place(each, 'A')} and {_place(each, 'B')} ({each['bytesAToB']}/{each['bytesBToA']})" for each in links]
    return ", ".join(shown) or "none"


def _names(end: Json) -> set[str]:
    """What a case may call it."""
    place = "/".join(filter(None, (end["namespace"], end["name"])))
    if end["cluster"] is None:
        return {f"{end['kind']} {place}"}
    at = f"@{end['cluster']['name']}"
    with_kind = "/".join(filter(None, (end["namespace"], end["kind"], end["name"])))
    return {place, with_kind, place + at, with_kind + at, f"{end['kind']} {place}{at}"}


def _shown(edge: Json) -> str:
    ends = (max(sorted(_names(edge[side])), key=len) for side in ("source", "destination"))
    return f"{' to '.join(ends)} ({edge['bytesTx']}/{edge['bytesRx']})"


def _some(edges: Iterable[Json]) -> str:
    shown = [_shown(edge) for edge in edges]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return (", ".join(shown[:_SHOWN]) + more) or "none"


def _owner(expected: Owner, found: Json) -> Iterator[str]:
    clusters: dict[UUID, str] = found["clusters"]
    if not found["rows"]:
        yield f"owner of {expected.ip}: nobody asked for it at {expected.at}"
        return
    [row] = found["rows"]
    names = _names(_as_end(row, clusters, row["owner"]))
    if expected.answer not in names:
        yield f"{expected.ip} is {max(names)}, not {expected.answer}"
    if expected.candidates:
        ends = [
            _names(_as_end({"kind": each["kind"], **each}, clusters, each["registration"]))
            for each in row["candidates"]
        ]
        missing = [name for name in expected.candidates if not any(name in end for end in ends)]
        if missing or len(ends) != len(expected.candidates):
            yield f"candidates of {expected.ip} are {[max(end) for end in ends]}, not {expected.candidates}"


def _as_end(row: Json, clusters: dict[UUID, str], owner: Any) -> Json:
    registration = UUID(bytes=owner) if isinstance(owner, bytes) else owner
    cluster = None if registration == _NOBODY else {"name": clusters.get(registration, "")}
    return {"cluster": cluster, "namespace": row["namespace"], "kind": row["kind"], "name": row["workload"]}


def _coverage(expected: Coverage, found: Json) -> Iterator[str]:
    ratio = found["ratio"]
    if expected.ratio is not None and (ratio is None or abs(ratio - expected.ratio) > _SLACK):
        yield f"the coverage is {ratio}, not {expected.ratio}"
    if expected.least_ratio is not None and (ratio is None or ratio < expected.least_ratio):
        yield f"the coverage is {ratio}, less than {expected.least_ratio}"
    if expected.most_ratio is not None and (ratio is None or ratio > expected.most_ratio):
        yield f"the coverage is {ratio}, more than {expected.most_ratio}"
    if expected.sampling is not None and found["sampling"] != expected.sampling:
        yield f"the sampling is {found['sampling']}, not {expected.sampling}"
    for name, wanted in (("lateClusters", expected.late), ("clustersWithoutFlows", expected.without_flows)):
        names = sorted(each["name"] for each in found[name])
        if wanted is not None and names != sorted(wanted):
            yield f"{name} are {names}, not {sorted(wanted)}"
