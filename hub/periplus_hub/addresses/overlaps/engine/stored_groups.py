"""What is to be written, so that the stored groups are those of the register. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from periplus_hub.addresses.overlaps.engine.forest import GroupStats
from periplus_hub.addresses.overlaps.engine.tenant_register import Share, TenantRegister
from periplus_hub.addresses.overlaps.model import Severity
from periplus_hub.addresses.prefixes.prefix import Prefix


def digest_of(shares: str) -> int:
    """A number for the shares of a group, joined by semicolons in the order of their clusters, to compare them by."""
    # Python salts it, so it is another in every process: compared with what this process read, never stored.
    return hash(shares)


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as the database has it; `shares_digest` stands for what its clusters have in it."""

    id: UUID
    root: Prefix
    severity: Severity
    clusters: int
    members: int
    pairs: int
    since: datetime
    shares_digest: int

    def says(self, group: GroupStats, shares_digest: int) -> bool:
        """Whether nothing is to be written."""
        now = (group.severity, group.clusters, group.members, sum(group.pairs), shares_digest)
        return now == (self.severity, self.clusters, self.members, self.pairs, self.shares_digest)


class GroupNow(NamedTuple):
    """A group and its clusters' shares as they are now."""

    stats: GroupStats
    shares: Sequence[Share]
    shares_digest: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write: groups that are new or changed with their identity, and ids that are gone."""

    new: tuple[tuple[GroupNow, datetime], ...]
    changed: tuple[tuple[GroupNow, StoredGroup], ...]
    gone: tuple[StoredGroup, ...]


def difference(
    stored: Mapping[Prefix, StoredGroup], roots: Iterable[Prefix], register: TenantRegister, now: datetime
) -> Difference:
    """Compare stored groups with the register at `roots`.

    A group keeps its identity while its root keeps a group. A new root inherits the oldest `since` of the groups that
    vanished inside or around it: an overlap does not start when its outline changes.
    """
    found = {root: register.numbered.group(root) for root in roots}
    gone = sorted((stored[root] for root in found.keys() & stored.keys() if found[root] is None), key=_root)
    new, changed = [], []
    since = _inherited(found.keys() - stored.keys(), gone)
    for group in _with_shares([group for group in found.values() if group is not None], register):
        known = stored.get(group.stats.root)
        if known is None:
            new.append((group, min(since[group.stats.root], now)))
        elif not known.says(group.stats, group.shares_digest):
            changed.append((group, known))
    return Difference(tuple(new), tuple(changed), tuple(gone))


def _with_shares(groups: Sequence[GroupStats], register: TenantRegister) -> Iterator[GroupNow]:
    for group, shares in zip(groups, register.shares([group.root for group in groups]), strict=True):
        # Whoever only lives in a range that people entered is inside the group, and no part of it.
        yield GroupNow(group._replace(clusters=len(shares)), shares, digest_of(";".join(map(str, shares))))


def _root(group: StoredGroup) -> Prefix:
    return group.root


def _inherited(roots: Iterable[Prefix], gone: Iterable[StoredGroup]) -> dict[Prefix, datetime]:
    """By new root, the oldest `since` of every vanished group inside or around it."""
    # One walk in tree order over both: what is on the stack lies around what comes next, so every pair of old and new
    # that nest meets once.
    oldest = dict.fromkeys(roots, datetime.max.replace(tzinfo=UTC))
    starts = [(group.root, group.since) for group in gone] + [(root, None) for root in oldest]
    around: list[tuple[Prefix, datetime | None]] = []
    for root, since in sorted(starts, key=itemgetter(0)):
        while around and not around[-1][0].covers(root):
            around.pop()
        for outer, outer_since in around:
            if since is not None and outer_since is None:
                oldest[outer] = min(oldest[outer], since)
            elif since is None and outer_since is not None:
                oldest[root] = min(oldest[root], outer_since)
        around.append((root, since))
    return oldest
