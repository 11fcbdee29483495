"""A case as its JSON file says it. Pure but for reading the file."""

import json
import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

import msgspec

Network: TypeAlias = IPv4Network | IPv6Network
Json: TypeAlias = dict[str, Any]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class UnreadableCase(Exception):
    """The file is no case, or not one that can be posted; the text says which file and why."""


class _Member(msgspec.Struct, rename="camel", kw_only=True):
    """A part of what is posted. What it does not know is listed by `unknown_members`."""


class Node(_Member):
    name: Name
    internal: list[str] = []
    external: list[str] = []
    pod_cidrs: list[str] = msgspec.field(default_factory=list, name="podCIDRs")
    provider_id: str = msgspec.field(default="", name="providerID")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Pod(_Member):
    name: Name
    namespace: Name = "default"
    node: str = ""
    ips: list[str] = []
    phase: str = "Running"
    host_network: bool = False
    finished_at: str = ""


class Service(_Member):
    name: Name
    namespace: Name = "default"
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    external_ips: list[str] = msgspec.field(default_factory=list, name="externalIPs")
    external_name: str = ""
    load_balancer_ips: list[str] = msgspec.field(default_factory=list, name="loadBalancerIPs")
    selector: dict[str, str] = {}
    port: int = 80


class ConfigMap(_Member):
    name: Name
    namespace: Name = "default"
    data: dict[str, str] = {}


class Crd(_Member):
    group: Name
    version: Name
    kind: Name
    plural: Name


class Token(_Member):
    token: Name
    user: Name
    groups: list[str] = []


class Cluster(_Member):
    name: Name
    service_cidr: str = "10.96.0.0/16"
    clone_of: str = ""
    nodes: list[Node] = []
    pods: list[Pod] = []
    services: list[Service] = []
    config_maps: list[ConfigMap] = []
    daemon_sets: list[Name] = []
    crds: list[Crd] = []
    objects: list[Json] = []
    tokens: list[Token] = []


class Entry(_Member):
    """A context of a kubeconfig. Names left out are the context's, a token left out is the administrator's."""

    context: Name
    to: Name
    cluster: str = ""
    user: str = ""
    token: str = ""
    via: str = ""
    acts_as: str = msgspec.field(default="", name="as")


class File(_Member):
    name: Name
    entries: list[Entry]


class Kubeconfig(_Member):
    files: list[File]
    is_passed_as: str = msgspec.field(default="", name="pass")


class Ask(_Member):
    same_network: list[list[str]] = []
    wait: float | None = None
    doors: bool = False
    """Says that an API server is behind something; `via` of the entries says what."""


class _Expectation(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A part of the expected answer. One that is not known here would not be checked, so it is refused."""


class GroupLine(_Expectation):
    clusters: list[str] = []
    kind: str = ""
    within: str = ""
    severity: list[str] | str = []

    @property
    def kinds(self) -> frozenset[str]:
        """Of the members that are looked at; empty is any."""
        return frozenset(filter(None, self.kind.split("|")))

    @property
    def severities(self) -> frozenset[str]:
        """Empty is any."""
        return frozenset(_listed(self.severity))

    @property
    def network(self) -> Network | None:
        """Of the members that are looked at; None is any."""
        return ip_network(self.within) if self.within else None


class Phase(_Expectation):
    groups: list[GroupLine] = []
    no_groups: list[GroupLine] = []
    says: list[str] = []
    says_not: list[str] = []
    free_disjoint: bool = False
    free_not: list[str] | str = []

    @property
    def asks_of_groups(self) -> bool:
        """Whether there has to be a report; what is said may also be an error of the command."""
        return bool(self.groups or self.no_groups or self.free_disjoint or self.free_not)

    @property
    def not_free(self) -> list[str]:
        """Ranges that nothing proposed may touch."""
        return _listed(self.free_not)


class ContextState(_Expectation):
    state: list[str] | str = []
    or_says: str = ""

    @property
    def states(self) -> list[str]:
        """One of them is expected."""
        return _listed(self.state)


class Owner(_Expectation):
    ip: Name
    answer: str = ""
    among: list[str] | str = []

    @property
    def named(self) -> list[str]:
        """Names that the answer has to give."""
        return _listed(self.among)


class Expect(_Expectation):
    as_it_comes: Phase | None = msgspec.field(default=None, name="try")
    joined: Phase | None = None
    network: Phase | None = None
    clusters: dict[str, ContextState] = {}
    read: int | None = None
    owners: list[Owner] = []


class Case(_Member):
    id: Name
    clusters: list[Cluster]
    expect: Expect
    ask: Ask = msgspec.field(default_factory=Ask)
    kubeconfig: Kubeconfig | None = None
    title: str = ""
    source: str = ""
    story: str = ""
    why: str = ""


VIA = frozenset({"", "socks5", "http", "tunnel", "path"})


def read_case(path: Path) -> Case:
    """The case in a file; raises UnreadableCase."""
    try:
        case = msgspec.json.decode(path.read_bytes(), type=Case)
        _check_names(case)
        _check_expectations(case.expect)
    except (OSError, ValueError, msgspec.DecodeError, re.error) as error:
        raise UnreadableCase(f"{path}: {error}") from error
    return case


def read_folder(folder: Path) -> list[Path]:
    """The case files of a folder, by name; raises UnreadableCase where there is none."""
    found = sorted(folder.glob("*.json"))
    if not found:
        raise UnreadableCase(f"{folder}: no case (*.json) is there")
    return found


def unknown_members(path: Path) -> list[str]:
    """What a file says about its situation that is not posted, because nobody here knows what it means."""
    return list(_unknown(json.loads(path.read_bytes()), Case, ""))


def _unknown(value: Any, kind: Any, place: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unknown(each, kind, f"{place}[{index}]")
    elif isinstance(value, dict) and (struct := _struct_in(kind)) is not None:
        known = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        for name, each in value.items():
            if name not in known:
                yield f"{place}.{name}"
            else:
                yield from _unknown(each, known[name], f"{place}.{name}")


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is made of: itself, or what a list or an optional holds."""
    if isinstance(kind, type) and issubclass(kind, _Member):
        return kind
    return next(filter(None, map(_struct_in, get_args(kind))), None)


def _listed(value: list[str] | str) -> list[str]:
    return [value] if isinstance(value, str) else value


def _check_names(case: Case) -> None:
    """Raises ValueError for a name that leads nowhere."""
    names = {cluster.name for cluster in case.clusters}
    if not names or len(names) != len(case.clusters):
        raise ValueError("there must be clusters, each of another name")
    for name, where in _cluster_names(case):
        if name not in names:
            raise ValueError(f"{where} names {name!r}, which is no cluster of the case")
    for entry in entries(case):
        if entry.via not in VIA:
            raise ValueError(f"via {entry.via!r} is none of {', '.join(sorted(VIA - {''}))}")


def _check_expectations(expect: Expect) -> None:
    """Raises ValueError or re.error for what could not be held against an answer."""
    if not (phases(expect) or expect.clusters or expect.owners or expect.read is not None):
        raise ValueError("nothing is expected")
    for phase in phases(expect):
        networks = [line.within for line in (*phase.groups, *phase.no_groups) if line.within]
        for text in (*networks, *phase.not_free):
            ip_network(text)
        for pattern in (*phase.says, *phase.says_not):
            re.compile(pattern)
    for state in expect.clusters.values():
        re.compile(state.or_says)


def phases(expect: Expect) -> list[Phase]:
    """Those of which something is expected."""
    return [phase for phase in (expect.as_it_comes, expect.joined, expect.network) if phase is not None]


def _cluster_names(case: Case) -> Iterator[tuple[str, str]]:
    for cluster in case.clusters:
        if cluster.clone_of:
            yield cluster.clone_of, f"cloneOf of {cluster.name}"
    for network in case.ask.same_network:
        yield from ((name, "sameNetwork") for name in network)
    for entry in entries(case):
        yield entry.to, f"to of context {entry.context}"
    for phase in phases(case.expect):
        for line in (*phase.groups, *phase.no_groups):
            yield from ((name, "a group line") for name in line.clusters)


def entries(case: Case) -> list[Entry]:
    """All contexts that the kubeconfig files of a case have."""
    return [entry for file in files(case) for entry in file.entries]


def files(case: Case) -> list[File]:
    """The kubeconfig files: as the case says, else one with a context for each cluster, by its name."""
    if case.kubeconfig is not None:
        return case.kubeconfig.files
    return [File(name="config", entries=[Entry(context=each.name, to=each.name) for each in case.clusters])]
