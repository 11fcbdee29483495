"""Whose an address was, from where somebody stands: ranked lookups over distinct addresses, in columns.

Each rank is an index of its own (`IdentityIndex`). The first rank in which anything had the address decides; two owners
of one rank are ambiguous, with both as candidates, and nobody guesses. The rule that decided is part of the answer.

A window is as fine as time is known here: who had an address in any moment of a window counts for all of it, so what
changed hands within one is ambiguous for that window.

Most rows are of what had one address itself. Others are further meanings of addresses and ranges (`engine.meanings`):
their `scope` is the cluster or network domain in which they hold, and who is meant may be in another.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.columns import Flags, Ints, end_keys, joined, uuid_bytes
from periplus_hub.flows.engine.external import outside
from periplus_hub.flows.engine.localities import NO_NODES, Held, Localities
from periplus_hub.flows.engine.meanings import (
    CLUSTER_RANGE,
    EGRESS,
    ENTERED_RANGE,
    ENTRY,
    GATEWAY,
    GLOBAL,
    IMPORT,
    INNER_RANGE,
    MEMBER_RANGE,
    OUTER_GATEWAY,
    REMOTE_ENDPOINT,
    REMOTE_POD,
    with_meanings,
)
from periplus_hub.flows.engine.minutes import Spans, whole_minutes
from periplus_hub.flows.model import Fleet
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN, Addresses, IdentityIndex

MOST_CANDIDATES: Final = 10
_POD: Final = ("pod",)
_NODE: Final = ("internalip", "externalip")
_PUBLISHED: Final = ("published",)
_EVERYWHERE: Final = ("public", "anywhere")
"""In all clusters, whatever connects them: public addresses, and all else."""
Ranks = tuple[tuple[str, str, tuple[str, ...]], ...]
RANKS: Final[Ranks] = (
    ("own", "pod", _POD),
    ("own", "node", _NODE),
    # An imported service may have a Service in the own cluster for its address, which is nobody's own.
    ("own", "import", (IMPORT,)),
    ("own", "service", ("clusterip", *_PUBLISHED)),
    ("own", "remote-pod", (REMOTE_POD,)),
    ("own", "remote-endpoint", (REMOTE_ENDPOINT,)),
    # Whose door it is says more than who keeps it: its node, or the service that publishes it.
    ("own", "gateway", (GATEWAY,)),
    ("domain", "global", (GLOBAL,)),
    ("flat", "global", (GLOBAL,)),
    ("nat", "global", (GLOBAL,)),
    # Of another cluster, ClusterIPs mean nothing.
    ("domain", "pod", _POD),
    ("domain", "node", _NODE),
    ("domain", "service", _PUBLISHED),
    ("flat", "pod", _POD),
    ("flat", "node", _NODE),
    ("flat", "service", _PUBLISHED),
    # Behind NAT only nodes and what services publish show.
    ("nat", "node", _NODE),
    ("nat", "service", _PUBLISHED),
    ("public", "", (*_PUBLISHED, "externalip")),
    ("own", "entry", (ENTRY,)),
    ("own", "egress", (EGRESS,)),
    ("domain", "egress", (EGRESS,)),
    ("flat", "egress", (EGRESS,)),
    ("nat", "egress", (EGRESS,)),
    ("public", "egress", (EGRESS,)),
    ("own", "outer-gateway", (OUTER_GATEWAY,)),
    # Ranges of clusters, then those that people entered: of what is in them, only this is known.
    ("own", "range", (INNER_RANGE, CLUSTER_RANGE)),
    ("domain", "range", (CLUSTER_RANGE,)),
    ("own", "member-range", (MEMBER_RANGE,)),
    ("domain", "entered", (ENTERED_RANGE,)),
    ("flat", "range", (CLUSTER_RANGE,)),
    ("flat", "entered", (ENTERED_RANGE,)),
    ("public", "entered", (ENTERED_RANGE,)),
)
"""Where a lookup looks, what it is about (empty: just where), and in which layers, in the order in which they are
tried. One that is added at the end changes no answer of those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Who was an address, seen from a cluster (its number in `Owners.clusters`), at a time in microseconds."""

    cluster: Ints
    address: Addresses
    time_us: Ints

    def take(self, rows: Ints) -> "Questions":
        """Only these."""
        address = Addresses(self.address.high[rows], self.address.low[rows])
        return Questions(cluster=self.cluster[rows], address=address, time_us=self.time_us[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Per question: the owner's number, UNKNOWN or AMBIGUOUS, and the number of the rule that decided."""

    owner: Ints
    rule: Ints


@dataclass(frozen=True, slots=True)
class _Layer:
    """Who had an address within a group of clusters. Group numbers are the caller's."""

    index: IdentityIndex | None
    names: Sequence[str]
    group_of_scope: Sequence[int]

    def ask(self, group: Ints, asked: Questions) -> Ints:
        """Owners of the addresses in these groups; a group below 0 has nobody."""
        if self.index is None:
            return np.full(len(group), UNKNOWN, dtype=np.int64)
        return np.where(group >= 0, self.index.owners(np.maximum(group, 0), asked.address, asked.time_us), UNKNOWN)

    def everybody(self, groups: Iterable[int], address: int, time_us: int) -> list[int]:
        """Every owner in any of the groups: to explain an ambiguity."""
        if self.index is None:
            return []
        return sorted({each for group in groups for each in self.index.every_owner(group, address, time_us)})


@dataclass(frozen=True, slots=True)
class _Rank:
    """One lookup: its rule, where it looks, and in which groups for each cluster that may ask."""

    rule: str
    layer: _Layer
    groups: Sequence[Sequence[int]]
    public_only: bool = False

    def ask(self, asked: Questions) -> Ints:
        """What all the groups say: one owner, or several."""
        found = np.full(len(asked.cluster), UNKNOWN, dtype=np.int64)
        for column in _columns_of(self.groups):
            group = np.where(asked.cluster >= 0, column[np.maximum(asked.cluster, 0)], UNKNOWN)
            said = self.layer.ask(group, asked)
            several = (said != UNKNOWN) & (found != UNKNOWN) & (found != said)
            found = np.where(several, AMBIGUOUS, np.where(found == UNKNOWN, said, found))
        return np.where(outside(asked.address), found, UNKNOWN) if self.public_only else found

    def sees(self, viewer: int, scope: int, layer: str) -> bool:
        """Whether it looks at what holds in a scope in a layer, where a cluster asks."""
        return layer in self.layer.names and self.layer.group_of_scope[scope] in self.groups[viewer]


class Owners:
    """Identities of one hour, ready for questions."""

    def __init__(
        self,
        identities: pa.Table,
        fleet: Fleet,
        meanings: pa.Table | None = None,
        nodes: pa.Table = NO_NODES,
        *,
        ranks: Ranks = RANKS,
    ) -> None:
        """`identities` and `nodes` as `repository_inventory` reads them, `meanings` as `repository_meanings`.

        Without nodes no locality is known.
        """
        self.clusters = {place.registration_id: number for number, place in enumerate(fleet.clusters)}
        domains = sorted({place.domain_id for place in fleet.clusters} - self.clusters.keys())
        self.scopes = self.clusters | {domain: len(self.clusters) + number for number, domain in enumerate(domains)}
        """Clusters and network domains in which something holds, by number."""
        whole = with_meanings(identities, meanings)
        self.names = _Names(whole)
        self._rows = _Rows(whole, self.names, self.scopes)
        self._ranks = _ranks(ranks, self._rows, fleet, domains)
        self.rules = [rank.rule for rank in self._ranks]
        self.localities = Localities(self._rows.held(identities), nodes, len(self.names.keys))

    def usual_locality(self, ends: pa.Table) -> Ints:
        """For rows of owner, namespace, kind and workload, the locality that each had all the hour, by number."""
        number = pc.fill_null(pc.index_in(end_keys(ends), self.names.keys), UNKNOWN)
        return self.localities.usual(np.asarray(number).astype(np.int64))

    def answer(self, asked: Questions, only: Collection[str] = ()) -> Answers:
        """By the first rank that knows; `only` of those with these rules, where some are named."""
        owner = np.full(len(asked.cluster), UNKNOWN, dtype=np.int64)
        rule = np.full(len(asked.cluster), UNKNOWN, dtype=np.int64)
        for number, rank in enumerate(self._ranks):
            if only and rank.rule not in only:
                continue
            found = rank.ask(asked)
            fresh = (owner == UNKNOWN) & (found != UNKNOWN)
            owner[fresh], rule[fresh] = found[fresh], number
        return Answers(owner=owner, rule=rule)

    def said(self, asked: Questions) -> Iterator[Ints]:
        """What each rank knows, in order: one owner, UNKNOWN or AMBIGUOUS."""
        return (rank.ask(asked) for rank in self._ranks)

    def rank_of(self, viewer: int, scope: int, layer: str, *, is_public: bool) -> int | None:
        """The first rank that finds what holds in a scope in a layer, where a cluster asks."""
        numbered = enumerate(self._ranks)
        found = (
            number
            for number, rank in numbered
            if rank.sees(viewer, scope, layer) and (is_public or not rank.public_only)
        )
        return next(found, None)

    def has_somewhere_to_look(self, rule: int, viewer: int) -> bool:
        """Whether there is any cluster that the rank looks at, where a cluster asks."""
        return bool(self._ranks[rule].groups[viewer])

    def is_public_only(self, rule: int) -> bool:
        """Whether the rank is only asked about addresses that mean the same everywhere."""
        return self._ranks[rule].public_only

    def candidates(self, cluster: int, address: int, time_us: int, rule: int) -> list[int]:
        """Everybody an ambiguous address may have been, by the rule that found that out; at most MOST_CANDIDATES."""
        rank = self._ranks[rule]
        return rank.layer.everybody(rank.groups[cluster], address, time_us)[:MOST_CANDIDATES]

    def may_change(self, address: Addresses, first_us: int, last_us: int) -> Flags:
        """Which addresses came to somebody, were given up, or to another zone within the time.

        Their owner or its locality may differ between windows.
        """
        found = np.zeros(len(address.low), dtype=np.bool_)
        for spans in (self._rows.spans, self.localities.cut):
            found |= spans.changed(address, first_us, last_us)
        return found


def _ranks(ranks: Ranks, rows: "_Rows", fleet: Fleet, other_scopes: Sequence[UUID]) -> list[_Rank]:
    """Best first: the asker's own cluster, its network domain, domains that are connected with it, public addresses.

    Behind them the ranges that addresses of nobody are in.
    """
    domains = {each: number for number, each in enumerate(sorted({place.domain_id for place in fleet.clusters}))}
    domain_of = [domains[place.domain_id] for place in fleet.clusters]
    domain_of_scope = [*domain_of, *(domains[each] for each in other_scopes)]
    near = {mode: _neighbours(pairs, domains) for mode, pairs in (("flat", fleet.flat), ("nat", fleet.nat))}
    groups = {
        "own": [[number] for number in range(len(domain_of))],
        "domain": [[each] for each in domain_of],
        **{mode: [found.get(each, []) for each in domain_of] for mode, found in near.items()},
        **dict.fromkeys(_EVERYWHERE, [[0]] * len(domain_of)),
    }
    group_of_scope: dict[str, Sequence[int]] = {
        "own": range(len(domain_of_scope)),
        "domain": domain_of_scope,
        **dict.fromkeys(_EVERYWHERE, [0] * len(domain_of_scope)),
    }
    layers: dict[tuple[str, tuple[str, ...]], _Layer] = {}

    def rank(where: str, about: str, names: tuple[str, ...]) -> _Rank:
        grouping = where if where in group_of_scope else "domain"
        if (grouping, names) not in layers:
            layers[grouping, names] = rows.layer(names, group_of_scope[grouping])
        rule = f"{where}-{about}" if about else where
        return _Rank(rule, layers[grouping, names], groups[where], public_only=where == "public")

    return [rank(*each) for each in ranks]


def _columns_of(groups: Sequence[Sequence[int]]) -> Iterator[Ints]:
    """The first group of each cluster, the second, and so on; UNKNOWN where it has no more."""
    for position in range(max(map(len, groups), default=0)):
        yield np.array([each[position] if position < len(each) else UNKNOWN for each in groups], dtype=np.int64)


class _Names:
    """Owners by number. Pods of one workload are one owner: that an address goes from one to the other changes none."""

    def __init__(self, identities: pa.Table) -> None:
        columns = {"owner": uuid_bytes(identities.column("registration_id"))}
        columns |= {name: identities.column(name).combine_chunks() for name in ("namespace", "kind", "workload")}
        encoded = end_keys(pa.table(columns)).dictionary_encode()
        self.codes = np.asarray(encoded.indices).astype(np.int64)
        self.keys = encoded.dictionary
        first = pa.array(np.unique(self.codes, return_index=True)[1])
        self.rows = pa.table({name: column.take(first) for name, column in columns.items()})
        """owner (the cluster's 16 bytes), namespace, kind and workload of each, by its number."""


class _Rows:
    """The identities as numbers."""

    def __init__(self, identities: pa.Table, names: _Names, scopes: dict[UUID, int]) -> None:
        scope = identities.column("scope").combine_chunks().dictionary_encode()
        number = [scopes.get(UUID(text), UNKNOWN) for text in scope.dictionary.to_pylist()]
        of_row = np.array([*number, UNKNOWN], dtype=np.int64)[scope.indices.to_numpy(zero_copy_only=False)]
        known = of_row != UNKNOWN
        self._layers = np.asarray(identities.column("layer").to_numpy(zero_copy_only=False))[known]
        self.scope = of_row[known]
        self.owner = names.codes[known]
        since_us, until_us = whole_minutes(*(identities.column(name) for name in ("since", "until")))
        self.spans = Spans(
            address=_addresses(identities.column("address"), known),
            length=identities.column("length").to_numpy()[known],
            since_us=since_us[known],
            until_us=until_us[known],
        )
        self._row = np.flatnonzero(known)

    def held(self, identities: pa.Table) -> Held:
        """What pods and nodes had, of the table that is the first part of all rows."""
        row = self._row[: np.searchsorted(self._row, identities.num_rows)]
        layer, *node = (identities.column(name).combine_chunks() for name in ("layer", "registration_id", "node"))
        is_held = pc.is_in(layer, pa.array((*_POD, *_NODE))).to_numpy(zero_copy_only=False)
        mine = np.flatnonzero(is_held[row])
        node_key = joined(node).take(pa.array(row[mine]))
        return Held(owner=self.owner[mine], spans=self.spans.take(mine), node=node_key)

    def layer(self, layers: Sequence[str], group_of_scope: Sequence[int]) -> _Layer:
        """Those of these layers; the group of each scope is given."""
        mine = np.flatnonzero(np.isin(self._layers, layers))
        if not len(mine):
            return _Layer(None, layers, group_of_scope)
        group = np.array(group_of_scope, dtype=np.int64)[self.scope[mine]]
        return _Layer(self.spans.take(mine).index(group, self.owner[mine]), layers, group_of_scope)


def _neighbours(pairs: frozenset[tuple[UUID, UUID]], domains: dict[UUID, int]) -> dict[int, list[int]]:
    near: dict[int, list[int]] = {}
    for one, other in sorted(pairs):
        if one in domains and other in domains:
            near.setdefault(domains[one], []).append(domains[other])
            near.setdefault(domains[other], []).append(domains[one])
    return near


def _addresses(texts: pa.ChunkedArray, known: npt.NDArray[np.bool_]) -> Addresses:
    """From 32 hexadecimal digits each."""
    joined = "".join(texts.filter(pa.array(known)).to_pylist())
    words = np.frombuffer(bytes.fromhex(joined), dtype=">u8").astype(np.uint64).reshape(-1, 2)
    return Addresses(np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1]))
