"""Pools of which hardly anything can be handed out any more. Pools of nodes are the business of full_nodes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from periplus_hub.addresses.ipam.model import FULL_PPM, NEARLY_ALL_PPM, PoolLimit, ShortPool
from periplus_hub.findings.facts import REGISTRATIONS, SHORT_POOLS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity

_BANDS_PPM: Final = (FULL_PPM, 990_000, 950_000, NEARLY_ALL_PPM)
_SOON_DAYS: Final = (1, 3, 7)
_DAY_H: Final = 24


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
            is_short = (pool.taken_ppm or 0) >= NEARLY_ALL_PPM or _soon_days(pool) is not None
            if is_short and pool.registration_id in names:
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
        why=f"{_why(pool, is_full=is_full)}{_speed(pool)}",
        what_to_do=_REMEDY[pool.limited_by is PoolLimit.BLOCKS],
        evidence={
            "provider": pool.provider,
            "scope": pool.scope,
            "family": pool.family,
            "taken_at_least": _band(pool) / FULL_PPM,
            "full_within_days": _soon_days(pool),
            "days_of_history": None if pool.history_hours is None else pool.history_hours // _DAY_H,
            "limited_by": pool.limited_by.value,
            "capacity": pool.capacity,
        },
        registration_id=pool.registration_id,
    )


def _band(pool: ShortPool) -> int:
    """So that what comes and goes changes nothing."""
    return next((band for band in _BANDS_PPM if (pool.taken_ppm or 0) >= band), 0)


def _soon_days(pool: ShortPool) -> int | None:
    """Within how many days it is full at its own speed; None for later, never or unknown."""
    left = pool.hours_left
    return None if left is None else next((days for days in _SOON_DAYS if left < days * _DAY_H), None)


def _speed(pool: ShortPool) -> str:
    """What it is said from, too: a speed of the past is no promise."""
    if pool.taken_ppm == FULL_PPM:
        return ""
    if pool.history_hours is None:
        return " How fast it fills is not known: what it had free is not yet known for a day."
    days = _counted(pool.history_hours // _DAY_H)
    soon = _soon_days(pool)
    if pool.hours_left is None:
        return f" In the last {days} it did not fill."
    if soon is None:
        return f" As fast as in the last {days}, it is not full within a week."
    return f" As fast as in the last {days}, nothing is left within {'a ' if soon == 1 else ''}{_counted(soon)}."


def _counted(days: int) -> str:
    """In words."""
    return "day" if days == 1 else f"{days} days"


def _state(pool: ShortPool, *, is_full: bool) -> str:
    if pool.limited_by is PoolLimit.BLOCKS:
        return "has no block left that a node takes"
    if is_full or not _band(pool):
        return "is full" if is_full else "will soon be full"
    return f"is more than {_band(pool) // 10_000} % full"


def _why(pool: ShortPool, *, is_full: bool) -> str:
    if pool.limited_by is PoolLimit.BLOCKS:
        return "Addresses are free, but no block of them is as large as those its nodes have: the next node gets none."
    return "Whatever asks for an address next gets none." if is_full else _NEARLY if _band(pool) else _FILLS


_NEARLY: Final = "What can be handed out is nearly used up."
_FILLS: Final = "It fills fast."
_REMEDY: Final = {
    False: "Give the allocator a further range ('periplus plan' proposes one), or free addresses that nothing needs.",
    True: "Give the allocator a further range ('periplus plan' proposes one), or let it take smaller blocks.",
}
_UNLISTED: Final = FindingDraft(
    fingerprint="unlisted",
    severity=FindingSeverity.WARNING,
    title="More pools are nearly full than are listed one by one",
    why="So many pools are nearly full that the rest has no findings of its own.",
    what_to_do="See all: 'periplus pools --full 0.9'.",
)
