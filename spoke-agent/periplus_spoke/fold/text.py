"""Small values that every row needs: shared strings, label allow-lists, microseconds."""

from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

DEFAULT_LABEL_KEYS: Final = (
    "app",
    "k8s-app",
    "app.kubernetes.io/*",
    "team",
    "squad",
    "owner",
    "department",
    "business-unit",
    "cost-center",
    "cost-centre",
    "costcenter",
    "cost_center",
    "product",
    "project",
    "environment",
    "env",
    "stage",
    "tier",
    "kubernetes.io/metadata.name",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "node.kubernetes.io/*",
    "topology.kubernetes.io/*",
    "karpenter.sh/capacity-type",
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/capacityType",
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
    "cloud.google.com/gke-spot",
    "kubernetes.azure.com/agentpool",
    "kubernetes.azure.com/scalesetpriority",
)
"""Labels that place an object in an organisation or on a map. Others stay in the cluster."""


class LabelFilter:
    """Which label keys leave the cluster: exact keys, or a prefix ending in `*`."""

    def __init__(self, keys: tuple[str, ...] = DEFAULT_LABEL_KEYS) -> None:
        self._exact = frozenset(key for key in keys if not key.endswith("*"))
        self._prefixes = tuple(key[:-1] for key in keys if key.endswith("*"))

    def keep(self, labels: dict[str, str] | None) -> tuple[str, ...]:
        """The allowed labels as sorted `key=value` texts, shared between rows."""
        if not labels:
            return ()
        return tuple(
            sorted(
                intern(f"{key}={value}")
                for key, value in labels.items()
                if key in self._exact or key.startswith(self._prefixes)
            )
        )


def pairs(labels: dict[str, str] | None) -> tuple[str, ...]:
    """All of a map as sorted `key=value` texts, shared between rows."""
    return tuple(sorted(intern(f"{key}={value}") for key, value in (labels or {}).items()))


def shared(text: str | None) -> str | None:
    """One string object for equal texts, None for nothing."""
    return intern(text) if text else None


def micros(moment: datetime | None) -> int | None:
    """Microseconds since the epoch; a moment without a zone is taken as UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
