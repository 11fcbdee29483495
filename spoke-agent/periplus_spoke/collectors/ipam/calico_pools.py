"""What Calico's pools have and lack: each address counted once, as what its block says of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from periplus_contract.covers import Scope
from periplus_spoke.collectors.ipam.calico_ranges import (
    BLOCK,
    BLOCKS,
    LOAD_BALANCER,
    NAME,
    RESERVATIONS,
    SETTINGS,
    Block,
    Range,
    has,
    knows,
    objects,
    read_ranges,
)
from periplus_spoke.collectors.ipam.leaks import evidence
from periplus_spoke.conversion.calico_objects import BlockSpec, Holder, PoolSpec
from periplus_spoke.conversion.cidr import Fault, Network, checked, largest_free_block, parse_address, told_elsewhere
from periplus_spoke.conversion.cidr_index import CidrIndex, Covering
from periplus_spoke.conversion.ipam import IpamView, Pool
from periplus_spoke.conversion.presence import Presence
from periplus_spoke.conversion.spans import parse_span


class _Counts(NamedTuple):
    """Addresses of some blocks, as far as they lie in the pool; what is None is not known."""

    assigned: int
    used: int | None = None
    cooling: int | None = None
    leaked: int | None = None
    borrowed: int | None = None
    unusable: int | None = None
    reserved: int | None = None
    reserved_in_use: int = 0
    withheld: int = 0
    """Of the unusable, those that are known to be."""


class _Situation:
    """What says, beside its block, what an address is."""

    def __init__(self, view: IpamView, fault: Fault) -> None:
        self.reserved: Final = _reserved(view, fault)
        self.presence: Final = view.presence(*BLOCKS)
        settings = [each.spec.strict_affinity for each in objects(view, SETTINGS)]
        self.is_strict: Final = any(settings) if knows(view, SETTINGS) else None
        """Whether no node may have an address of another's block."""
        self._lost: Final[dict[Network, int]] = {}

    def lost(self, block: Block) -> int:
        """Addresses that are held for nobody who is there, as bits."""
        if block.network not in self._lost:
            self._lost[block.network] = sum(1 << holder.ordinal for holder, _ in _leaks(block, self.presence))
        return self._lost[block.network]

    def stuck(self, block: Block) -> int | None:
        """A mask of all addresses where nobody can be given one: the block's node is gone. None where not known."""
        if self.is_strict is None or (self.is_strict and self.presence is None):
            return None
        is_stuck = self.is_strict and block.node and self.presence and self.presence.lost_node(block.node)
        return (1 << block.network.num_addresses) - 1 if is_stuck else 0


def pools(view: IpamView, fault: Fault) -> list[Pool]:
    """One per pool of Calico, and one per node that has blocks of it."""
    situation, is_read = _Situation(view, fault), has(view, BLOCKS)
    ranges = read_ranges(view, fault).ranges
    pods = _pods_of(view, ranges) if view.has_pods and not is_read else None
    found: list[Pool] = []
    for each in ranges:
        counts = _count(each, each.blocks, situation)
        if not is_read:
            counts = _Counts(counts.assigned, used=None if pods is None else pods[each.name])
        found.append(_cluster_pool(each, counts, situation, is_read=is_read))
        if is_read and _scope(each.spec) == "cluster":
            found += _node_pools(each, situation)
    return found


def _leaks(block: Block, presence: Presence | None) -> Iterator[tuple[Holder, str]]:
    """Addresses of a block that are held for nobody who is there, and how that shows."""
    for holder in block.spec.holders() if block.spec and presence else ():
        # Texts of one form in UTC compare as times do; an empty one, of old releases, is older than all.
        if presence and holder.since <= presence.young_after:
            why = presence.lost_pod(holder.pod, holder.node) if holder.pod else presence.lost_node(holder.node)
            if why:
                yield holder, why


def _evidence(each: Range, blocks: Sequence[Block], presence: Presence | None) -> tuple[str, ...]:
    found = ((block.network[holder.ordinal], why) for block in blocks for holder, why in _leaks(block, presence))
    return evidence((address, why) for address, why in found if address in each.network)


def _reserved(view: IpamView, fault: Fault) -> Covering:
    """What reservations name, as CIDRs or as single addresses."""
    return Covering(
        network
        for each in objects(view, RESERVATIONS)
        for text in each.spec.reserved_cidrs or ()
        for network in checked(parse_span, text, f"IPReservation {each.metadata.name}", fault) or ()
    )


def _scope(spec: PoolSpec) -> Scope:
    return "lb" if spec.allowed_uses == [LOAD_BALANCER] else "cluster"


def _cluster_pool(each: Range, counts: _Counts, situation: _Situation, *, is_read: bool) -> Pool:
    network, reserved = each.network, situation.reserved
    # Blocks count as a whole: a new block is carved from what no block has, however empty the others are.
    set_aside = [_within(network, block.network) for block in each.blocks] + list(reserved.networks(network))
    blocked = None if counts.reserved is None else reserved.count(network) - counts.reserved_in_use
    whole = counts._replace(reserved=blocked)
    return Pool(
        provider=NAME,
        name=each.name,
        family=network.version,
        scope=_scope(each.spec),
        source=each.source,
        quality="exact" if is_read else "derived",
        cidrs=(str(network),),
        capacity=network.num_addresses,
        assigned=whole.assigned,
        used=whole.used,
        reserved=whole.reserved,
        cooling=whole.cooling,
        leaked=whole.leaked,
        borrowed=whole.borrowed,
        unusable=whole.unusable,
        free=_rest(network.num_addresses, whole),
        largest_free_block=largest_free_block(network, set_aside),
        evidence=_evidence(each, each.blocks, situation.presence) if whole.leaked else (),
    )


def _node_pools(each: Range, situation: _Situation) -> Iterator[Pool]:
    """What each node holds of a pool. It may take more, from the pool or of what other nodes hold."""
    by_node: dict[str, list[Block]] = defaultdict(list)
    for block in each.blocks:
        if block.node:
            by_node[block.node].append(block)
    for node, blocks in by_node.items():
        counts = _count(each, blocks, situation)
        yield Pool(
            provider=NAME,
            name=each.name,
            family=each.network.version,
            scope="node",
            node=node,
            source=BLOCK,
            quality="exact",
            cidrs=tuple(str(block.network) for block in blocks),
            capacity=counts.assigned,
            assigned=counts.assigned,
            used=counts.used,
            reserved=counts.reserved,
            cooling=counts.cooling,
            leaked=counts.leaked,
            borrowed=counts.borrowed,
            unusable=counts.unusable,
            free=_rest(counts.assigned, counts),
            evidence=_evidence(each, blocks, situation.presence) if counts.leaked else (),
        )


def _rest(capacity: int, counts: _Counts) -> int | None:
    """What is left; not known where the blocks do not tell. What is leaked is in use as long as nobody knows better."""
    if counts.used is None or counts.cooling is None or counts.reserved is None:
        return None
    return capacity - counts.used - counts.cooling - counts.reserved - (counts.leaked or 0) - counts.withheld


def _within(pool: Network, block: Network) -> Network:
    """The part of a block that lies in the pool; they overlap, so one of them lies in the other."""
    return block if block.prefixlen >= pool.prefixlen else pool


def _count(each: Range, blocks: Sequence[Block], situation: _Situation) -> _Counts:
    found: Counter[str] = Counter()
    is_told = knows_stuck = True
    for block in blocks:
        part = _within(each.network, block.network)
        found["assigned"] += part.num_addresses
        # Before anything that has a bit for each address: an IPv6 CIDR has any number of them, and only a block that
        # told of each is known to be small.
        if block.spec is None:
            is_told = False
            continue
        stuck = situation.stuck(block)
        knows_stuck &= stuck is not None
        shift = int(part.network_address) - int(block.network.network_address)
        for name, bits in _parts(block.spec, situation.lost(block), stuck or 0, situation.reserved.mask(block.network)):
            found[name] += (bits >> shift & (1 << part.num_addresses) - 1).bit_count()
    if not is_told:
        return _Counts(found["assigned"])
    return _Counts(
        found["assigned"],
        used=found["used"],
        cooling=found["cooling"],
        leaked=None if situation.presence is None else found["leaked"],
        borrowed=found["borrowed"],
        unusable=found["unusable"] if knows_stuck else None,
        reserved=found["reserved"],
        reserved_in_use=found["reserved in use"],
        withheld=found["unusable"],
    )


def _parts(spec: BlockSpec, lost: int, stuck: int, reserved: int) -> Iterator[tuple[str, int]]:
    """What the addresses of a block are, as bits; no address is two of the first five."""
    used = spec.taken & ~(spec.cooling | lost | spec.withheld)
    yield "used", used
    yield "cooling", spec.cooling
    yield "leaked", lost
    yield "reserved", reserved & ~spec.taken
    yield "unusable", spec.withheld | (stuck & ~spec.taken & ~reserved)
    yield "borrowed", spec.lent & used
    yield "reserved in use", reserved & spec.taken


def _pods_of(view: IpamView, ranges: Sequence[Range]) -> Counter[str]:
    """How many addresses of each pool pods are seen to have."""
    index = CidrIndex((each.network, each.name) for each in ranges)
    found: Counter[str] = Counter()
    for pod in view.pods():
        for text in pod.addresses:
            if address := checked(parse_address, text, "", told_elsewhere):
                found.update(index.around(address))
    return found
