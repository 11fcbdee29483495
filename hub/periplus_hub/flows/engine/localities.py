"""In which region and zone pods and nodes were, by number: where their node was at the time. Pure.

A pod stays on its node. What had one locality all the hour has it, by whichever of its addresses it was seen; of what
had several, the address and the time tell. Where they do not, the zone is not known, and the region only if all are in
one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.columns import Ints, joined
from periplus_hub.flows.engine.minutes import Spans, whole_minutes
from periplus_hub.inventory.identity import Addresses

UNKNOWN_LOCALITY: Final = 0
"""Nothing is common to all that it may be."""
UNLABELLED: Final = 1
"""Of what was somewhere that has no name, or on a node that is not known."""
_PARTS: Final = ("region", "zone")
NO_NODES: Final = pa.table(
    {
        **{name: pa.array([], pa.string()) for name in ("registration_id", "node", *_PARTS)},
        **{name: pa.array([], pa.int64()) for name in ("since", "until")},
    }
)
"""Where nothing is known of nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Addresses that pods and nodes had."""

    owner: Ints
    spans: Spans
    node: pa.Array
    """A key of the node that the pod ran on, or that it is."""


@dataclass(frozen=True, slots=True)
class Names:
    """Regions and zones by number.

    What is exact is of one pod or node, or of several that were all there, even where that has no names. Else it is
    what all pods of a workload have in common: their region, or nothing.
    """

    texts: pa.Table
    """region and zone of each."""
    region_alone: Ints
    """For each the number of what is common to all of its region."""
    is_exact: Ints
    has_region: Ints
    """1 where it is, and where it has one."""


class Localities:
    """Of everybody that is numbered."""

    def __init__(self, held: Held, nodes: pa.Table, owners: int) -> None:
        """`nodes` as `repository_inventory.node_localities` reads them; `owners`: how many there are."""
        self.names, locality = _named(nodes)
        entry, spans, where = _on_nodes(held, nodes, locality)
        owner = held.owner[entry]
        least, most = _extremes(owner, where, owners)
        regions = _extremes(owner, self.names.region_alone[where], owners)
        common = np.where(regions[0] == regions[1], regions[0], UNKNOWN_LOCALITY)
        self._usual = np.where(least == most, least, common)
        several = np.flatnonzero((least != most)[owner])
        # Who asks names the owner: an address may have been several owners' in the hour.
        self._index = spans.take(several).index(owner[several], where[several]) if len(several) else None
        before = held.spans.take(entry[several])
        cut = several[(spans.since_us[several] > before.since_us) | (spans.until_us[several] < before.until_us)]
        self.cut = spans.take(cut)
        """What one had an address for, in one locality of several that it had it in."""

    def usual(self, owner: Ints) -> Ints:
        """What each had all the hour, or what is common to all that it had."""
        found: Ints = np.append(self._usual, UNKNOWN_LOCALITY)[np.maximum(owner, -1)]
        return found

    def of(self, owner: Ints, address: Addresses, time_us: Ints) -> Ints:
        """Of owners by an address of theirs at a time; an owner below 0 is nobody."""
        found = self.usual(owner)
        if self._index is None:
            return found
        asked = np.flatnonzero(owner >= 0)
        here = Addresses(address.high[asked], address.low[asked])
        said = self._index.owners(owner[asked], here, time_us[asked])
        found[asked] = np.where(said >= 0, said, found[asked])
        return found


def _on_nodes(held: Held, nodes: pa.Table, locality: Ints) -> tuple[Ints, Spans, Ints]:
    """What was held, divided where its node came to another locality: which it is, from and until when, and where."""
    keys = joined(nodes.column(name).combine_chunks() for name in ("registration_id", "node")).dictionary_encode()
    code = np.asarray(keys.indices).astype(np.int64)
    order = np.argsort(code, kind="stable")
    node_since, node_until = (
        each[order] for each in whole_minutes(*(nodes.column(name) for name in ("since", "until")))
    )
    mine = np.asarray(pc.fill_null(pc.index_in(held.node, keys.dictionary), -1)).astype(np.int64)
    first = np.searchsorted(code[order], mine)
    count = np.searchsorted(code[order], mine, side="right") - first
    entry = np.repeat(np.arange(len(mine)), count)
    at = np.repeat(first, count) + np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    since_us = np.maximum(held.spans.since_us[entry], node_since[at])
    until_us = np.minimum(held.spans.until_us[entry], node_until[at])
    met = np.flatnonzero(since_us < until_us)
    # What was on no node that is known was somewhere, too: it keeps others of its owner from being all of it.
    lone = np.flatnonzero(np.bincount(entry[met], minlength=len(mine)) == 0)
    whole = held.spans.take(np.concatenate((entry[met], lone)))
    spans = Spans(
        address=whole.address,
        length=whole.length,
        since_us=np.concatenate((since_us[met], held.spans.since_us[lone])),
        until_us=np.concatenate((until_us[met], held.spans.until_us[lone])),
    )
    where = np.concatenate((locality[order][at[met]], np.full(len(lone), UNLABELLED, dtype=np.int64)))
    return np.concatenate((entry[met], lone)), spans, where


def _extremes(group: Ints, values: Ints, count: int) -> tuple[Ints, Ints]:
    """Of each group the least and the greatest; UNKNOWN_LOCALITY where it is empty."""
    least = np.full(count, np.iinfo(np.int64).max)
    most = np.full(count, UNKNOWN_LOCALITY, dtype=np.int64)
    np.minimum.at(least, group, values)
    np.maximum.at(most, group, values)
    return np.minimum(least, most), most


def _named(nodes: pa.Table) -> tuple[Names, Ints]:
    """All localities that there may be, and for each row the number of its own."""
    region, zone = (nodes.column(name).combine_chunks() for name in _PARTS)
    count = len(region)
    nothing = pa.array(["", ""], pa.string())
    regions = pa.concat_arrays([nothing, region, region])
    zones = pa.concat_arrays([nothing, pa.array([""] * count, pa.string()), zone])
    is_exact = np.repeat(np.array([0, 1, 0, 1]), [1, 1, count, count])
    encoded = joined((regions, zones, pa.array(is_exact).cast(pa.string()))).dictionary_encode()
    number = np.asarray(encoded.indices).astype(np.int64)
    first = np.unique(number, return_index=True)[1]
    regions_of = regions.take(pa.array(first))
    alone = np.concatenate(([UNKNOWN_LOCALITY, UNKNOWN_LOCALITY], np.tile(number[2 : 2 + count], 2)))
    names = Names(
        texts=pa.table({"region": regions_of, "zone": zones.take(pa.array(first))}),
        region_alone=alone[first],
        is_exact=is_exact[first],
        has_region=np.asarray(pc.not_equal(regions_of, "")).astype(np.int64),
    )
    return names, number[2 + count :]
