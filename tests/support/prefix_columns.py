"""Prefixes as the columns a register is built from."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from periplus_hub.addresses.prefixes.columns import PrefixColumns, columns_from_arrays
from periplus_hub.addresses.prefixes.prefix import KEY_BYTES, Prefix


def prefix_columns(prefixes: Sequence[Prefix]) -> PrefixColumns:
    """Through stored keys, as the hub reads them."""
    keys = np.frombuffer(b"".join(chain.from_iterable(map(Prefix.keys, prefixes))), dtype=np.uint8)
    both = keys.reshape(-1, 2, KEY_BYTES)
    return columns_from_arrays(both[:, 0], both[:, 1])
