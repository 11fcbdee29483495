"""Which pods and nodes are there, for telling what an allocator still holds for some that are not.

Pods and nodes are watched, and an allocator's objects are listed now and then: what was released since the last
listing still stands in it. So a pod or node is missed only when it had been gone for a while before that listing.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

_MICROS: Final = 1_000_000
GRACE_US: Final = 900 * _MICROS
"""How long an allocator may take; Calico's own garbage collection waits as long."""
_MOST: Final = 50_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Departures:
    """Pods (`namespace/name`) and nodes that went lately, and when."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._known_since_us = 0

    def note(self, name: str, at_us: int) -> None:
        """It is gone. When there are too many all are forgotten, and what was before that is not known."""
        if len(self._left) >= _MOST:
            self._left.clear()
            self._known_since_us = at_us
        self._left[name] = at_us

    def forget_before(self, at_us: int) -> None:
        """Of these nobody asks any more."""
        self._left = {name: left_us for name, left_us in self._left.items() if left_us >= at_us}

    def since(self, at_us: int) -> frozenset[str] | None:
        """Those that went at `at_us` or later; None where that is not known."""
        if at_us < self._known_since_us:
            return None
        return frozenset(name for name, left_us in self._left.items() if left_us >= at_us)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How custom kinds were listed, and who went since shortly before."""

    began_us: int
    stale: frozenset[str] = frozenset()
    """Sources of which there is only what an earlier listing said."""
    departed: Collection[str] = ()
    """Pods and nodes that left after `GRACE_US` before `began_us`."""


class Presence:
    """Answers for the moment of a listing; each method says what is wrong, or nothing."""

    def __init__(self, pods: Mapping[str, str], nodes: Collection[str], listing: Listing) -> None:
        self._pods = pods
        self._nodes = nodes
        self._departed = listing.departed
        self.young_after: Final = _text(listing.began_us - GRACE_US)
        """What was handed out later than this, as ISO 8601 in UTC without a zone, may be on its way to its pod."""

    def lost_pod(self, name: str, node: str = "") -> str:
        """Of a pod, which ran on `node` where that is known."""
        there = self._pods.get(name)
        if there == node or name in self._departed:
            return ""
        if there is None:
            return f"pod {name} is not there"
        return f"pod {name} of node {node} is on node {there} now" if there and node else ""

    def lost_node(self, name: str) -> str:
        """Of a node."""
        return "" if name in self._nodes or name in self._departed else f"node {name} is not there"


def _text(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S")
