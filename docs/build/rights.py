"""docs/reference/rbac.md and rbac.yaml: what a spoke may read, and the manifests that let it."""

from typing import Final

import yaml

from docs.build.markdown import NOTICE, code, page, prose, section, table
from periplus_spoke.collectors import rbac

_INTRODUCTION: Final = """
    A spoke reads and does nothing else: every rule is `get`, `list` or `watch`, and none is for secrets. Inside a
    cluster it uses the ServiceAccount of [rbac.yaml](rbac.yaml); `kubectl apply -f docs/reference/rbac.yaml` makes it,
    with its namespace. Outside it uses what your kubeconfig gives it;
    [a kubeconfig for a spoke](../operate/kubeconfig.md) makes one of that same ServiceAccount.

    `periplus-spoke check` says which of these rights it has, and prints the manifests when one is lacking. A kind that
    it may not read is shown as such in the hub; everything else goes on.
"""


def render() -> str:
    """The page."""
    system = f"In the namespace `{rbac.SYSTEM_NAMESPACE}` alone, and only these objects."
    return page(
        "Rights of a spoke",
        prose(_INTRODUCTION),
        section("In the whole cluster", _rules(rbac.RULES)),
        section("By name", system, _rules(rbac.SYSTEM_RULES)),
    )


def _rules(rules: tuple[rbac.Rule, ...]) -> str:
    rows = [
        (
            code(rule.group or "core"),
            ", ".join(map(code, rule.resources)),
            ", ".join(map(code, rule.names)) or "all",
            ", ".join(rule.verbs),
            rule.purpose,
        )
        for rule in rules
    ]
    return table(("API group", "resources", "names", "verbs", "for"), rows)


def manifests() -> str:
    """The manifests, for kubectl: what `periplus-spoke check` prints, in a namespace that need not be there yet."""
    (namespace,) = {each["metadata"]["namespace"] for each in rbac.manifests() if each["kind"] == "ServiceAccount"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    return f"# {NOTICE}\n{yaml.safe_dump(made, sort_keys=False)}---\n{rbac.render()}"
