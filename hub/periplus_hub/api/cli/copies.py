"""What is said of clusters that have one kube-system uid and are not shown to be one."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from periplus_hub.kit.some_names import some

_APART: Final = (
    "have one kube-system uid and no node in common: they are several clusters, made from one backup or disk. "
    "Each is read, and compared with the others."
)
_UNCLEAR: Final = (
    "have one kube-system uid. It is not known whether they are one cluster: that takes ready nodes that can be listed "
    "in each. So each is read, and compared with the others."
)


def copy_notes(clusters: Mapping[str, Mapping[str, Any]], ways: Collection[str] = ()) -> tuple[str, ...]:
    """A sentence for each set of copies; `clusters` are the hub's by name, and their order is that of the names.

    `ways` are names of second ways to one of the clusters: no copies.
    """
    apart: dict[frozenset[str], str] = {}
    unclear: dict[frozenset[str], str] = {}
    for name, known in clusters.items():
        copies = {each["cluster"]["name"]: each["isToldApart"] for each in known["copies"]}
        copies = {} if name in ways else {copy: told for copy, told in copies.items() if copy not in ways}
        told_apart = [copy for copy, told in copies.items() if told]
        alike = [name, *copies]
        if told_apart:
            apart.setdefault(frozenset([name, *told_apart]), f"{some([name, *told_apart])} {_APART}")
        if len(told_apart) < len(copies):
            unclear.setdefault(frozenset(alike), f"{some(alike)} {_UNCLEAR}")
    return (*apart.values(), *unclear.values())
