"""Pools of which more addresses are leaked each day: held for pods or nodes that are gone, and handed out to nobody."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from periplus_hub.addresses.ipam.model import LeakingPool
from periplus_hub.findings.bands import power_of_two
from periplus_hub.findings.facts import LEAKING_POOLS, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided

_MANY: Final = 16
_FEW: Final = 2
"""Of a small pool, more than one hundredth of it; one address alone is none."""


class LeakingPools:
    """One finding for each pool, and one for those that are too many to list."""

    name = "leaking-pools"
    needs = (REGISTRATIONS, LEAKING_POOLS)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft | Undecided]:
        """Where leaks are not told any more, or are not known for long enough, what was said of them stays."""
        del now
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        leaking = facts[LEAKING_POOLS]
        for pool in leaking.pools:
            if pool.growth is None:
                yield Undecided(pool.key)
            elif pool.registration_id in names and _is_much(pool, pool.growth):
                yield _leak(pool, names[pool.registration_id])
        if leaking.unlisted:
            yield _UNLISTED


def _is_much(pool: LeakingPool, growth: int) -> bool:
    return growth >= _MANY or (growth >= _FEW and pool.capacity is not None and growth * 100 >= pool.capacity)


def _leak(pool: LeakingPool, cluster: str) -> FindingDraft:
    fewest, days = power_of_two(pool.fewest or 0), pool.days or 1
    return FindingDraft(
        fingerprint=pool.key,
        severity=FindingSeverity.WARNING,
        title=f"{cluster}: more and more addresses of pool {pool.name} are leaked",
        why=f"{pool.provider} holds at least {fewest} addresses for pods or nodes that are gone, more than on any of "
        f"the {'days' if days > 1 else 'day'} before. Nothing gets these addresses, so the pool will be full before it "
        "is used up.",
        what_to_do=f"See which and how that shows: 'periplus pools --cluster {cluster} --json' has them as evidence. "
        f"{_REMEDY.get(pool.provider, _OF_ANY)}",
        evidence={
            "provider": pool.provider,
            "scope": pool.scope,
            "family": pool.family,
            "leaked_at_least": fewest,
            "days_of_history": days,
            "capacity": None if pool.capacity is None else str(pool.capacity),
        },
        registration_id=pool.registration_id,
    )


_OF_ANY: Final = (
    "Look at the log of the allocator's controller, which should give them back, and then release them with the "
    "allocator's own tool."
)
_REMEDY: Final = {
    "calico": "Look at the log of calico-kube-controllers, which should give them back. Else, while no pod can start "
    "('calicoctl datastore migrate lock', then unlock), 'calicoctl ipam check -o report.json' finds them and "
    "'calicoctl ipam release --from-report report.json' gives them back.",
    "cilium": "Look at the log of cilium-operator, which should remove what is left of nodes that are gone; a "
    "CiliumNode without its Node can be deleted.",
    "kube-ovn": "Look at the log of kube-ovn-controller, which should give them back; an IP object without its pod can "
    "be deleted.",
    "whereabouts": "Look at the log of its reconciler, which should give them back.",
}
_UNLISTED: Final = FindingDraft(
    fingerprint="unlisted",
    severity=FindingSeverity.WARNING,
    title="More pools may leak than are looked at one by one",
    why="So many pools have leaked addresses that the rest has no findings of its own.",
    what_to_do="See all: 'periplus pools --json', by 'leaked'.",
)
