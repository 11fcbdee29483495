"""Names in sentences. Pure."""

from collections.abc import Sequence
from typing import Final

_SHOWN: Final = 4


def listed(names: Sequence[str]) -> str:
    """Such as "a, b and c", or "a, b, c, d and 6 more"."""
    shown = list(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN:,} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)
