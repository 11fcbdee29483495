"""Which pods a Service leads to, by the rows of its EndpointSlices. Pure."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from periplus_contract.tables import ENDPOINTS
from periplus_spoke.conversion.rows import Row, positions

_AT: Final = positions(ENDPOINTS)
_OF: Final = (_AT["namespace"], _AT["service"], _AT["target_kind"])
_NAME, _PORTS = _AT["target_name"], _AT["ports"]


class PodPort(NamedTuple):
    """Where a pod listens."""

    namespace: str
    pod: str
    port: int


def pods_behind(rows: Iterable[Row], namespace: str, service: str) -> list[PodPort]:
    """Each once, with the first port that is told; also one that is not ready, as it has its page all the same."""
    wanted = (namespace, service, "Pod")
    found = {PodPort(namespace, str(row[_NAME]), _port(row)) for row in rows if tuple(row[at] for at in _OF) == wanted}
    return sorted(each for each in found if each.port)


def _port(row: Row) -> int:
    """0 where none is told."""
    ports = row[_PORTS]
    texts = (str(port).split("|")[2] for port in ports) if isinstance(ports, tuple) else ()
    return next((int(text) for text in texts if text), 0)
