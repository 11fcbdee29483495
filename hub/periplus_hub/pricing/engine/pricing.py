"""From what passed to what it costs. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import pyarrow as pa

from periplus_hub.pricing.engine.edge_costs import Legs, costs_of, legs_of, month_bytes
from periplus_hub.pricing.engine.grouping import groups_of
from periplus_hub.pricing.engine.legs import Prices
from periplus_hub.pricing.engine.paths import path_of
from periplus_hub.pricing.engine.places import place_pairs, with_regions
from periplus_hub.pricing.model import ClusterPlace, CostGrouping, Costs, Policy, PriceBook


@dataclass(frozen=True, slots=True)
class Pricing:
    """All that costs depend on but the traffic."""

    books: Sequence[PriceBook]
    day: date
    """Whose prices hold."""
    policy: Policy
    clusters: Mapping[UUID, ClusterPlace]
    teams: Mapping[tuple[UUID, str], str]
    """Of clusters and namespaces: the team that is written there."""


def priced(asked: pa.Table | None, month: pa.Table | None, by: CostGrouping, pricing: Pricing) -> Costs:
    """What the asked rows cost, of a month of which `month` is everything; as `repository_traffic.traffic` reads them.

    None is of a tenant that has no flows.
    """
    currency = pricing.books[0].currency
    if asked is None or month is None or not asked.num_rows:
        return Costs(total=Decimal(0), currency=currency, groups=(), books=())
    legs, keys = _legs(asked, by, pricing)
    everything, _ = _legs(month, CostGrouping.PATH_CLASS, pricing)
    return costs_of(legs, keys, pricing.books, month_bytes(everything))


def _legs(rows: pa.Table, by: CostGrouping, pricing: Pricing) -> tuple[Legs, Sequence[tuple[str, ...]]]:
    rows = with_regions(rows, pricing.clusters)
    pairs = place_pairs(rows, pricing.clusters)
    classes = [path_of(traffic).path_class for traffic in pairs.traffic]
    groups = groups_of(rows, by, pricing.teams, classes, pairs.pair)
    return legs_of(rows, pairs, groups, Prices(pricing.books, pricing.day), pricing.policy), groups.keys
