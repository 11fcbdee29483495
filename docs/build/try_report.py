"""docs/reference/try-report.md: the JSON document of `periplus try --json`, with its schema and an example."""

import json
from dataclasses import fields
from enum import StrEnum
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from docs.build.markdown import code, fenced, page, section, summary, table
from docs.build.source import attribute_docs
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.api.cli import report

Schema = dict[str, Any]


def _member(cluster: str, kind: str, cidr: str, severity: report.Severity) -> report.MemberLine:
    source, node = ("nodes", "n7") if kind == "node" else ("kubeadm-config", "")
    return report.MemberLine(
        cluster=cluster, kind=kind, cidr=cidr, severity=severity, node=node, source=source,
        quality="exact" if node else "nominal", reach="unknown",
    )  # fmt: skip


def _hit(cluster: str, kinds: tuple[str, ...], members: int, severity: report.Severity) -> report.HitLine:
    domain = "shop" if cluster.startswith("shop") else cluster
    return report.HitLine(cluster=cluster, network_domain=domain, severity=severity, kinds=kinds, member_count=members)


EXAMPLE: Final = report.Report(
    as_of="2026-01-02T03:04:05Z",
    clusters=(
        report.ClusterLine(
            name="shop-eu", context="shop-eu", state=report.ClusterState.COMPLETE, network_domain="shop",
            last_heard="2026-01-02T03:04:04Z", provider="aws", region="eu-central-1", version="v1.34.1",
            cnis=("cilium",), nodes=12, pods=340, services=58,
            flow_sources=(
                report.FlowSourceLine(
                    kind="hubble", state="absent", where="", chosen=False, why="Cilium runs without Hubble Relay",
                    command="cilium hubble enable --namespace kube-system",
                ),
            ),
            flow_command="cilium hubble enable --namespace kube-system",
        ),
        report.ClusterLine(
            name="lab", context="lab", state=report.ClusterState.UNREAD, reason="unreachable",
            message="https://10.0.0.9:6443 does not answer", remedy="Check the address and the network.",
        ),
        report.ClusterLine(
            name="shop-us", context="shop-us", state=report.ClusterState.INCOMPLETE, network_domain="shop",
            last_heard="2026-01-02T03:04:02Z", reason="forbidden",
            message="its addresses are not known whole without services: services is forbidden",
            remedy="Give the spoke's ServiceAccount get, list and watch on it.",
            missing=(
                report.MissingLine(
                    source="services", state="forbidden", reason="forbidden", message="services is forbidden",
                    remedy="Give the spoke's ServiceAccount get, list and watch on it.",
                ),
            ),
            nodes=4, pods=90,
        ),
    ),
    groups=(
        report.GroupLine(
            cidr="10.244.0.0/16", family=4, severity=report.Severity.CONFLICT, member_count=4,
            members=(
                _member("shop-eu", "pod", "10.244.0.0/16", report.Severity.CONFLICT),
                _member("shop-us", "pod", "10.244.0.0/16", report.Severity.CONFLICT),
                _member("shop-us", "node", "10.244.7.9/32", report.Severity.CONFLICT),
                _member("lab-stage", "service", "10.244.8.0/24", report.Severity.LATENT),
            ),
            cluster_count=3,
            clusters=(
                _hit("shop-eu", ("pod",), 1, report.Severity.CONFLICT),
                _hit("shop-us", ("pod", "node"), 2, report.Severity.CONFLICT),
                _hit("lab-stage", ("service",), 1, report.Severity.LATENT),
            ),
            since="2026-01-02T03:04:01Z",
            breaks=(
                "Pod traffic to the other cluster stays in, or goes to, the wrong cluster: the route is ambiguous.",
            ),
            stops=(FederationTarget.CILIUM_CLUSTER_MESH, FederationTarget.SUBMARINER),
            may_stop=(FederationTarget.VPC_PEERING,),
            does_not_stop=(FederationTarget.SUBMARINER_GLOBALNET, FederationTarget.SKUPPER),
            remedies=("If their networks do not reach each other, put the clusters into different network domains.",),
            moves=(
                report.MoveLine(
                    cluster="shop-us", kind="pod", cidr="10.84.112.0/21", why="4 node blocks of /24, growth 2",
                ),
            ),
            move_count=1,
            free_ranges=("10.84.112.0/21",),
            free_ranges_not_known_of=("lab", "shop-us"), free_ranges_not_known_count=2,
            cluster_counts=(
                report.CountLine(severity=report.Severity.CONFLICT, clusters=2),
                report.CountLine(severity=report.Severity.LATENT, clusters=1),
            ),
        ),
    ),
)  # fmt: skip

_TYPES: Final[dict[object, str]] = {str: "string", int: "integer", bool: "boolean"}


def render() -> str:
    """The page."""
    return page(
        "The report as JSON",
        f"`periplus try --json`, `periplus demo --json` and `periplus overlaps --json` print one document. It only "
        f"ever grows: ignore what you do not know. `schemaVersion` is {report.SCHEMA_VERSION} and changes only if a "
        "member is taken away or changes its meaning. Text that is not known is empty; a count that is not known is "
        "null, never 0.",
        _words(),
        section("Schema", fenced(json.dumps(schema(), indent=2), "json")),
        section("Example", fenced(json.dumps(EXAMPLE.document(), indent=2), "json")),
    )


def _words() -> str:
    docs = attribute_docs(report)
    states = [
        (code(state), docs.get(f"ClusterState.{state.name}", ""))
        for state in report.ClusterState
        if state is not report.ClusterState.REVOKED
    ]
    severities = ", ".join(code(severity) for severity in report.Severity)
    return (
        f"{table(('state of a cluster', 'meaning'), states)}\n\n"
        f"Severities, worst first: {severities}. `--fail-on` compares in this order: the exit code is 2 where a group "
        "is so bad or worse, 1 where none is and `complete` is false, 0 only where `complete` is true. A group has the "
        "severity of its worst pair; each of its clusters and members has its own."
    )


def schema() -> Schema:
    """JSON Schema of the document, from the dataclasses it is made of."""
    counts = {str(severity): {"type": "integer"} for severity in report.Severity}
    members: Schema = {
        "schemaVersion": {"const": report.SCHEMA_VERSION},
        "asOf": {
            "type": "string",
            "description": "When the hub's register was last up to date, ISO 8601 UTC.",
        },
        "complete": {
            "type": "boolean",
            "description": "All clusters complete, all groups computed and current: what is not named is not there.",
        },
        "completeClusters": {"type": "integer", "description": "How many clusters are complete."},
        "unknown": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What keeps the report from being complete, in words.",
        },
        "joined": {"type": "boolean", "description": "Asked as if these clusters were in one network."},
        "asked": {"type": "string", "description": "What the groups were narrowed to, in words; empty: all there are."},
        "clusters": {"type": "array", "items": _object(report.ClusterLine)},
        "overlapGroups": {"type": "array", "items": _object(report.GroupLine), "description": "Worst first."},
        "summary": {"description": "Groups per severity.", **_closed(counts)},
        "copies": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Clusters that were made from one backup or disk, or may be one: a sentence for each set.",
        },
        "notes": {"type": "array", "items": {"type": "string"}},
    }
    found = _closed(members)
    found["properties"] |= {
        "dependencies": {
            "type": "object",
            "description": "Only of `periplus demo`: what `periplus dependencies --cross-cluster --json` prints.",
        }
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def _closed(members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}


def _object(dataclass: type) -> Schema:
    docs, hints = attribute_docs(report), get_type_hints(dataclass)
    members = {}
    for field in fields(dataclass):
        doc = docs.get(f"{dataclass.__name__}.{field.name}")
        members[_camel(field.name)] = _type(hints[field.name]) | ({"description": _json_words(doc)} if doc else {})
    return {"description": _json_words(dataclass.__doc__), **_closed(members)}


def _json_words(doc: str | None) -> str:
    return summary(doc).replace("None", "null")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _type(annotation: Any) -> Schema:  # noqa: ANN401 - a type as get_type_hints answers it
    if get_origin(annotation) is UnionType:
        [known] = [part for part in get_args(annotation) if part is not type(None)]
        known = _type(known)
        return {"enum": [*known["enum"], None]} if "enum" in known else {"type": [known["type"], "null"]}
    if get_origin(annotation) is tuple:
        return {"type": "array", "items": _type(get_args(annotation)[0])}
    if annotation in _TYPES:
        return {"type": _TYPES[annotation]}
    if issubclass(annotation, StrEnum):
        return {"enum": [str(member) for member in annotation]}
    return _object(annotation)
