"""Bare control planes (etcd and API server) for the clusters of cases, used again where a later case wants the same."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.cases.case import Case, Cluster
from tests.cases.posting import Posted
from tests.cluster.rig.admin import ApiError
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.etcd import KeyValue
from tests.cluster.rig.polling import WaitedTooLongError
from tests.cluster.rig.spec import ClusterSpec, TokenUser
from tests.cluster.rig.toolchain import Tools

# What a clone has not: its machines are others, and nothing runs on them yet.
_NODES_AND_PODS = (b"/registry/minions/", b"/registry/pods/")


class Wanted(NamedTuple):
    """What an API server is started with: one started alike serves as well."""

    service_cidr: str
    users: tuple[TokenUser, ...]


class Lease(NamedTuple):
    """A plane that holds what one case says of one cluster."""

    plane: ControlPlane
    posted: Posted
    wanted: Wanted | None
    """None: it is of no use for another case."""


class Planes:
    """Lends planes to cases that run at the same time; leaving it stops all.

    It knows all cases beforehand, so no plane outlives the last case that could use it.
    """

    def __init__(self, tools: Tools, folder: Path, cases: Iterable[Case]) -> None:
        self._tools = tools
        self._folder = folder
        self._lock = threading.Lock()
        self._free: defaultdict[Wanted, list[ControlPlane]] = defaultdict(list)
        self._all: list[ControlPlane] = []
        self._to_come = Counter(_wanted(cluster) for case in cases for cluster in case.clusters if not cluster.clone_of)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for plane in self._all:
            plane.stop()

    def lend(self, cluster: Cluster) -> Lease:
        """A plane that holds the cluster; raises ApiError where the API server does not take it."""
        wanted = _wanted(cluster)
        with self._lock:
            self._to_come[wanted] -= 1
            plane = self._free[wanted].pop() if self._free[wanted] else None
        return self._filled(plane or self._started(cluster, wanted), cluster, wanted)

    def lend_clone(self, cluster: Cluster, original: ControlPlane) -> Lease:
        """A plane that was started from the original's etcd and holds the cluster besides."""
        kept = [entry for entry in original.etcd.backup() if not entry.key.startswith(_NODES_AND_PODS)]
        return self._filled(self._started(cluster, _wanted(cluster), kept), cluster, None)

    def give_back(self, lease: Lease) -> None:
        """Takes out what the case put in, or stops the plane when no case to come wants it."""
        with self._lock:
            is_wanted = lease.wanted is not None and self._to_come[lease.wanted] > len(self._free[lease.wanted])
        if lease.wanted is None or not is_wanted or lease.posted.leaves_namespaces:
            lease.plane.stop()
            return
        try:
            lease.posted.take_out()
        except (ApiError, WaitedTooLongError):
            lease.plane.stop()  # the next case gets a new one
            return
        with self._lock:
            self._free[lease.wanted].append(lease.plane)

    def _started(self, cluster: Cluster, wanted: Wanted, backup: Iterable[KeyValue] = ()) -> ControlPlane:
        with self._lock:
            folder = self._folder / f"plane-{len(self._all)}"
            spec = ClusterSpec(
                name=cluster.name, service_cidr=wanted.service_cidr, users=wanted.users, has_controllers=False
            )
            plane = ControlPlane(self._tools, folder, spec)
            self._all.append(plane)
        return plane.start(backup=list(backup))

    def _filled(self, plane: ControlPlane, cluster: Cluster, wanted: Wanted | None) -> Lease:
        posted = Posted(plane.admin)
        try:
            posted.post(cluster)
        except BaseException:
            plane.stop()
            raise
        return Lease(plane, posted, wanted)


def _wanted(cluster: Cluster) -> Wanted:
    users = [TokenUser(token=each.token, user=each.user, groups=tuple(each.groups)) for each in cluster.tokens]
    return Wanted(cluster.service_cidr, tuple(users))
