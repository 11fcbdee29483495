"""What the numbers of a pool come to: which parts are known, whether they contradict each other, and how full it is.

An allocator's numbers are a stranger's. They are kept as they came, and what cannot be true of them is named.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from periplus_hub.addresses.ipam.model import FULL_PPM, PoolLimit
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, IPV4, Prefix

PARTS: Final = ("used", "reserved", "cooling", "leaked", "unusable", "free")
"""No address counts in two of them (`periplus_contract.tables.POOLS`)."""
_WITHIN: Final = ("capacity", "assigned", *PARTS)
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of one pool, None for unknown."""

    capacity: int | None = None
    assigned: int | None = None
    used: int | None = None
    reserved: int | None = None
    cooling: int | None = None
    leaked: int | None = None
    unusable: int | None = None
    free: int | None = None
    borrowed: int | None = None
    largest_free_block: int | None = None
    """A prefix length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What follows. The parts of the counts, `idle` and `unaccounted` together are the capacity."""

    taken_ppm: int | None = None
    """Of a million, how much cannot be handed out now: a million only where nothing can. None for unknown."""
    limit: PoolLimit = PoolLimit.UNKNOWN
    idle: int | None = None
    """Handed on to nodes whole, and neither in use nor anything else there."""
    fragmented: int | None = None
    """Free, and outside of the largest free block."""
    unaccounted: int | None = None
    """What nobody told about."""
    contradictions: tuple[str, ...] = ()


def account(counts: Counts, node_block: int | None = None, *, bits: int = FAMILY_BITS[IPV4]) -> Account:
    """Of a pool whose nodes take blocks of the length `node_block`, in a family with addresses of so many bits."""
    wrong = tuple(_contradictions(counts))
    capacity = counts.capacity
    if capacity is None:
        return Account(contradictions=wrong)
    if wrong:
        # Numbers that contradict each other say nothing, but for one thing: more in use than there is, and nothing
        # free, is full whichever of the two is wrong.
        beyond = counts.used is not None and counts.used >= capacity
        full = Account(taken_ppm=FULL_PPM, limit=PoolLimit.ADDRESSES, contradictions=wrong)
        return full if beyond and not counts.free else Account(contradictions=wrong)
    rest = capacity - _known_sum(counts)
    idle = _idle(counts, rest)
    taken_ppm, limit = _fullness(counts, capacity, node_block)
    return Account(
        taken_ppm=taken_ppm,
        limit=limit,
        idle=idle,
        unaccounted=rest - (idle or 0),
        fragmented=_fragmented(counts, bits),
    )


def _contradictions(counts: Counts) -> Iterator[str]:
    capacity = counts.capacity
    if counts.borrowed is not None and counts.used is not None and counts.borrowed > counts.used:
        yield f"{counts.borrowed} are borrowed, of {counts.used} in use"
    if capacity is None:
        return
    single = [name for name in _WITHIN[1:] if (getattr(counts, name) or 0) > capacity]
    yield from (f"{getattr(counts, name)} are {_SAID.get(name, name)}, of {capacity}" for name in single)
    total = _known_sum(counts)
    if not single and total > capacity:
        yield f"its parts are {total} addresses, of {capacity}"


_SAID: Final = {"used": "in use"}


def _known_sum(counts: Counts) -> int:
    return sum(getattr(counts, name) or 0 for name in PARTS)


def _hands_out_blocks(counts: Counts) -> bool:
    """Whether what is free is only what no node has: then nothing comes out of what nodes hold."""
    if counts.capacity is None or counts.assigned is None or counts.free is None:
        return False
    return counts.assigned > 0 and counts.free + counts.assigned <= counts.capacity


def _idle(counts: Counts, rest: int) -> int | None:
    if not _hands_out_blocks(counts) or counts.used is None:
        return None
    there = sum(getattr(counts, name) or 0 for name in ("used", "cooling", "leaked"))
    return min(rest, max(0, (counts.assigned or 0) - there))


def _fragmented(counts: Counts, bits: int) -> int | None:
    if counts.free == 0:
        return 0
    length = counts.largest_free_block
    if counts.free is None or length is None or length > bits:
        return None
    size = 1 << (bits - length)
    return counts.free - size if size <= counts.free else None


def _fullness(counts: Counts, capacity: int, node_block: int | None) -> tuple[int | None, PoolLimit]:
    if capacity == 0:
        return None, PoolLimit.UNKNOWN
    if counts.free is None:
        # The parts that are known are taken for sure; how much of the rest is free, nobody said.
        told = max(_known_sum(counts), counts.assigned or 0)
        known = counts.used is not None or counts.assigned is not None
        return (told * FULL_PPM // capacity, PoolLimit.ADDRESSES) if known else (None, PoolLimit.UNKNOWN)
    block = counts.largest_free_block
    # Free addresses in pieces that are smaller than what a node takes are free for nobody.
    if counts.free and node_block and block is not None and block > node_block and _hands_out_blocks(counts):
        return FULL_PPM, PoolLimit.BLOCKS
    return (capacity - counts.free) * FULL_PPM // capacity, PoolLimit.ADDRESSES


def accounted(pools: Sequence[Mapping[str, Any]], ranges: Sequence[Sequence[Prefix]]) -> list[dict[str, Any]]:
    """Rows of one cluster's pools, each with what its numbers come to, and a `digest`; `ranges` are theirs.

    Two with the same digest say the same, though maybe not at the same time.
    """
    blocks = _node_blocks(pools, ranges)
    rows = [{**row, **_columns(row, blocks)} for row in pools]
    return [{**row, "digest": _digest(row)} for row in rows]


def _digest(row: Mapping[str, Any]) -> bytes:
    told = sorted((name, value) for name, value in row.items() if name != "observed_at")
    return blake2b(msgspec.msgpack.encode(told), digest_size=_DIGEST_BYTES).digest()


def _columns(row: Mapping[str, Any], blocks: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    told = {name: None if row[name] is None else int(row[name]) for name in Counts.__dataclass_fields__}
    # By name first: clusters may have pools whose nodes take blocks of different lengths.
    keys = [_key(row), _key(row)[1:]] if row["scope"] == "cluster" else []
    block = next((blocks[key] for key in keys if key in blocks), None)
    found = account(Counts(**told), block, bits=FAMILY_BITS[row["family"]])
    return {
        "taken_ppm": found.taken_ppm,
        "limited_by": found.limit.value,
        "idle": _text(found.idle),
        "fragmented": _text(found.fragmented),
        "unaccounted": _text(found.unaccounted),
        "contradictions": list(found.contradictions),
    }


def _node_blocks(pools: Sequence[Mapping[str, Any]], ranges: Sequence[Sequence[Prefix]]) -> dict[tuple[str, ...], int]:
    """The length of block that most nodes have, by the pool's name, and where pools have none in common, without."""
    lengths: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for row, own in zip(pools, ranges, strict=True):
        if row["scope"] == "node":
            for key in (_key(row), _key(row)[1:]):
                lengths[key].update(prefix.length for prefix in own)
    return {key: _usual(counted) for key, counted in lengths.items() if counted}


def _usual(lengths: Counter[int]) -> int:
    """The larger block where two are as common."""
    return min(lengths, key=lambda length: (-lengths[length], length))


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return str(row["name"]), str(row["provider"]), str(row["family"])


def _text(count: int | None) -> str | None:
    return None if count is None else str(count)
