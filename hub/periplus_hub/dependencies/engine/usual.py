"""Pairs held against their own usual. Pure: time is an argument."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from periplus_hub.dependencies.engine.baseline import Baseline, Verdict, baseline
from periplus_hub.dependencies.engine.watched import RECENT_HOURS, HourOfPair, PairHours
from periplus_hub.flows.model import HOUR_S

Measure = Callable[[HourOfPair], int | None]
"""None of an hour that has too little to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A pair whose usual is known. `newest` is None where nothing was measured lately, and then it is `NEAR`."""

    pair: PairHours
    usual: Baseline
    newest: HourOfPair | None
    value: int
    verdict: Verdict


def off_or_near(
    found: Iterable[Judged], about: Callable[[PairHours], str]
) -> tuple[dict[str, list[Judged]], list[str]]:
    """Those that are off, by what they are about; and what else may be off."""
    off: dict[str, list[Judged]] = {}
    near: set[str] = set()
    for each in found:
        if each.verdict is Verdict.OFF:
            off.setdefault(about(each.pair), []).append(each)
        elif each.verdict is Verdict.NEAR:
            near.add(about(each.pair))
    return off, sorted(near - off.keys())


def judged(
    pairs: Iterable[PairHours], at_s: int, measure: Measure, floor: Callable[[Baseline], int]
) -> Iterator[Judged]:
    """The newest of the last RECENT_HOURS that has something to say, held against all hours before those.

    What is usual is not known of every pair: those are left out.
    """
    recent = (at_s // HOUR_S - RECENT_HOURS + 1) * HOUR_S
    for pair in pairs:
        measured = [(hour, value) for hour in pair.hours if (value := measure(hour)) is not None]
        usual = baseline([value for hour, value in measured if hour.hour < recent])
        if usual is None:
            continue
        newest, value = measured[-1]
        if newest.hour < recent:
            yield Judged(pair=pair, usual=usual, newest=None, value=value, verdict=Verdict.NEAR)
        else:
            yield Judged(pair=pair, usual=usual, newest=newest, value=value, verdict=usual.verdict(value, floor(usual)))
