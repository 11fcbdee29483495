"""Pools of which hardly anything can be handed out any more. Pools of nodes are the business of full_nodes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from periplus_hub.addresses.ipam.model import FULL_PPM, NEARLY_ALL_PPM, PoolLimit, ShortPool
from periplus_hub.findings.facts import REGISTRATIONS, SHORT_POOLS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity

_BANDS_PPM: Final = (FULL_PPM, 990_000, 950_000, NEARLY_ALL_PPM)
_SPEED: Final = "How fast it fills is not known: what pools held earlier is not kept."


class FullPools:
    """One finding for each pool, and one for those that are too many to list."""

    name = "full-pools"
    needs = (REGISTRATIONS, SHORT_POOLS)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """Of a silent cluster, what was true when it was last heard."""
        del now
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        short = facts[SHORT_POOLS]
        for pool in short.pools:
            if pool.taken_ppm is not None and pool.taken_ppm >= NEARLY_ALL_PPM and pool.registration_id in names:
                yield _short(pool, names[pool.registration_id])
        if short.unlisted:
            yield _UNLISTED


def _short(pool: ShortPool, cluster: str) -> FindingDraft:
    is_full = pool.taken_ppm == FULL_PPM
    return FindingDraft(
        fingerprint=pool.key,
        severity=FindingSeverity.CRITICAL
        if is_full and pool.limited_by is not PoolLimit.BLOCKS
        else FindingSeverity.WARNING,
        title=f"{cluster}: pool {pool.name} {_state(pool, is_full=is_full)}",
        why=f"{_why(pool, is_full=is_full)} {_SPEED}",
        what_to_do=_REMEDY[pool.limited_by is PoolLimit.BLOCKS],
        evidence={
            "provider": pool.provider,
            "scope": pool.scope,
            "family": pool.family,
            "taken_at_least": _band(pool) / FULL_PPM,
            "limited_by": pool.limited_by.value,
            "capacity": pool.capacity,
        },
        registration_id=pool.registration_id,
    )


def _band(pool: ShortPool) -> int:
    """So that what comes and goes changes nothing."""
    return next(band for band in _BANDS_PPM if (pool.taken_ppm or 0) >= band)


def _state(pool: ShortPool, *, is_full: bool) -> str:
    if pool.limited_by is PoolLimit.BLOCKS:
        return "has no block left that a node takes"
    return "is full" if is_full else f"is more than {_band(pool) // 10_000} % full"


def _why(pool: ShortPool, *, is_full: bool) -> str:
    if pool.limited_by is PoolLimit.BLOCKS:
        return "Addresses are free, but no block of them is as large as those its nodes have: the next node gets none."
    return "Whatever asks for an address next gets none." if is_full else "What can be handed out is nearly used up."


_REMEDY: Final = {
    False: "Give the allocator a further range ('periplus plan' proposes one), or free what is leaked: see "
    "'periplus pools --json'.",
    True: "Give the allocator a further range ('periplus plan' proposes one), or let it take smaller blocks.",
}
_UNLISTED: Final = FindingDraft(
    fingerprint="unlisted",
    severity=FindingSeverity.WARNING,
    title="More pools are nearly full than are listed one by one",
    why="So many pools are nearly full that the rest has no findings of its own.",
    what_to_do="See all: 'periplus pools --full 0.9'.",
)
