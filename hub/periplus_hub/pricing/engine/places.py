"""Where the ends of rows are, by number, and what passes between each two of them. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.columns import UUID_BYTES, Flags, Ints, plain
from periplus_hub.flows.model import NOBODY
from periplus_hub.flows.model_kinds import EXTERNAL
from periplus_hub.pricing.engine.paths import ZONES_OF_ACCOUNTS
from periplus_hub.pricing.model import ClusterPlace, Place, Traffic, Where

_PARTS: Final = ("registration", "kind", "workload", "region", "zone")
_COMPARED: Final = ("zone", "cluster", "account")


@dataclass(frozen=True, slots=True)
class PlacePairs:
    """Pairs of places that stand for all of rows, and which of them stands for each row."""

    traffic: Sequence[Traffic]
    pair: Ints


def with_regions(rows: pa.Table, clusters: Mapping[UUID, ClusterPlace]) -> pa.Table:
    """The rows with the cluster's only region for ends of which no node tells one.

    Nodes are known from when they were first read on; a cluster does not move. Zones stay as they are.
    """
    for side in ("src", "dst"):
        name = f"{side}_region"
        codes, words = _coded(rows.column(f"{side}_registration"))
        known = [clusters.get(UUID(bytes=each), ClusterPlace()).region for each in words]
        told = rows.column(name).combine_chunks().cast(pa.string())
        filled = pc.if_else(pc.equal(told, ""), pa.array(known, pa.string()).take(pa.array(codes)), told)
        rows = rows.set_column(rows.schema.get_field_index(name), name, filled)
    return rows


def place_pairs(rows: pa.Table, clusters: Mapping[UUID, ClusterPlace]) -> PlacePairs:
    """Of rows with `src_…` and `dst_…` of registration, kind, workload, region and zone.

    What is in no cluster is on the internet only where its address is told, and is public. Pairs that are alike in all
    that path classes and prices look at are one: kinds of place, providers, regions, and how the zones stand to each
    other. So there are few, however many clusters there are.
    """
    known: dict[Place, int] = {}
    src, dst = (_places(rows, side, clusters, known) for side in ("src", "dst"))
    places = list(known)
    kinds = _codes([(place.where, place.provider, place.region) for place in places])
    combined = (kinds[src] * (len(places) + 1) + kinds[dst]) * len(_Zones) + _zones(places, src, dst)
    _, first, pair = np.unique(combined, return_index=True, return_inverse=True)
    traffic = [Traffic(initiator=places[src[row]], acceptor=places[dst[row]]) for row in first.tolist()]
    return PlacePairs(traffic, pair.astype(np.int64))


class _Zones(IntEnum):
    """How the zones of two places stand to each other."""

    LACKING = 0
    NOT_COMPARABLE = 1
    DIFFERENT = 2
    SAME = 3


def _zones(places: Sequence[Place], src: Ints, dst: Ints) -> Ints:
    """The `_Zones` of each row; as `paths.has_comparable_zones` says it of one."""
    zone, cluster, account = (_codes([getattr(each, name) for each in places]) for name in _COMPARED)
    has_zone, has_account = (_flags(bool(getattr(each, name)) for each in places) for name in ("zone", "account"))
    has_cluster = _flags(each.cluster is not None for each in places)
    are_common = _flags(each.provider not in ZONES_OF_ACCOUNTS for each in places)
    are_comparable = (
        ((cluster[src] == cluster[dst]) & has_cluster[src])
        | ((account[src] == account[dst]) & has_account[src])
        | are_common[src]
    )
    found = np.where(zone[src] == zone[dst], _Zones.SAME, _Zones.DIFFERENT)
    found = np.where(are_comparable, found, _Zones.NOT_COMPARABLE)
    return np.where(has_zone[src] & has_zone[dst], found, _Zones.LACKING).astype(np.int64)


def _flags(values: Iterable[bool]) -> Flags:
    return np.fromiter(values, dtype=np.bool_)


def _codes(values: Sequence[object]) -> Ints:
    """A number for each, the same of equals."""
    known: dict[object, int] = {}
    return np.array([known.setdefault(each, len(known)) for each in values], dtype=np.int64)


def _places(rows: pa.Table, side: str, clusters: Mapping[UUID, ClusterPlace], known: dict[Place, int]) -> Ints:
    """The number in `known` of the place of each row's end, which is added there."""
    columns = [_coded(rows.column(f"{side}_{part}")) for part in _PARTS]
    combined = np.zeros(rows.num_rows, dtype=np.int64)
    for codes, words in columns:
        _, combined = np.unique(combined * (len(words) + 1) + codes, return_inverse=True)
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    place_of = np.empty(len(first), dtype=np.int64)
    for at, row in enumerate(first.tolist()):
        place = _place(*(words[codes[row]] for codes, words in columns), clusters=clusters)
        place_of[at] = known.setdefault(place, len(known))
    return place_of[number]


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
