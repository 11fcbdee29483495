"""Many names in one sentence."""

from collections.abc import Sequence


def some(names: Sequence[str], shown: int = 4) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")
