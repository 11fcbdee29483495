"""The rights a spoke needs, and no others: reading, never secrets. Manifests, `check` and the chart come from here."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import yaml

from periplus_spoke.collectors.ipam.registry import CONFIG_MAPS, WANTED_KINDS
from periplus_spoke.collectors.naming.registry import READ_KINDS
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.kube.access import Access

NAME: Final = "periplus-spoke"
SYSTEM_NAMESPACE: Final = "kube-system"
_READ: Final = ("list", "watch")


class Rule(NamedTuple):
    """One rule of the ClusterRole, or of the Role in kube-system when it names objects."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...] = _READ
    names: tuple[str, ...] = ()
    purpose: str = ""


def _custom_rules(kinds: Iterable[WantedKind[Any]], purpose: str) -> Iterator[Rule]:
    """A rule per API group; a group that a cluster does not serve costs nothing there."""
    plurals: dict[str, list[str]] = {}
    for kind in kinds:
        plurals.setdefault(kind.group, []).append(kind.plural)
    for group, names in plurals.items():
        yield Rule(group, tuple(names), ("list",), purpose=purpose)


def _config_names(*, system: bool) -> tuple[str, ...]:
    """Names of the ConfigMaps that are read in kube-system, or in namespaces of network plugins."""
    split = (name.split("/") for name in CONFIG_MAPS)
    return tuple(sorted({name for namespace, name in split if (namespace == SYSTEM_NAMESPACE) is system}))


def _config_rules() -> Iterator[Rule]:
    if names := _config_names(system=False):
        yield Rule("", ("configmaps",), ("get",), names, "the network plugin's configuration")


RULES: Final = (
    Rule("", ("namespaces",), ("get", *_READ), purpose="the cluster's identity, and whose things are"),
    Rule("", ("nodes", "pods", "services"), purpose="what has which address"),
    Rule("discovery.k8s.io", ("endpointslices",), purpose="what is behind a service"),
    Rule("networking.k8s.io", ("servicecidrs", "ipaddresses"), purpose="service ranges and their use"),
    Rule("apps", ("deployments", "replicasets", "statefulsets", "daemonsets"), purpose="whose a pod is"),
    Rule("batch", ("jobs", "cronjobs"), purpose="whose a pod is"),
    Rule("about.k8s.io", ("clusterproperties",), ("list",), purpose="the cluster's name in its clusterset"),
    *_custom_rules(WANTED_KINDS, "pools and ranges of the network plugin"),
    *_custom_rules(READ_KINDS, "what addresses stand for in other clusters"),
    *_config_rules(),
)
"""Cluster-wide rules."""

SYSTEM_RULES: Final = (Rule("", ("configmaps",), ("get",), _config_names(system=True), "the network's configuration"),)
"""Rules for objects of kube-system, by name."""


def accesses() -> Iterator[Access]:
    """Every single verb on every resource, in the order of the rules."""
    for rule in RULES:
        for resource in rule.resources:
            for verb in rule.verbs:
                yield from (Access(verb, rule.group, resource, "", name) for name in rule.names or ("",))
    for rule in SYSTEM_RULES:
        for name in rule.names:
            for verb in rule.verbs:
                yield Access(verb, rule.group, rule.resources[0], SYSTEM_NAMESPACE, name)


def manifests(namespace: str = "periplus", name: str = NAME) -> list[dict[str, Any]]:
    """ServiceAccount, ClusterRole, Role in kube-system, and their bindings."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    system = {"name": name, "namespace": SYSTEM_NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
        _role("ClusterRole", {"name": name}, RULES),
        _binding("ClusterRole", {"name": name}, name, subject),
        _role("Role", system, SYSTEM_RULES),
        _binding("Role", system, name, subject),
    ]


def render(namespace: str = "periplus", name: str = NAME) -> str:
    """The manifests as YAML, for `kubectl apply -f -`."""
    return yaml.safe_dump_all(manifests(namespace, name), sort_keys=False)


def _role(kind: str, metadata: dict[str, str], rules: tuple[Rule, ...]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    rendered: dict[str, Any] = {"apiGroups": [rule.group], "resources": list(rule.resources)}
    if rule.names:
        rendered["resourceNames"] = list(rule.names)
    return {**rendered, "verbs": list(rule.verbs)}


def _binding(kind: str, metadata: dict[str, str], name: str, subject: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [subject],
    }
