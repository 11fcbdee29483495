"""What is surely in the way, with everybody who has a part in it: what ways out follow from. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.preflight.engine.collisions import Collisions
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.model import RuleResult, Verdict, worst_verdict


class Mover(NamedTuple):
    """A cluster, by its position, that has to change its range of a kind and family."""

    owner: int
    kind: AllocationKind
    family: int


class Obstacle(NamedTuple):
    """A range in the way; owners are positions among the clusters of the question.

    One of them may stay, unless it is with what people said that they collide.
    """

    prefix: Prefix
    owners: tuple[tuple[int, tuple[AllocationKind, ...]], ...]
    one_may_stay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The rules of every way, what is surely in the way of each, and who would have to move, the cheapest first.

    Of a mover, the ranges in the way that it has a part in.
    """

    question: Question
    ways: Mapping[FederationTarget, Sequence[RuleResult]]
    obstacles: Mapping[FederationTarget, Sequence[Obstacle]]
    movers: Mapping[FederationTarget, Mapping[Mover, Sequence[str]]]

    def verdict(self, target: FederationTarget) -> Verdict:
        """The worst of its rules."""
        return worst_verdict([rule.verdict for rule in self.ways[target]])


def of_collisions(found: Collisions) -> Iterable[Obstacle]:
    """Of clusters with each other."""
    return (Obstacle(each.prefix, each.owners, one_may_stay=True) for each in found.ranges)
