"""Clusters that told flows and have stopped, although their spokes are heard."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import Final

from periplus_hub.dependencies.model import ClusterCoverage
from periplus_hub.findings.facts import FLOW_COVERAGE, LISTENING, REGISTRATIONS, Facts
from periplus_hub.findings.listening import heard_at
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.fleet.model import CONNECTED_WITHIN, Registration, State

STOPPED_FOR: Final = timedelta(minutes=30)
_SEVERAL: Final = 2
_EVERY: Final = "all"
_ALL_UNDECIDED: Final = Undecided(_EVERY, is_unknown=False)


class StoppedFlows:
    """One finding for each cluster, or one for all where none of several tells any more."""

    name = "stopped-flows"
    needs = (REGISTRATIONS, LISTENING, FLOW_COVERAGE)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Of a spoke that is silent itself others speak. A hub that was away first hears what was told meanwhile."""
        coverage, listening = facts[FLOW_COVERAGE], facts[LISTENING]
        if coverage is None:
            return None
        told = {each.registration_id: each for each in coverage.clusters if each.told_until is not None}
        tellers = [each for each in facts[REGISTRATIONS] if each.state is State.ACTIVE and each.id in told]
        stopped = [each for each in tellers if coverage.now - _until(told[each.id]) > STOPPED_FOR]
        if not listening.knows_silence(now) or now - listening.since < STOPPED_FOR:
            return [_ALL_UNDECIDED, *map(_undecided, stopped)] if stopped else []
        if len(stopped) >= _SEVERAL and len(stopped) == len(tellers):
            in_all = [Undecided(str(each.id), is_unknown=False) for each in stopped]
            return [_all(stopped, max(_until(told[each.id]) for each in stopped)), *in_all]
        return [_said(each, told[each.id], now) for each in stopped]


def _until(told: ClusterCoverage) -> datetime:
    return datetime.fromtimestamp(told.told_until or 0, UTC)


def _undecided(registration: Registration) -> Undecided:
    return Undecided(str(registration.id))


def _said(registration: Registration, told: ClusterCoverage, now: datetime) -> FindingDraft | Undecided:
    if now - heard_at(registration) > CONNECTED_WITHIN:
        return _undecided(registration)
    last = _until(told)
    return FindingDraft(
        fingerprint=str(registration.id),
        severity=FindingSeverity.WARNING,
        title=f"{registration.name} tells no flows any more",
        why=f"The last were of {last:%Y-%m-%d %H:%M} UTC, and its spoke is heard. What passes there is not known, "
        "whatever else is shown.",
        what_to_do="Look at what tells its flows: the pods of its agents and their log, and "
        f"'periplus agents list {quote(registration.name)}'. If its flows are not to be told any more, acknowledge it: "
        "it ends a week after the last.",
        evidence={"last_told": last.isoformat(), "agents_of_nodes": bool(told.nodes)},
        registration_id=registration.id,
    )


def _all(stopped: Sequence[Registration], last: datetime) -> FindingDraft:
    return FindingDraft(
        fingerprint=_EVERY,
        severity=FindingSeverity.WARNING,
        title=f"No cluster tells flows any more: {len(stopped)} did",
        why=f"The last were of {last:%Y-%m-%d %H:%M} UTC. Nothing that passed since is known.",
        what_to_do="Look at 'flows' in the hub's /readyz and at the flow store: while it is away for long, spokes are "
        "told to wait. Then look at the log of agents.",
        evidence={"last_told": last.isoformat(), "clusters": len(stopped)},
        registration_ids=tuple(sorted(each.id for each in stopped)),
    )
