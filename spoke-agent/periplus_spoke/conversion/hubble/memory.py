"""What is remembered of connections and of nodes, so that nothing that is told twice counts twice. Bounded."""

from typing import Final

_NS: Final = 1_000_000_000
_SLACK_NS: Final = 2 * _NS
"""A node's events come from several processors, and are not quite in order."""

Connection = tuple[object, ...]


class Attempts:
    """Connections of late, by their ends and the side that saw them.

    Every event about a packet follows the first within moments, so the youngest are enough: of the two halves the older
    is forgotten when the younger is full.
    """

    def __init__(self, most: int, same_for_s: int) -> None:
        """At most `most` are remembered; one that comes again after `same_for_s` is another."""
        self._half = most // 2
        self._same_ns = same_for_s * _NS
        self._young: dict[Connection, list[int]] = {}
        self._old: dict[Connection, list[int]] = {}

    def is_first(self, connection: Connection, time_ns: int) -> bool:
        """Whether this is a new connection, which is remembered then."""
        known = self._find(connection)
        if known is not None and abs(time_ns - known[0]) < self._same_ns:
            return False
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[connection] = [time_ns, 0]
        return True

    def answered(self, connection: Connection) -> None:
        """It came about."""
        known = self._find(connection)
        if known is not None:
            known[1] = 1

    def is_refused(self, connection: Connection, time_ns: int) -> bool:
        """Whether a reset just now says that it never came about; true once."""
        known = self._find(connection)
        if known is None or known[1] or not 0 <= time_ns - known[0] < self._same_ns:
            return False
        known[1] = 1
        return True

    def _find(self, connection: Connection) -> list[int] | None:
        return self._young.get(connection) or self._old.get(connection)


class Places:
    """Where the nodes of one stream are.

    A relay reads each node where it was when it first had it. One that is given another address, or is taken out and
    put in again, is left unread without a word, though it is called connected: that takes another stream.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, tuple[str, int]] = {}
        self._read_s = 0

    def left_since_s(self, addresses: dict[str, str], now_s: int) -> int | None:
        """When a node was last where it was read, if one is somewhere else now, or there again."""
        known = {name: self._seen[name] for name in addresses.keys() & self._seen.keys()}
        left = [seen for name, seen in known.items() if seen != (addresses[name], self._read_s)]
        if left:
            return min(seen_s for _, seen_s in left)
        gone = {} if len(self._seen) > self._most else self._seen
        self._seen = gone | {name: (address, now_s) for name, address in addresses.items()}
        self._read_s = now_s
        return None


class Watermarks:
    """How far each node has told: a relay that lost a node tells of it again, from where it was first asked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._last_ns: dict[str, int] = {}

    def is_told(self, node: str, time_ns: int) -> bool:
        """Whether this was told before; else it is noted."""
        last_ns = self._last_ns.get(node, 0)
        if time_ns > last_ns:
            if node not in self._last_ns and len(self._last_ns) >= self._most:
                self._last_ns.pop(next(iter(self._last_ns)))
            self._last_ns[node] = time_ns
        return time_ns < last_ns - _SLACK_NS
