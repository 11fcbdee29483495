"""Worked examples of costs as their JSON file says them: what passed, and what it has to come to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from periplus_hub.pricing.built_in_books import built_in_books
from periplus_hub.pricing.model import Meter, PathClass, Price, PriceBook, Tier

from tests.cases.case import UnreadableCase

Json = dict[str, Any]

SCHEMA: Final = "periplus-cost-oracle/1"
BYTE: Final = 10**6
"""Examples have parts of bytes, as 9.9 GiB has: they are reckoned in millionths."""
GIB: Final = 2**30 * BYTE

PRICE_IDS: Final[Mapping[str, tuple[str, str]]] = {
    "aws.xaz": ("aws", "DataTransfer-Regional-Bytes"),
    "aws.dto.us": ("aws", "DataTransfer-Out-Bytes"),
    "aws.nat.gb": ("aws", "NatGateway-Bytes"),
    "aws.tgw.gb": ("aws", "TransitGateway-Bytes"),
    "aws.vpce.gb": ("aws", "VpcEndpoint-Bytes"),
    "aws.nat.h": ("aws", "NatGateway-Hours"),
    "aws.tgw.att.h": ("aws", "TransitGateway-Hours"),
    "aws.vpce.h": ("aws", "VpcEndpoint-Hours"),
    "aws.ipv4.h": ("aws", "PublicIPv4:InUseAddress"),
    "gcp.xz": ("gcp", "Network Inter Zone Data Transfer Out"),
    "gcp.inet.prem.us": ("gcp", "Network Internet Data Transfer Out Premium Tier"),
    "gcp.nat.gb": ("gcp", "Cloud NAT Data Processing"),
    "azure.peer.same": ("azure", "Intra-Region Virtual Network Peering"),
    "azure.pe.gb": ("azure", "Private Endpoint Data Processed"),
}
"""Whose prices the names in a file's `prices` are: such a file says them itself, instead of the built-in books."""
_ROUTES: Final[Mapping[str, tuple[str, str]]] = {
    "aws.xr.use1_euw1": ("us-east-1", "eu-west-1"),
    "aws.xr.euw1_use1": ("eu-west-1", "us-east-1"),
    "aws.xr.use1_use2": ("us-east-1", "us-east-2"),
    "aws.xr.sae1_any": ("sa-east-1", "*"),
}
_FREE: Final[Mapping[str, tuple[str, str]]] = {"aws.dto.free": ("aws", "internet-out")}


@dataclass(frozen=True)
class FinopsCase:
    """One example of a file."""

    id: str
    provider: str
    assumptions: tuple[str, ...]
    inputs: Json
    expected: Json
    books: tuple[PriceBook, ...]
    is_open: bool
    """It has no settled answer."""


def read_finops_cases(path: Path) -> list[FinopsCase]:
    """All of a file; raises UnreadableCase."""
    try:
        found = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise UnreadableCase(msg) from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        msg = f"{path}: its schema is not {SCHEMA}"
        raise UnreadableCase(msg)
    books = _books(path, found.get("prices", {}))
    return [_case(path, each, books) for each in found.get("examples", [])]


def _case(path: Path, each: Json, books: tuple[PriceBook, ...]) -> FinopsCase:
    is_open = "expected_open" in each and "expected" not in each
    try:
        return FinopsCase(
            id=each["id"],
            provider=each.get("provider", "aws"),
            assumptions=tuple(each.get("assumptions", ())),
            inputs=each["inputs"],
            expected={} if is_open else each["expected"],
            books=books,
            is_open=is_open,
        )
    except KeyError as error:
        msg = f"{path}: {each.get('id', 'an example')} lacks {error}"
        raise UnreadableCase(msg) from error


def decimal(value: object, name: str) -> Decimal:
    """A number of a file, exact."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        msg = f"{name}: {value!r} is no number"
        raise UnreadableCase(msg) from None


def _books(path: Path, prices: Mapping[str, Json]) -> tuple[PriceBook, ...]:
    books = {book.provider: _in_millionths(book) for book in built_in_books()}
    for name, said in prices.items():
        if name in _FREE:
            provider, pool = _FREE[name]
            book = books[provider]
            quantity = decimal(said["gb"], name)
            pools = {**book.free_pools, pool: replace(book.free_pools[pool], quantity=quantity)}
            books[provider] = replace(book, free_pools=pools)
        elif name in _ROUTES:
            books["aws"] = _with_route(books["aws"], _ROUTES[name], decimal(said["price"], name))
        elif name in PRICE_IDS:
            provider, sku = PRICE_IDS[name]
            books[provider] = _with_price(books[provider], sku, name, said)
        else:
            msg = f"{path}: the price {name} is not one of those that tests/cases/finops_case.py knows"
            raise UnreadableCase(msg)
    return tuple(books.values())


def _in_millionths(book: PriceBook) -> PriceBook:
    pools = {name: replace(pool, unit_bytes=pool.unit_bytes * BYTE) for name, pool in book.free_pools.items()}
    prices = tuple(replace(price, unit_bytes=price.unit_bytes * BYTE) for price in book.prices)
    return replace(book, prices=prices, free_pools=pools)


def _with_price(book: PriceBook, sku: str, name: str, said: Json) -> PriceBook:
    fixed = tuple(replace(each, price=decimal(said["price"], name)) if each.sku == sku else each for each in book.fixed)
    prices = tuple(
        replace(each, tiers=_tiers(each, name, said)) if each.sku == sku and _is_said(each, name) else each
        for each in book.prices
    )
    return replace(book, prices=prices, fixed=fixed)


def _is_said(price: Price, name: str) -> bool:
    """A name with a place in it is of that place."""
    return not name.endswith(".us") or any(region.startswith("us-") for region in price.regions)


def _with_route(book: PriceBook, route: tuple[str, str], price: Decimal) -> PriceBook:
    """With a price of its own for one route."""
    like = next(each for each in book.prices if PathClass.CROSS_REGION in each.path_classes)
    region, peer = route
    row = replace(like, regions=frozenset({region}), peers=frozenset({peer}), tiers=(Tier(None, price),))
    others = [
        each
        for each in book.prices
        if not (each.sku == like.sku and (each.regions, each.peers) == (row.regions, row.peers))
    ]
    return replace(book, prices=(*others, row))


def _tiers(price: Price, name: str, said: Json) -> tuple[Tier, ...]:
    """`price` is of the first tier; `tiers` are bands, `cum_tiers` where they end."""
    if "price" in said:
        return (Tier(price.tiers[0].quantity, decimal(said["price"], name)), *price.tiers[1:])
    if "tiers" in said:
        return tuple(
            Tier(None if size is None else decimal(size, name), decimal(each, name)) for size, each in said["tiers"]
        )
    found, before = [], Decimal(0)
    for end, each in said["cum_tiers"]:
        size = None if end is None else decimal(end, name) - before
        before = before if end is None else decimal(end, name)
        found.append(Tier(size, decimal(each, name)))
    return tuple(found)


PATHS: Final[Mapping[str, PathClass]] = {
    **{each.value.replace("-", "_"): each for each in PathClass},
    **dict.fromkeys(("cross_az", "xaz"), PathClass.CROSS_ZONE),
    **dict.fromkeys(("same_az", "in_zone"), PathClass.SAME_ZONE),
    **dict.fromkeys(("inter_region", "xr"), PathClass.CROSS_REGION),
    **dict.fromkeys(("internet", "internet_out", "dto"), PathClass.INTERNET_EGRESS),
    **dict.fromkeys(("nat", "via_nat", "nat_gateway", "internet_nat"), PathClass.INTERNET_VIA_NAT),
    **dict.fromkeys(("tgw", "transit_gw"), PathClass.TRANSIT_GATEWAY),
    **dict.fromkeys(("vpc_peering", "vnet_peering", "peer"), PathClass.PEERING),
    **dict.fromkeys(
        ("privatelink", "vpce", "psc", "private_endpoint", "pe", "interface_endpoint", "endpoint"),
        PathClass.PRIVATE_LINK,
    ),
    **dict.fromkeys(("lb", "alb", "nlb"), PathClass.LOAD_BALANCER),
    **dict.fromkeys(("direct_connect", "dx"), PathClass.VPN),
    **dict.fromkeys(("public_ip", "same_region_public_ip", "elastic_ip"), PathClass.SAME_REGION_PUBLIC),
}
"""What files call path classes."""


@dataclass(frozen=True)
class Counted:
    """What a name like `nat_gib` counts: bytes of a path class at a meter, and what is there for hours."""

    path_class: PathClass
    meter: Meter
    named: str
    """In `by_class`."""
    resource: str | None = None


COUNTED: Final[Mapping[str, Counted]] = {
    "nat": Counted(PathClass.INTERNET_VIA_NAT, Meter.INITIATOR, "nat_processing", "nat-gateway"),
    "tgw": Counted(PathClass.TRANSIT_GATEWAY, Meter.SENDER, "tgw_processing", "transit-gateway-attachment"),
    "vpce": Counted(PathClass.PRIVATE_LINK, Meter.INITIATOR, "vpce_processing", "private-link-endpoint-zone"),
    "endpoint": Counted(PathClass.PRIVATE_LINK, Meter.INITIATOR, "endpoint_processing", "private-link-endpoint-zone"),
    "pe": Counted(PathClass.PRIVATE_LINK, Meter.INITIATOR, "pe_processing", "private-link-endpoint-zone"),
    "internet_out": Counted(PathClass.INTERNET_EGRESS, Meter.SENDER, "internet_egress"),
    "internet": Counted(PathClass.INTERNET_EGRESS, Meter.SENDER, "internet_egress"),
    "cross_zone": Counted(PathClass.CROSS_ZONE, Meter.SENDER, "cross_zone"),
}
RESOURCES: Final[Mapping[str, str]] = {
    "nat_gateways": "nat-gateway",
    "attachments": "transit-gateway-attachment",
    "endpoints": "private-link-endpoint-zone",
    "azs": "private-link-endpoint-zone",
    "addresses": "public-ipv4",
}
"""What is there for hours, by what its number is called; of several numbers the product is meant."""
