"""Addresses that no cluster has: public ones as a range that names no person, others as they are."""

from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network, ip_network
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.flows.model_kinds import ADDRESS, EXTERNAL
from periplus_hub.inventory.identity import Addresses

_MAPPED: Final = 0xFFFF << 32
_INSIDE: Final = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("224.0.0.0/3", "::/96", "fc00::/7", "fe80::/10", "ff00::/8"),
)
"""Addresses that mean something in one network only."""
_V4_PREFIX, _V6_PREFIX = 24, 48


def _words(network: str) -> tuple[int, int, int, int]:
    """First address and mask, each in two halves."""
    read = ip_network(network)
    if read.version == 4:  # noqa: PLR2004 - of the internet protocol
        read = IPv6Network((_MAPPED | int(read.network_address), 96 + read.prefixlen))
    first, mask = int(read.network_address), int(read.netmask)
    low = 2**64 - 1
    return first >> 64, first & low, mask >> 64, mask & low


_MASKS: Final = tuple(map(_words, _INSIDE))


def outside(address: Addresses) -> npt.NDArray[np.bool_]:
    """Which of the addresses mean the same everywhere."""
    inside = np.zeros(len(address.low), dtype=np.bool_)
    for first_high, first_low, mask_high, mask_low in _MASKS:
        high = (address.high & np.uint64(mask_high)) == np.uint64(first_high)
        inside |= high & ((address.low & np.uint64(mask_low)) == np.uint64(first_low))
    return ~inside


def shown(high: Sequence[int], low: Sequence[int], is_outside: Sequence[bool]) -> tuple[list[str], list[str]]:
    """For each address its kind and its text: `external` and a range, or `address` and itself."""
    kinds, texts = [], []
    for first, second, public in zip(high, low, is_outside, strict=True):
        address = IPv6Address(first << 64 | second)
        plain = address.ipv4_mapped or address
        kinds.append(EXTERNAL if public else ADDRESS)
        length = _V4_PREFIX if plain.version == 4 else _V6_PREFIX  # noqa: PLR2004 - as above
        texts.append(str(ip_network((int(plain), length), strict=False)) if public else str(plain))
    return kinds, texts
