"""Which pairs make a group as bad as it is: what explanations, and whom it stops, are made of. Pure.

No pair is stored. What is known of a group is how its worst hit clusters stand to each other, and what each of them
uses there that is hit so. The rules then say which two uses can have brought the severity about.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement, product
from typing import NamedTuple

from periplus_hub.addresses.overlaps.engine.severity import pair_severity
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.overlaps.model import Relation, Severity


class WorstPairs(NamedTuple):
    """What is true of the worst pairs of a group.

    `sides` has, of each cluster that is hit so, the uses of those of its allocations that are, and `relations` those
    there are among these clusters.
    """

    severity: Severity
    sides: frozenset[frozenset[Use]]
    relations: frozenset[Relation]


class Cause(NamedTuple):
    """Two uses that collide, in the order of USES, and how their clusters stand; None is one cluster with itself."""

    relation: Relation | None
    a: Use
    b: Use


def causes_of(pairs: WorstPairs) -> frozenset[Cause]:
    """Every pair of uses that can have brought the severity about.

    None where the topology is another by now than the one that the severity follows from.
    """
    own = (each for side in pairs.sides for each in combinations_with_replacement(side, 2))
    among = [each for one, other in combinations_with_replacement(pairs.sides, 2) for each in product(one, other)]
    return frozenset(
        (
            *_that_bring(pairs.severity, None, own),
            *(cause for relation in pairs.relations for cause in _that_bring(pairs.severity, relation, among)),
        )
    )


def _that_bring(severity: Severity, relation: Relation | None, pairs: Iterable[tuple[Use, Use]]) -> Iterator[Cause]:
    for pair in pairs:
        if pair_severity(relation, *pair) is severity:
            a, b = sorted(pair, key=USES.index)
            yield Cause(relation, a, b)
