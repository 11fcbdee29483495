"""What shows sources of flows, kept as it comes and goes: a handful of a cluster's Services and DaemonSets."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from periplus_spoke.conversion.flow_detection import (
    Clue,
    Clues,
    SeenDaemonSet,
    SeenService,
    daemonset_clue,
    service_clue,
)
from periplus_spoke.conversion.objects import Service, Thing

T = TypeVar("T", SeenService, SeenDaemonSet)


class FlowClues:
    """By uid. Whole labels are looked at here: which of them leave the cluster does not matter."""

    def __init__(self) -> None:
        self._services: dict[str, SeenService] = {}
        self._daemonsets: dict[str, SeenDaemonSet] = {}

    def service(self, service: Service) -> None:
        """As it is now."""
        _keep(self._services, service.metadata.uid, service_clue(service))

    def daemonset(self, thing: Thing) -> None:
        """As it is now."""
        _keep(self._daemonsets, thing.metadata.uid, daemonset_clue(thing))

    def forget(self, uid: str) -> None:
        """A Service or DaemonSet is gone."""
        self._services.pop(uid, None)
        self._daemonsets.pop(uid, None)

    def all(self, cnis: Collection[str], cilium_config: Mapping[str, str], unread: Mapping[Clue, str]) -> Clues:
        """With what else is known of the cluster."""
        return Clues(
            services=tuple(self._services.values()),
            daemonsets=tuple(self._daemonsets.values()),
            cnis=cnis,
            cilium_config=cilium_config,
            unread=unread,
        )


def _keep(known: dict[str, T], uid: str, clue: T | None) -> None:
    if clue is None:
        known.pop(uid, None)
    else:
        known[uid] = clue
