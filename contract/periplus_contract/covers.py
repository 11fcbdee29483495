"""Names of what a snapshot or an ipam batch can state completely: the `covers` of a header.

A spoke that starts again does not at once know everything it once told: a kind may be slow, or no longer allowed. So
a statement says what was really read whole, and only of that does silence mean "gone".

* Inventory: a table (`pods`), but `workloads/<kind>` for each kind of workload and `meanings/<source>` for each kind of
  object that says what addresses stand for, because each is a list of its own.
* ipam: `allocations/<kind>` and `pools/<scope>`. `allocations/<kind>/seen` covers only those whose `quality` is
  seen: the addresses in use, told while what would say which ranges may be used may not be read; of a kind of which
  better ones are known, nothing changes. An ipam batch carries only rows that it covers.
"""

from typing import Final, Literal, get_args

from periplus_contract.tables import ALLOCATIONS, MEANINGS, POOLS, WORKLOADS

SEEN: Final = "seen"
"""The `quality` of addresses in use that no range is known for, and the end of a cover that speaks only of them."""

AllocationKind = Literal["pod", "service", "node", "loadbalancer", "external", "reserved"]
Scope = Literal["cluster", "node", "namespace", "lb", "service", "external"]

ALLOCATION_KINDS: Final[tuple[AllocationKind, ...]] = get_args(AllocationKind)
POOL_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


def workloads(kind: str) -> str:
    """All workloads of one kind."""
    return f"{WORKLOADS.name}/{kind}"


def meanings(source: str) -> str:
    """All meanings that objects of one kind tell, by the name of the kind in `sources`."""
    return f"{MEANINGS.name}/{source}"


def allocations(kind: AllocationKind, *, seen: bool = False) -> str:
    """All allocations of one kind, or only the seen ones."""
    return f"{ALLOCATIONS.name}/{kind}" + (f"/{SEEN}" if seen else "")


def pools(scope: Scope) -> str:
    """All pools of one scope."""
    return f"{POOLS.name}/{scope}"


EVERY_ALLOCATION: Final = tuple(allocations(kind) for kind in ALLOCATION_KINDS)
EVERY_POOL: Final = tuple(pools(scope) for scope in POOL_SCOPES)
IPAM: Final = frozenset((*EVERY_ALLOCATION, *EVERY_POOL, *(allocations(kind, seen=True) for kind in ALLOCATION_KINDS)))
"""Every cover of an ipam batch that this contract knows."""
