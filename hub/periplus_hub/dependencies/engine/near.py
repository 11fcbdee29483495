"""What may have been meant by a name that nothing has. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

_SHOWN: Final = 3
_LIKE: Final = 0.75
_LONGEST: Final = 253
"""Kubernetes has no longer name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Something that has a name."""

    cluster: str
    namespace: str
    kind: str
    name: str
    """Empty where it is a namespace."""
    alike: str
    """What is held against the asked name."""

    def text(self, *, with_kind: bool) -> str:
        """As commands take it."""
        kind = f"{self.kind} " if with_kind and self.kind else ""
        return f"{kind}{self.namespace}/{self.name}@{self.cluster}"


def nearest(asked: str, found: Sequence[Near], *, with_kind: bool) -> list[str]:
    """The few of these that are called so elsewhere, or nearly so; of equally near ones the first."""
    if not asked or len(asked) > _LONGEST:
        return []
    by_name: dict[str, list[Near]] = {}
    for each in found:
        by_name.setdefault(each.alike.lower(), []).append(each)
    names = get_close_matches(asked.lower(), by_name, n=_SHOWN, cutoff=_LIKE)
    texts = (each.text(with_kind=with_kind) for name in names for each in by_name[name])
    return list(dict.fromkeys(texts))[:_SHOWN]
