"""The top of a pod's owner chain: Deployment rather than its ReplicaSet, CronJob rather than its Job."""

from typing import Final

from periplus_spoke.conversion.objects import Meta, Pod
from periplus_spoke.conversion.text import shared

_MIDDLE: Final = ("ReplicaSet", "Job")

Top = tuple[str, str]
"""Kind and name."""


class Owners:
    """ReplicaSets and Jobs, and pods that were seen before theirs."""

    def __init__(self) -> None:
        self._refused: set[str] = set()
        self._tops: dict[str, dict[str, Top]] = {kind: {} for kind in _MIDDLE}
        self._waiting: dict[str, dict[str, Pod]] = {}

    def known(self, kind: str) -> list[str]:
        """Uids of all middle owners of one kind."""
        return list(self._tops[kind])

    def learn(self, kind: str, meta: Meta) -> list[Pod]:
        """A ReplicaSet or Job; the pods whose workload is only now known."""
        owner = meta.controller()
        self._tops[kind][meta.uid] = _top(owner.kind, owner.name) if owner else _top(kind, meta.name)
        return list(self._waiting.pop(meta.uid, {}).values())

    def refuse(self, kind: str) -> list[Pod]:
        """A middle kind may not be read, so it is as near as one gets; the pods that waited for more."""
        self._refused.add(kind)
        return [
            pod
            for pods in self._waiting.values()
            for pod in pods.values()
            if (owner := pod.metadata.controller()) is not None and owner.kind == kind
        ]

    def forget(self, uid: str) -> None:
        """A middle owner is gone: it goes before its pods, which keep the workload they have."""
        for tops in self._tops.values():
            tops.pop(uid, None)

    def forget_pod(self, uid: str) -> None:
        """A pod is gone and waits for nothing."""
        for owner in [owner for owner, pods in self._waiting.items() if pods.pop(uid, None) is not None]:
            if not self._waiting[owner]:
                del self._waiting[owner]

    def workload(self, pod: Pod, before: Top | None = None) -> Top | None:
        """Kind and name; None for a bare pod, and while its middle owner is unknown.

        Then it keeps what it had `before`: a pod outlives the ReplicaSet that is deleted with it.
        """
        owner = pod.metadata.controller()
        if owner is None:
            return None
        if owner.kind not in _MIDDLE:
            return _top(owner.kind, owner.name)
        top = self._tops[owner.kind].get(owner.uid)
        # Lists arrive in any order, so pods may come before their ReplicaSets. They wait here instead of being told
        # twice.
        if top is None:
            self._waiting.setdefault(owner.uid, {})[pod.metadata.uid] = pod
        if top is None and before is None and owner.kind in self._refused:
            return _top(owner.kind, owner.name)
        return top or before


def _top(kind: str, name: str) -> Top:
    return (shared(kind) or "", shared(name) or "")
