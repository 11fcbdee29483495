"""Where the ends of rows are, by number, and what passes between each two of them. Pure."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import UUID_BYTES, Ints, plain
from periplus_hub.flows.model import NOBODY
from periplus_hub.flows.model_kinds import EXTERNAL
from periplus_hub.pricing.model import ClusterPlace, Place, Traffic, Where

_PARTS: Final = ("registration", "kind", "workload", "region", "zone")


@dataclass(frozen=True, slots=True)
class PlacePairs:
    """The distinct pairs of places of rows, and of which pair each row is."""

    traffic: Sequence[Traffic]
    pair: Ints


def place_pairs(rows: pa.Table, clusters: Mapping[UUID, ClusterPlace]) -> PlacePairs:
    """Of rows with `src_…` and `dst_…` of registration, kind, workload, region and zone.

    What is in no cluster is on the internet only where its address is told, and is public.
    """
    places: list[list[Place]] = []
    numbers = []
    for side in ("src", "dst"):
        found, number = _places(rows, side, clusters)
        places.append(found)
        numbers.append(number)
    combined = numbers[0] * (len(places[1]) + 1) + numbers[1]
    distinct, pair = np.unique(combined, return_inverse=True)
    traffic = [
        Traffic(initiator=places[0][each // (len(places[1]) + 1)], acceptor=places[1][each % (len(places[1]) + 1)])
        for each in distinct.tolist()
    ]
    return PlacePairs(traffic, pair.astype(np.int64))


def _places(rows: pa.Table, side: str, clusters: Mapping[UUID, ClusterPlace]) -> tuple[list[Place], Ints]:
    """The distinct places of this side, and the one of each row."""
    columns = [_coded(rows.column(f"{side}_{part}")) for part in _PARTS]
    combined = np.zeros(rows.num_rows, dtype=np.int64)
    for codes, words in columns:
        _, combined = np.unique(combined * (len(words) + 1) + codes, return_inverse=True)
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    known: dict[Place, int] = {}
    place_of = np.empty(len(first), dtype=np.int64)
    for at, row in enumerate(first.tolist()):
        place = _place(*(words[codes[row]] for codes, words in columns), clusters=clusters)
        place_of[at] = known.setdefault(place, len(known))
    return list(known), place_of[number]


def _coded(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
    values = plain(column.combine_chunks())
    if isinstance(values, pa.FixedSizeBinaryArray):
        values = values.cast(UUID_BYTES)
    encoded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
    return np.asarray(encoded.indices).astype(np.int64), encoded.dictionary.to_pylist()


def _place(
    registration: bytes, kind: str, workload: str, region: str, zone: str, *, clusters: Mapping[UUID, ClusterPlace]
) -> Place:
    cluster = UUID(bytes=registration)
    if cluster == NOBODY:
        return Place(where=Where.INTERNET if kind == EXTERNAL and is_address(workload) else Where.UNKNOWN)
    known = clusters.get(cluster, ClusterPlace())
    return Place(cluster=cluster, provider=known.provider, account=known.account, region=region, zone=zone)


def is_address(text: str) -> bool:
    """Whether it is a range of addresses, and not the name of a host, which may be anywhere."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
