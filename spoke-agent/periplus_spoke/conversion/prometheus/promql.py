"""Questions in PromQL: one for each counter of a rule, at the end of a window.

What a counter rose by in the window is computed for each of its series, and only then added up. A series that began
within the window has no earlier value and gives nothing, one that ended gives nothing more, and one that was away for a
while is not taken for bytes of this window. With the sum of the counters themselves, each of these would be a jump.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from periplus_contract.limits import MAX_SAMPLING
from periplus_spoke.conversion.prometheus.rule import Counter, FlowRule

LOST_LABEL: Final = "periplus_lost"
"""In an answer, the element with this label is no flow: its value is how many series went backwards."""


class Questions:
    """For one Prometheus. `selector` are matchers that each series must meet, or ''."""

    def __init__(self, selector: str, replica_labels: Sequence[str], window_s: int) -> None:
        self._selector = selector
        self._replicas = ", ".join(replica_labels)
        self._window_s = window_s

    def rises(self, rule: FlowRule, counter: Counter) -> str:
        """By how much the counter rose in the window, by the rule's labels; and how many of its series were reset."""
        series = self._series(counter.metric, counter.where)
        # Replicas have the same series: of each value the highest, so that what two of them saw counts once.
        rose = f"({self._one_of(series)} - {self._one_of(f'{series} offset {self._window_s}s')})"
        lost = f'label_replace(count({rose} < 0), "{LOST_LABEL}", "counter_reset", "", "")'
        return f"sum by ({', '.join(rule.labels)}) ({rose} >= 0) or {lost}"

    def sampling(self, rule: FlowRule) -> str:
        """The rates at which packets are sampled, each as the label `rate`."""
        return f'count_values("rate", {self._series(rule.sampling, "")})'

    def presence(self, rules: Sequence[FlowRule]) -> str:
        """Which of the rules' counters are there."""
        names = "|".join(dict.fromkeys(counter.metric for rule in rules for counter in rule.counters))
        return f"group by (__name__) ({self._series(names, '')})"

    def _one_of(self, series: str) -> str:
        return f"max without ({self._replicas}) ({series})"

    def _series(self, names: str, where: str) -> str:
        matchers = [f'__name__=~"{names}"', *filter(None, (where, self._selector))]
        return f"{{{','.join(matchers)}}}"


def present(rules: Sequence[FlowRule], names: Iterable[str]) -> tuple[FlowRule, ...]:
    """Those of which a counter is among these names."""
    there = tuple(names)
    return tuple(
        rule for rule in rules if any(re.fullmatch(counter.metric, name) for counter in rule.counters for name in there)
    )


def rate(rates: Iterable[str]) -> int | None:
    """The one rate that all say, 1 for one that says that every packet counts; None where they say several, or none."""
    found = {max(int(text), 1) if text.isascii() and text.isdigit() else None for text in rates}
    only = found.pop() if len(found) == 1 else None
    return only if only is not None and only <= MAX_SAMPLING else None
