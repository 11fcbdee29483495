"""Times as fine as they are known of flows. Pure."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import Flags, Ints
from periplus_hub.flows.model import MINUTE_S
from periplus_hub.inventory.identity import FOREVER, Addresses, Entries, IdentityIndex

_ADDRESS_BITS: Final = 128
_MINUTE_US: Final = MINUTE_S * 1_000_000


def whole_minutes(since_us: pa.ChunkedArray, until_us: pa.ChunkedArray) -> tuple[Ints, Ints]:
    """From and until when, in microseconds: what held in any moment of a minute held in all of it."""
    until = until_us.to_numpy()
    ends: Ints = np.where(until > FOREVER // 4, FOREVER, -(-until // _MINUTE_US) * _MINUTE_US)
    return since_us.to_numpy() // _MINUTE_US * _MINUTE_US, ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Times from and until which something was said of addresses, or of whole ranges."""

    address: Addresses
    length: Ints
    since_us: Ints
    until_us: Ints

    def take(self, which: Ints) -> "Spans":
        """Some of them."""
        return Spans(
            address=Addresses(self.address.high[which], self.address.low[which]),
            length=self.length[which],
            since_us=self.since_us[which],
            until_us=self.until_us[which],
        )

    def index(self, domain: Ints, owner: Ints) -> IdentityIndex:
        """Of an owner each, within domains."""
        entries = Entries(
            bits=_ADDRESS_BITS,
            domain=domain,
            first=self.address,
            length=self.length,
            since_us=self.since_us,
            until_us=self.until_us,
            owner=owner,
        )
        return IdentityIndex(entries)

    def changed(self, address: Addresses, first_us: int, last_us: int) -> Flags:
        """Of which addresses anything began or ended within the time."""
        mine = np.zeros(len(self.length), dtype=np.bool_)
        for each in (self.since_us, self.until_us):
            mine |= (each > first_us) & (each < last_us)
        nothing = np.zeros(len(address.low), dtype=np.int64)
        if not mine.any():
            return nothing.astype(np.bool_)
        alike = np.zeros(int(mine.sum()), dtype=np.int64)
        always = replace(self.take(np.flatnonzero(mine)), since_us=alike, until_us=alike + 1)
        found: Flags = always.index(alike, alike).at(0).owners(nothing, address) >= 0
        return found
