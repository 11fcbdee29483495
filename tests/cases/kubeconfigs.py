"""The kubeconfig files of a case, and what a report calls the clusters that they lead to."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.cases.case import Case, Entry, File, files
from tests.cases.judging import Names
from tests.cases.proxies import Proxies
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubeconfig import Context, write_kubeconfig

Json = dict[str, Any]


def write_kubeconfigs(case: Case, planes: Mapping[str, ControlPlane], proxies: Proxies, folder: Path) -> list[Path]:
    """The files of the case in a folder, which it makes."""
    folder.mkdir()
    return [
        write_kubeconfig(folder / file.name, [_context(entry, planes[entry.to], proxies) for entry in file.entries])
        for file in files(case)
    ]


def _context(entry: Entry, plane: ControlPlane, proxies: Proxies) -> Context:
    server, proxy_url = proxies.address(entry.via, plane, entry.to)
    return replace(
        plane.context(entry.token or None),
        name=entry.context,
        cluster=entry.cluster,
        user=entry.user,
        server=server,
        proxy_url=proxy_url,
        acts_as=entry.acts_as,
    )


def reported_names(case: Case, report: Json) -> Names:
    """The names that the report has for each cluster of the case, one for each context that leads to it."""
    lines = report["clusters"]
    listed = [(file, entry) for file in files(case) for entry in file.entries]
    found: dict[str, set[str]] = {cluster.name: set() for cluster in case.clusters}
    for file, entry in listed:
        alike = [other for other, each in listed if each.context == entry.context]
        found[entry.to].update(_names_of(entry, file, alike, lines))
    return {cluster: frozenset(names) for cluster, names in found.items()}


def _names_of(entry: Entry, file: File, alike: list[File], lines: list[Json]) -> list[str]:
    """Contexts of one name are told apart by their file; where the report does not, it is the first file's."""
    names = [line["name"] for line in lines if line["context"] == entry.context]
    if len(alike) == 1:
        return names
    told_apart = [name for name in names if any(each.name in name for each in alike)]
    if told_apart:
        return [name for name in told_apart if file.name in name]
    return names if file is alike[0] else []
