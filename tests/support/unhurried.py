"""No answer is a verdict about how busy the machine is: the deadline of operations is tested with limits of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from periplus_hub.api.graphql_limits import LIMITS

_LONG_S: Final = 3_600.0
UNHURRIED: Final = replace(LIMITS, execution_s=_LONG_S)
"""The limits of a hub, without its deadline."""


@contextmanager
def unhurried() -> Iterator[None]:
    """Hubs that are started in this process meanwhile have no deadline: from outside nobody may set one."""
    was = LIMITS.execution_s
    object.__setattr__(LIMITS, "execution_s", _LONG_S)
    try:
        yield
    finally:
        object.__setattr__(LIMITS, "execution_s", was)
