"""Clusters whose allocator tells something else of addresses than their pods have."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from periplus_hub.addresses.ipam.model import PoolCheck
from periplus_hub.findings.facts import POOL_CHECKS, REGISTRATIONS, Facts, PoolChecks
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.fleet.model import Registration


class AllocatorAgainstPods:
    """One finding for each cluster."""

    name = "allocator-against-pods"
    needs = (REGISTRATIONS, POOL_CHECKS)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Only of clusters that were read whole, and of pods that have had their addresses for a while."""
        del now
        checks = facts[POOL_CHECKS]
        return None if checks.is_waiting else _drafts(facts[REGISTRATIONS], checks)


def _drafts(registrations: Sequence[Registration], checks: PoolChecks) -> Iterator[FindingDraft | Undecided]:
    yield from (Undecided(str(each)) for each in checks.unknown)
    for registration in registrations:
        check = checks.found.get(registration.id)
        if check and (check.pods_outside or check.short_pools):
            yield _contradiction(registration, check)


def _contradiction(registration: Registration, check: PoolCheck) -> FindingDraft:
    why, what_to_do = zip(*_said(check), strict=True)
    return FindingDraft(
        fingerprint=str(registration.id),
        severity=FindingSeverity.WARNING,
        title=f"{registration.name}: pods have addresses that the allocator does not count",
        why=" ".join(why),
        what_to_do=" ".join(what_to_do),
        evidence={
            "networks": list(check.networks_outside),
            "namespaces": list(check.namespaces_outside),
            "pools": list(check.short_pools),
        },
        registration_id=registration.id,
    )


def _said(check: PoolCheck) -> Iterator[tuple[str, str]]:
    """Why, and what to do about it."""
    if check.pods_outside:
        where = ", ".join(check.networks_outside)
        whose = _listed("namespace", check.namespaces_outside)
        yield f"Pods of {whose} have addresses in {where} that lie in none of the cluster's ranges.", _MAKE_ANEW
    if check.short_pools:
        pools = _listed("pool", check.short_pools)
        yield f"Of {pools} pods have more addresses than the allocator says are in use: {_TWICE}", _COMPARE


def _listed(word: str, names: Sequence[str]) -> str:
    return f"{word}{'' if len(names) == 1 else 's'} {', '.join(names)}"


_TWICE: Final = "it may hand one out a second time."
_MAKE_ANEW: Final = (
    "See them: 'kubectl get pods -A -o wide'. Pods from before the network plugin or its pools were changed get new "
    "addresses when they are deleted and their controllers make new ones."
)
_COMPARE: Final = (
    "Compare what the allocator has with the addresses of pods (with Calico: 'calicoctl ipam check'), and delete the "
    "pods whose addresses it does not have: their controllers make new ones."
)
