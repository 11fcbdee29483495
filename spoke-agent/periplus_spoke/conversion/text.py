"""Small values that every row needs: shared strings, label allow-lists, microseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

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


T = TypeVar("T", str, tuple[str, ...])


class Sharing(Generic[T]):
    """One object for equal values, so that rows that repeat them cost less. Only a cache: when full, forgotten whole.

    Not `sys.intern`, which Python 3.12 never gives back: names and addresses of pods come and go for years.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[T, T] = {}

    def one(self, value: T) -> T:
        """The value seen first among those equal to `value`."""
        if len(self._known) >= self._most:
            # Whole, and not the oldest: keeping an order would cost each look-up more than filling it again costs now
            # and then.
            self._known.clear()
        return self._known.setdefault(value, value)

    def __len__(self) -> int:
        return len(self._known)


_texts: Final[Sharing[str]] = Sharing(65_536)
"""Room for what 15,000 pods and their endpoints repeat."""


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
                _texts.one(f"{key}={value}")
                for key, value in labels.items()
                if key in self._exact or key.startswith(self._prefixes)
            )
        )


def pairs(labels: dict[str, str] | None) -> tuple[str, ...]:
    """All of a map as sorted `key=value` texts, shared between rows."""
    return tuple(sorted(_texts.one(f"{key}={value}") for key, value in (labels or {}).items()))


def shared(text: str | None) -> str | None:
    """One string object for equal texts, None for nothing."""
    return _texts.one(text) if text else None


def micros(moment: datetime | None) -> int | None:
    """Microseconds since the epoch; a moment without a zone is taken as UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
