"""What joining would bring: filters and totals are about every group, however many pages there are."""

from collections.abc import Iterator
from operator import attrgetter
from uuid import UUID

import numpy as np
import pytest

from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.overlaps.engine.what_if import RankedGroup, WhatIfView
from periplus_hub.addresses.overlaps.model import GroupFilter, Severity
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.kit.windows import Window, span

from tests.support.prefix_columns import prefix_columns

A, B, C = (UUID(int=n) for n in (1, 2, 3))
NET = {A: UUID(int=11), B: UUID(int=12), C: UUID(int=13)}
MANY = [str(Prefix(4, (10 << 24 | number << 8) << 96, 24)) for number in range(1_200)]
LAST = "192.168.0.0/24"
SIX = "fd00::/64"


def columns(*cidrs: str) -> ClusterColumns:
    use = np.full(len(cidrs), USES.index(Use.POD), dtype=np.uint8)
    return ClusterColumns(prefix_columns([parse(cidr) for cidr in cidrs]), use, np.zeros(len(cidrs), dtype=np.int64))


@pytest.fixture(scope="module")
def view() -> WhatIfView:
    """1,202 groups of A and B; C is in one of them, and the last is accepted."""
    sets = {A: columns(*MANY, LAST, SIX), B: columns(*MANY, LAST, SIX), C: columns(MANY[7])}
    accepted = {LAST: [{A: Severity.BLOCKS_FEDERATION, B: Severity.BLOCKS_FEDERATION}], MANY[0]: [{A: Severity.LATENT}]}
    return WhatIfView(Topology(NET, {}), sets, accepted)


def roots(groups: list[RankedGroup]) -> list[str]:
    return [str(group.stats.root) for group in groups]


def pages(view: WhatIfView, only: GroupFilter, first: int) -> Iterator[RankedGroup]:
    wanted, after = view.wanted(only), None
    while True:
        start, stop = span(wanted, attrgetter("key"), (after, None), Window(first))
        yield from wanted[start:stop]
        if stop == len(wanted):
            return
        after = wanted[stop - 1].key


def test_a_filter_finds_what_stands_behind_a_thousand_others(view: WhatIfView) -> None:
    assert len(view.groups) == 1_202
    assert roots(view.wanted(GroupFilter(severities=(Severity.INTENDED,)))) == [LAST]
    assert roots(view.wanted(GroupFilter(family=6))) == [SIX]
    assert roots(view.wanted(GroupFilter(within="192.168.0.0/16"))) == [LAST]
    assert roots(view.wanted(GroupFilter(within="192.168.0.7/32"))) == [LAST]


def test_clusters_and_domains_narrow_by_their_own_severity(view: WhatIfView) -> None:
    both = GroupFilter(registration_ids=(A, C))
    assert roots(view.wanted(both)) == [MANY[7]]
    assert roots(view.wanted(GroupFilter(domain_ids=(NET[C],)))) == [MANY[7]]
    intended = GroupFilter(registration_ids=(A,), severities=(Severity.INTENDED,))
    assert roots(view.wanted(intended)) == [LAST]
    assert view.wanted(GroupFilter(registration_ids=(C,), severities=(Severity.LATENT,))) == []
    assert view.wanted(GroupFilter(registration_ids=(UUID(int=99),))) == []


@pytest.mark.parametrize("first", [1, 100, 601, 1_202, 5_000])
def test_pages_hold_every_group_once_worst_first(view: WhatIfView, first: int) -> None:
    found = list(pages(view, GroupFilter(), first))
    assert [group.key for group in found] == sorted({group.key for group in view.groups})
    assert (str(found[0].stats.root), str(found[-1].stats.root)) == (MANY[7], LAST)


def test_an_acceptance_that_does_not_cover_all_that_would_be_there_is_none(view: WhatIfView) -> None:
    (group,) = view.wanted(GroupFilter(within=MANY[0]))
    assert (group.severity, group.accepted) == (Severity.BLOCKS_FEDERATION, False)


def test_of_no_cluster_there_is_no_group() -> None:
    nobody = WhatIfView(Topology({}, {}), {}, {})
    assert nobody.wanted(GroupFilter(domain_ids=(NET[A],), severities=(Severity.LATENT,))) == []
