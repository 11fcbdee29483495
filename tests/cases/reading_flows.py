"""Reads cases of flows. Of what is none it says in which file, at which member, and what may stand there instead."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from periplus_contract import flow_words
from periplus_contract.hosts import is_host
from periplus_hub.addresses.ranges.model import RangeUse
from periplus_hub.flows.model import MEASURES

from tests.cases.case import UnreadableCase
from tests.cases.flow_case import ENROLLED_AT, Cluster, FlowCase, Row, Telling, moment, told_end, workload
from tests.cases.judging_findings import OF_FLOWS

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?")
_README: Final = "tests/cases/README.md says what may stand there"
_REASONS: Final = tuple(getattr(flow_words, name) for name in sorted(vars(flow_words)) if name.startswith("LOST_"))

Wrong = tuple[str, str]
"""Which member, and what is wrong with it."""


def read_flow_case(path: Path) -> FlowCase:
    """The case in a file; raises UnreadableCase."""
    try:
        case = msgspec.json.decode(path.read_bytes(), type=FlowCase)
    except msgspec.ValidationError as error:
        raise UnreadableCase(f"{path}: {_with_remedy(str(error))}") from error
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise UnreadableCase(f"{path}: {error}") from error
    wrong = [f"{where}: {what}" for where, what in _wrong(case)]
    if wrong:
        raise UnreadableCase(f"{path}: {'; '.join(wrong)}")
    return case


def _with_remedy(error: str) -> str:
    found = _UNKNOWN.fullmatch(error)
    if found is None:
        return f"{error}; {_README}"
    name, place = found[1], found[2] or ""
    known = ", ".join(_members_at(place.split(".") if place else []))
    return f"{name!r} is no member of {place or 'a case'}; known are {known}"


def _members_at(place: Iterable[str]) -> list[str]:
    """The members of the struct that stands there; each step is a member, with `[0]` behind it where it is a list."""
    struct: type[msgspec.Struct] = FlowCase
    for step in place:
        types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        struct = _struct_in(types[step.partition("[")[0]]) or struct
    return [field.encode_name for field in msgspec.structs.fields(struct)]


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """A type itself, or what a list or an optional holds."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(_struct_in, get_args(kind))), None)


def _wrong(case: FlowCase) -> Iterator[Wrong]:
    """Names that lead nowhere, and what is no time, no address or no measure. Times first: the others need them."""
    times = list(_wrong_times(case))
    yield from times
    yield from _wrong_names(case)
    for number, cluster in enumerate(case.clusters):
        yield from _wrong_cluster(cluster, f"clusters[{number}]")
    for number, row in enumerate(case.rows):
        yield from _wrong_row(row, f"rows[{number}]")
    for number, entered in enumerate(case.ranges):
        yield from _tried(f"ranges[{number}].use", RangeUse, [entered.use])
    yield from _wrong_expectations(case)
    if not times:
        yield from _wrong_order(case)


def _wrong_times(case: FlowCase) -> Iterator[Wrong]:
    said = [("now", case.now), ("hubSince", case.hub_since)]
    for number, each in enumerate(case.clusters):
        where = f"clusters[{number}]"
        said += [(f"{where}.pods", text) for pod in each.pods for text in (pod.since, pod.until, pod.told)]
        said += [(f"{where}.meanings", text) for told in each.meanings for text in (told.since, told.until)]
        said += [(f"{where}.tells", text) for telling in each.tells for text in (telling.since, telling.until)]
        said += [(f"{where}.heardUntil", each.heard_until)]
    said += [(f"rows[{number}].at", row.at) for number, row in enumerate(case.rows)]
    said += [(f"expect.owners[{number}].at", owner.at) for number, owner in enumerate(case.expect.owners)]
    for where, text in said:
        yield from _tried(where, moment, [text])


def _tried(where: str, reader: Any, texts: Iterable[str]) -> Iterator[Wrong]:
    """What the reader refuses. An empty text is one that was left out."""
    for text in filter(None, texts):
        try:
            reader(text)
        except (ValueError, OverflowError) as error:
            yield where, str(error)


def _wrong_names(case: FlowCase) -> Iterator[Wrong]:
    names = [cluster.name for cluster in case.clusters]
    if len({*names}) != len(names):
        yield "clusters", f"two have one name, of {', '.join(names)}; give each its own"
    named = [(f"rows[{number}].by", row.by) for number, row in enumerate(case.rows)]
    named += [(f"expect.owners[{number}].from", owner.seen_from) for number, owner in enumerate(case.expect.owners)]
    yield from _not_among(named, names, "cluster of the case")
    domains = sorted({cluster.domain or cluster.name for cluster in case.clusters})
    joined = [(f"connections[{n}].domains", name) for n, each in enumerate(case.connections) for name in each.domains]
    entered = [(f"ranges[{number}].domain", each.domain) for number, each in enumerate(case.ranges)]
    yield from _not_among(joined + entered, domains, "domain of the case")


def _not_among(named: Iterable[Wrong], known: Iterable[str], what: str) -> Iterator[Wrong]:
    every = list(known)
    for where, name in named:
        if name not in every:
            yield where, f"{name!r} is no {what}; known are {', '.join(every) or 'none'}"


def _wrong_cluster(cluster: Cluster, where: str) -> Iterator[Wrong]:
    yield from _tried(f"{where}.pods", workload, (pod.workload for pod in cluster.pods))
    yield from _tried(f"{where}.pods", ip_address, (ip for pod in cluster.pods for ip in pod.ips))
    yield from _tried(
        f"{where}.nodes", ip_address, (ip for node in cluster.nodes for ip in (*node.ips, *node.external))
    )
    yield from _tried(f"{where}.services", workload, (text for each in cluster.services for text in each.backends))
    yield from _tried(f"{where}.workloads", workload, (each.name for each in cluster.workloads or ()))
    nodes = [node.name for node in cluster.nodes]
    for number, each in enumerate(cluster.tells):
        yield from _wrong_telling(each, nodes, f"{where}.tells[{number}]")


def _wrong_telling(telling: Telling, nodes: list[str], where: str) -> Iterator[Wrong]:
    if not telling.since:
        yield f"{where}.from", "there is no time; say from when on it told"
    if telling.node:
        yield from _not_among([(f"{where}.node", telling.node)], nodes, "node of its cluster")
    yield from _not_among([(f"{where}.lost", reason) for reason in telling.lost], _REASONS, "reason")
    if telling.unmeasured > telling.observed:
        yield f"{where}.unmeasured", f"{telling.unmeasured} are more than the {telling.observed} that are observed"


def _wrong_row(row: Row, where: str) -> Iterator[Wrong]:
    yield from _not_among([(f"{where}.measures", name) for name in row.measures], MEASURES, "measure")
    yield from _tried(f"{where}.src", told_end, [row.src])
    yield from _tried(f"{where}.dst", told_end, [row.dst])
    if not row.dst and not row.host:
        yield f"{where}.dst", "there is neither an address, a workload nor a host; say at least one"
    if row.host and not is_host(row.host):
        yield f"{where}.host", f"{row.host!r} is no name as the contract has it: lower case, without port and last dot"
    if row.every_s is not None and row.every_s < row.window_s:
        yield f"{where}.everyS", f"windows of {row.window_s} s cannot begin every {row.every_s} s; say at least windowS"


def _wrong_expectations(case: FlowCase) -> Iterator[Wrong]:
    expect = case.expect
    findings = [(f"expect.findings[{number}]", each) for number, each in enumerate(expect.findings or ())]
    detectors = [(f"{where}.detector", each.detector) for where, each in findings]
    detectors += [("expect.undecided", name) for name in expect.undecided or ()]
    yield from _not_among(detectors, OF_FLOWS, "detector of flows")
    clusters = [cluster.name for cluster in case.clusters]
    members = [(f"{where}.members", name) for where, each in findings for name in each.members if name != "outside"]
    yield from _not_among(
        [(where, name.rpartition("@")[2]) for where, name in members], clusters, "cluster of the case"
    )


def _wrong_order(case: FlowCase) -> Iterator[Wrong]:
    """What happens after the hub is asked, or before the clusters enrol."""
    now = moment(case.now)
    asked = [("now", case.now), ("hubSince", case.hub_since)]
    asked += [(f"clusters[{number}].heardUntil", each.heard_until) for number, each in enumerate(case.clusters)]
    for where, text in asked:
        if text and not ENROLLED_AT <= moment(text) <= now:
            yield where, f"{text} is not between the time that clusters enrol (-1d0:00) and now ({case.now})"
    for number, row in enumerate(case.rows):
        begins = moment(row.at) + timedelta(seconds=(row.windows - 1) * (row.every_s or row.window_s))
        if begins > now:
            yield f"rows[{number}].at", f"its last window begins at {begins:%Y-%m-%d %H:%M}, after now ({case.now})"
    for number, cluster in enumerate(case.clusters):
        for each in cluster.tells:
            if not moment(each.since) < moment(each.until or case.now) <= now:
                yield f"clusters[{number}].tells", f"it has to begin before it ends, and to end by now ({case.now})"
