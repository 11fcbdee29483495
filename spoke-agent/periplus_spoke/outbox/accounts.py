"""Accounting: every collected row ends in exactly one outcome. Pure.

    collected = settled + queued + folded + sum(dropped)        per kind and UTC hour

`queued` is derived from the files held. The rest is counted here and stored with the outbox's state. What the hub is
told travels only in headers, never in heartbeats: the hub adds a header's share in the transaction that first takes
the batch, so a repeated request counts once. A heartbeat has no such guard.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Final, NamedTuple

import msgspec

from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind

KEEP_HOURS: Final = 7 * 24


class Hour(NamedTuple):
    """What rows are accounted under."""

    kind: Kind
    start_s: int


class Total(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Rows that came in, and those that left for good. The difference is queued."""

    collected: int = 0
    settled: int = 0
    folded: int = 0
    dropped: dict[str, int] = {}

    @property
    def gone(self) -> int:
        """All of them."""
        return self.settled + self.folded + sum(self.dropped.values())


class HourTotal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A Total with its key, as stored."""

    kind: Kind
    start_s: int
    total: Total


class Accounts:
    """Totals since the outbox exists (the last seven days of them) and the outcomes the hub has not been told."""

    def __init__(self, totals: Iterable[HourTotal] = (), pending: Iterable[Outcome] = ()) -> None:
        self._totals = {Hour(row.kind, row.start_s): row.total for row in totals}
        self._pending: dict[Hour, Outcome] = {}
        self.owe(pending)

    @property
    def totals(self) -> Mapping[Hour, Total]:
        """What left, per kind and hour."""
        return self._totals

    def collect(self, hour: Hour, rows: int) -> None:
        """Rows that came in; the hub is told."""
        self._total(hour).collected += rows
        self.owe((Outcome(hour_start_s=hour.start_s, kind=hour.kind, collected=rows),))

    def forget(self, hour: Hour, rows: int, told: Iterable[Outcome]) -> None:
        """As if this batch had never been sealed nor its rows collected."""
        self._total(hour).collected -= rows
        self.owe((*told, Outcome(hour_start_s=hour.start_s, kind=hour.kind, collected=-rows)))

    def copy(self) -> "Accounts":
        """Of the same accounts, to change on their own."""
        rows = (HourTotal(kind=hour.kind, start_s=hour.start_s, total=deepcopy(t)) for hour, t in self._totals.items())
        return Accounts(rows, self._pending.values())

    def found(self, hour: Hour, rows: int) -> None:
        """Rows held from a time whose accounts are lost; the hub was told of them then."""
        self._total(hour).collected += rows

    def settle(self, hour: Hour, rows: int) -> None:
        """Rows the hub has settled, or holds while we let go of our copy."""
        self._total(hour).settled += rows

    def drop(self, hour: Hour, rows: int, reason: str) -> None:
        """Rows lost for `reason`; the hub is told."""
        dropped = self._total(hour).dropped
        dropped[reason] = dropped.get(reason, 0) + rows
        self.owe((Outcome(hour_start_s=hour.start_s, kind=hour.kind, dropped={reason: rows}),))

    def fold(self, hour: Hour, rows: int) -> None:
        """Rows that became part of a coarser window; the hub is told."""
        self._total(hour).folded += rows
        self.owe((Outcome(hour_start_s=hour.start_s, kind=hour.kind, folded=rows),))

    def owe(self, outcomes: Iterable[Outcome]) -> None:
        """Outcomes to tell with the next header."""
        for outcome in outcomes:
            hour = Hour(outcome.kind, outcome.hour_start_s)
            merged = _combine(self._pending.get(hour), outcome, 1)
            self._put(hour, merged)

    def told(self, outcomes: Iterable[Outcome]) -> None:
        """Outcomes that a sealed header carries: no longer owed. No hub takes a header that owes fewer than no rows."""
        for outcome in outcomes:
            hour = Hour(outcome.kind, outcome.hour_start_s)
            left = _combine(self._pending.get(hour), outcome, -1)
            # More is told than owed after accounts were lost and began again with what is held.
            dropped = {reason: rows for reason, rows in left.dropped.items() if rows > 0}
            self._put(hour, msgspec.structs.replace(left, collected=max(left.collected, 0), dropped=dropped))

    def owed(self, limit: int, hour: Hour | None = None, collected: int = 0) -> tuple[Outcome, ...]:
        """At most `limit` outcomes for a header, oldest first; `collected` rows of `hour` always among them."""
        owed = dict(self._pending)
        mine = []
        if hour is not None:
            own = Outcome(hour_start_s=hour.start_s, kind=hour.kind, collected=collected)
            own = _combine(owed.pop(hour, None), own, 1)
            # A batch always tells of its own rows: else the hub would count rows as settled that nobody told it were
            # collected.
            mine = [] if _is_empty(own) else [own]
        older = sorted(owed, key=lambda key: (key.start_s, key.kind))
        return (*mine, *(owed[key] for key in older[: limit - len(mine)]))

    def pending(self) -> tuple[Outcome, ...]:
        """Everything owed, as stored."""
        return tuple(self._pending.values())

    def stored(self, held: Iterable[Hour], now_s: int) -> tuple[HourTotal, ...]:
        """The totals to store; hours beyond a week with nothing held any more are forgotten."""
        oldest = now_s - KEEP_HOURS * 3600
        if any(hour.start_s < oldest for hour in self._totals):
            keep = set(held)
            self._totals = {
                hour: total for hour, total in self._totals.items() if hour.start_s >= oldest or hour in keep
            }
        return tuple(
            HourTotal(kind=hour.kind, start_s=hour.start_s, total=total) for hour, total in self._totals.items()
        )

    def _total(self, hour: Hour) -> Total:
        return self._totals.setdefault(hour, Total(dropped={}))

    def _put(self, hour: Hour, outcome: Outcome) -> None:
        if _is_empty(outcome):
            self._pending.pop(hour, None)
        else:
            self._pending[hour] = outcome


def _combine(first: Outcome | None, second: Outcome, sign: int) -> Outcome:
    if first is None:
        first = Outcome(hour_start_s=second.hour_start_s, kind=second.kind)
    reasons = first.dropped.keys() | second.dropped.keys()
    dropped = {reason: first.dropped.get(reason, 0) + sign * second.dropped.get(reason, 0) for reason in reasons}
    return Outcome(
        hour_start_s=first.hour_start_s,
        kind=first.kind,
        collected=first.collected + sign * second.collected,
        folded=first.folded + sign * second.folded,
        dropped={reason: rows for reason, rows in sorted(dropped.items()) if rows},
    )


def _is_empty(outcome: Outcome) -> bool:
    return not (outcome.collected or outcome.folded or outcome.dropped)
