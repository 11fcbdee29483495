"""Prices examples with the hub's own arithmetic, and compares what they have to come to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from periplus_hub.pricing.engine.attribution import (
    Split,
    canonical_bytes,
    pays_at_initiator,
    scaled,
    shared_quantity,
    trued_up,
)
from periplus_hub.pricing.engine.exact import EXACT, plain, total
from periplus_hub.pricing.engine.legs import Prices
from periplus_hub.pricing.engine.paths import path_of
from periplus_hub.pricing.engine.tiers import charges, pool_shares
from periplus_hub.pricing.model import (
    LegRule,
    PathClass,
    Place,
    Policy,
    Price,
    PriceBook,
    TierMode,
    Traffic,
    Where,
)

from tests.cases.case import UnreadableCase
from tests.cases.finops_case import BYTE, COUNTED, GIB, PATHS, RESOURCES, FinopsCase, Json, decimal

DAY: Final = date(2026, 10, 1)
_HOME: Final = {"aws": "us-east-1", "gcp": "us-central1", "azure": "eastus", "oracle": "us-ashburn-1"}
_NAIVE: Final = "naive_egress_only_total"
_USED_UP: Final = "free tier already used up"
_OUTSIDE: Final = (PathClass.INTERNET_EGRESS, PathClass.INTERNET_VIA_NAT, PathClass.LOAD_BALANCER)


@dataclass(frozen=True)
class Flow:
    """Bytes one way."""

    sender: str
    receiver: str
    bytes: int
    path_class: PathClass
    sender_place: Place
    receiver_place: Place
    is_reply: bool = False


@dataclass(frozen=True)
class Leg:
    """What one end of a flow is charged, or what somebody used of a gateway."""

    payers: Mapping[Policy, str]
    line: str
    named: str
    source_region: str
    bytes: int
    price: Price


def differences(case: FinopsCase) -> list[str]:
    """What the example's answers differ in; none is as it should be."""
    if case.is_open:
        return []
    answers = _Answers(case)
    found = []
    for name, expected in case.expected.items():
        got = answers.of(name)
        if got is None:
            found.append(f"{name}: not an answer that is known here; expected {_said(expected)}")
        elif not _same(expected, got):
            found.append(f"{name}: expected {_said(expected)}, got {_said(got)}")
    return found


def _same(expected: object, got: object) -> bool:
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(_same(each, got[key]) for key, each in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(_same, expected, got))
    if isinstance(got, Decimal | Fraction):
        return Fraction(decimal(expected, "expected")) == Fraction(got)
    return expected == got


def _said(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_said(each)}" for key, each in value.items()) + "}"
    return plain(value) if isinstance(value, Decimal) else str(value)


class _Answers:
    """All that may be asked of one example."""

    def __init__(self, case: FinopsCase) -> None:
        self._case = case
        self._flows = list(_flows(case))
        self._legs = [leg for flow in self._flows for leg in _legs(case, flow)] + list(_used(case))
        self._costs = _costs(case, self._legs)
        self._shared = dict(_shared(case))

    def of(self, name: str) -> object:
        """Of this name; None where there is no such answer."""
        if "list" in self._case.inputs:
            return self._trued_up(name)
        if name.startswith("policy."):
            return self._by_payer(Policy(name.removeprefix("policy.").replace("_", "-")))
        if name.startswith("same_flows_on_"):
            provider = name.removeprefix("same_flows_on_")
            return _Answers(replace(self._case, provider=provider)).total()
        if name.startswith("total_"):
            return self._in_unit(name.removeprefix("total_").removesuffix("_unit"))
        if name.startswith(_NAIVE):
            return total([cost for leg, cost in self._lines() if leg.line.endswith(":out")])
        answers: dict[str, Callable[[], object]] = {
            "total": self.total,
            "by_owner": lambda: self._by_payer(Policy.ENDPOINT_OWNER),
            "by_line": lambda: self._sums(lambda leg: leg.line),
            "by_source_region": lambda: self._sums(lambda leg: leg.source_region),
            "by_class": self._by_class,
            "by_tier": lambda: [
                total([each.cost for each in self._costs if each.tier == tier]) for tier in self._tiers()
            ],
            "double_count_bug": self._double,
        }
        return answers[name]() if name in answers else None

    def total(self) -> Decimal:
        """Of everything."""
        return total(
            [each.cost for each in self._costs] + [cost for parts in self._shared.values() for cost in parts.values()]
        )

    def _tiers(self) -> Sequence[int]:
        return sorted({each.tier for each in self._costs})

    def _lines(self) -> Iterator[tuple[Leg, Decimal]]:
        for each in self._costs:
            yield self._legs[each.key], each.cost

    def _sums(self, key: Callable[[Leg], str]) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for leg, cost in self._lines():
            if cost or key(leg) in found:
                found[key(leg)] = EXACT.add(found.get(key(leg), Decimal(0)), cost)
        return found

    def _by_payer(self, policy: Policy) -> dict[str, Decimal]:
        everybody = [payer for leg in self._legs for payer in leg.payers.values()]
        found = dict.fromkeys(everybody, Decimal(0))
        for leg, cost in self._lines():
            found[leg.payers[policy]] = EXACT.add(found[leg.payers[policy]], cost)
        for parts in self._shared.values():
            for owner, cost in parts.items():
                found[owner] = EXACT.add(found.get(owner, Decimal(0)), cost)
        # Who is only ever sent to, and never pays by any policy, is nobody's owner.
        return {owner: cost for owner, cost in found.items() if owner}

    def _by_class(self) -> dict[str, Decimal]:
        return self._sums(lambda leg: leg.named) | {
            name: total([*parts.values()]) for name, parts in self._shared.items()
        }

    def _in_unit(self, unit: str) -> Decimal | None:
        sizes = {"gib": GIB, "gb": 10**9 * BYTE}
        if unit not in sizes:
            return None
        books = tuple(
            replace(book, prices=tuple(replace(price, unit_bytes=sizes[unit]) for price in book.prices))
            for book in self._case.books
        )
        return _Answers(replace(self._case, books=books)).total()

    def _double(self) -> Decimal:
        """What it would come to if what each observer saw were a flow of its own."""
        seen = [name for name in self._case.inputs if name.startswith("observed_")]
        alone = [replace(self._case, inputs={name: self._case.inputs[name]}) for name in seen]
        return total([_Answers(each).total() for each in alone])

    def _trued_up(self, name: str) -> object:
        computed = {owner: decimal(each, owner) for owner, each in self._case.inputs["list"].items()}
        invoice = decimal(self._case.inputs["invoice"], "invoice")
        cents = trued_up(computed, invoice)
        return {"exact": scaled(computed, invoice), "cents": cents, "total": total([*cents.values()])}.get(name)


def _bytes(amount: Json, name: str) -> int | None:
    """What is said as bytes, gib, tib or gb."""
    for unit, size in (("bytes", BYTE), ("gib", GIB), ("tib", 1024 * GIB), ("gb", GIB)):
        if unit in amount:
            return _whole(decimal(amount[unit], name) * size, name)
    return None


def _whole(number: Decimal, name: str) -> int:
    if number < 0 or number != int(number):
        msg = f"{name} is below 0, or more exact than a millionth of a byte"
        raise UnreadableCase(msg)
    return int(number)


def _flows(case: FinopsCase) -> Iterator[Flow]:
    observed = [decimal(each, name) for name, each in case.inputs.items() if name.startswith("observed_")]
    if observed:
        seen = Decimal(canonical_bytes([_whole(each * GIB, case.id) for each in observed])) / BYTE
        yield _flow(case, {"src": "a", "dst": "b", "bytes": seen, "path": case.inputs.get("path", "cross_zone")})
    elif "flows" in case.inputs:
        for each in case.inputs["flows"]:
            yield _flow(case, each)
    elif "path" in case.inputs:
        yield _flow(case, {"src": "a", "dst": "b", **case.inputs})


def _flow(case: FinopsCase, said: Json) -> Flow:
    size = _bytes(said, f"{case.id}: a flow")
    if size is None:
        msg = f"{case.id}: a flow has none of bytes, gib, tib and gb"
        raise UnreadableCase(msg)
    sender, receiver = said["src"], said["dst"]
    if "path" in said:
        name = str(said["path"]).replace("-", "_").lower()
        if name not in PATHS:
            msg = f"{case.id}: the path {said['path']!r} is not known"
            raise UnreadableCase(msg)
        path_class = PATHS[name]
        here, there = (_place(case, str(said.get(key, ""))) for key in ("src_region", "dst_region"))
        if path_class in _OUTSIDE:
            there = Place(where=Where.INTERNET)
    else:
        here, there = _by_name(case, sender, receiver)
        path_class = path_of(Traffic(initiator=here, acceptor=there)).path_class
    return Flow(sender, receiver, size, path_class, here, there, is_reply=said.get("dir") == "reply")


def _by_name(case: FinopsCase, sender: str, receiver: str) -> tuple[Place, Place]:
    """Ends that are called as regions are in them; else they are in two zones of one region."""
    are_regions = all(any(each.isdigit() for each in name) and "-" in name for name in (sender, receiver))
    if are_regions:
        return _place(case, sender), _place(case, receiver)
    home = _place(case, "")
    return replace(home, zone="1", account="a"), replace(home, zone="2", account="a")


def _place(case: FinopsCase, region: str) -> Place:
    return Place(provider=case.provider, region=region or _HOME.get(case.provider, ""))


def _legs(case: FinopsCase, flow: Flow) -> Iterator[Leg]:
    """Of the bytes of one direction."""
    initiator, acceptor = flow.sender_place, flow.receiver_place
    if flow.is_reply:
        initiator, acceptor = acceptor, initiator
    rules, _ = Prices(case.books, DAY).legs(Traffic(initiator=initiator, acceptor=acceptor), flow.path_class)
    for rule in rules:
        if rule.is_sent_by_initiator is flow.is_reply:
            continue
        yield _leg(flow, rule)


def _leg(flow: Flow, rule: LegRule) -> Leg:
    at_sender = rule.is_metered_at_initiator is not flow.is_reply
    ends = (flow.receiver, flow.sender) if flow.is_reply else (flow.sender, flow.receiver)
    owner = flow.sender if at_sender else flow.receiver
    return Leg(
        payers={policy: ends[0] if pays_at_initiator(rule, policy) else ends[1] for policy in Policy},
        line=f"{owner}:{'out' if at_sender else 'in'}",
        named=flow.path_class.value.replace("-", "_"),
        source_region=flow.sender_place.region,
        bytes=flow.bytes,
        price=rule.price,
    )


def _used(case: FinopsCase) -> Iterator[Leg]:
    """What owners used of what is counted, told as `nat_gib` and the like: of each, or of all together."""
    here = _place(case, "")
    for name, said in case.inputs.items():
        counted = COUNTED.get(name.removesuffix("_gib").removesuffix("_gb"))
        if counted is None or not name.endswith(("_gib", "_gb")):
            continue
        there = Place(where=Where.INTERNET) if counted.path_class in _OUTSIDE else here
        prices = Prices(case.books, DAY).at(here, there, counted.path_class, {counted.meter})
        for owner, amount in (said if isinstance(said, dict) else {"all": said}).items():
            for price in prices:
                yield Leg(
                    payers=dict.fromkeys(Policy, owner),
                    line=f"{owner}:{counted.named}",
                    named=counted.named,
                    source_region=here.region,
                    bytes=_whole(decimal(amount, name) * GIB, name),
                    price=price,
                )


def _costs(case: FinopsCase, legs: Sequence[Leg]) -> list["Cost"]:
    """What each leg costs, tier by tier."""
    numbers: dict[Price, int] = {}
    by_price: dict[int, dict[int, int]] = {}
    for number, leg in enumerate(legs):
        by_price.setdefault(numbers.setdefault(leg.price, len(numbers)), {})[number] = leg.bytes
    prices = {number: price for price, number in numbers.items()}
    free = _free(case, by_price, prices)
    return [
        Cost(charge.key, charge.tier, charge.cost)
        for at, used in by_price.items()
        for charge in charges(prices[at], used, mode=TierMode.AVERAGE, free=free.get(at, 0))
    ]


@dataclass(frozen=True)
class Cost:
    """Of one leg in one tier."""

    key: int
    tier: int
    cost: Decimal


def _free(case: FinopsCase, used: Mapping[int, Mapping[int, int]], prices: Mapping[int, Price]) -> dict[int, int]:
    """How many bytes of each price free pools pay for, unless the example says that they are used up."""
    if any(_USED_UP in each for each in case.assumptions):
        return {}
    found: dict[int, int] = {}
    for book in case.books:
        for name, pool in book.free_pools.items():
            mine = {
                each: sum(used[each].values())
                for each, price in prices.items()
                if price.provider == book.provider and price.free_pool == name
            }
            if mine:
                found |= pool_shares(int(pool.quantity * pool.unit_bytes), mine)
    return found


def _shared(case: FinopsCase) -> Iterator[tuple[str, dict[str, Decimal]]]:
    """What is paid for being there: shared by the bytes of those who use it, where these are told."""
    if "hours" not in case.inputs:
        return
    hours = decimal(case.inputs["hours"], "hours")
    for resource in dict.fromkeys(
        [*(each.resource for each in COUNTED.values() if each.resource), *RESOURCES.values()]
    ):
        users = [name for name in case.inputs if _resource_used(name) == resource]
        counts = [
            decimal(case.inputs[name], name) for name, of in RESOURCES.items() if of == resource and name in case.inputs
        ]
        if not users and not counts:
            continue
        said = case.inputs[users[0]] if users else {"all": "1"}
        owners = said if isinstance(said, dict) else {"all": said}
        weights = {owner: _whole(decimal(each, resource) * GIB, resource) for owner, each in owners.items()}
        quantity = hours
        for count in counts:
            quantity = EXACT.multiply(quantity, count)
        price = _fixed_price(case.books, case.provider, resource)
        parts = shared_quantity(quantity, weights, Split.PROPORTIONAL)
        thing = users[0].removesuffix("_gib") if users else resource.replace("-", "_")
        yield f"{thing}_hours_shared", {owner: EXACT.multiply(part, price) for owner, part in parts.items()}


def _resource_used(name: str) -> str | None:
    """Of `nat_gib` the gateway."""
    counted = COUNTED.get(name.removesuffix("_gib")) if name.endswith("_gib") else None
    return None if counted is None else counted.resource


def _fixed_price(books: Sequence[PriceBook], provider: str, resource: str) -> Decimal:
    found = [
        each.price for book in books for each in book.fixed if (each.provider, each.resource) == (provider, resource)
    ]
    if not found:
        msg = f"no book of {provider} has a price of {resource}"
        raise UnreadableCase(msg)
    return found[0]
