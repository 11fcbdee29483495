"""Who addresses were for which clients had a name, where the address alone does not say it.

An address that somebody is known to have himself decides, whatever the name was: a pod, what the own cluster has, a
service that is imported. One that stands for others (a gateway, a node or load balancer of another cluster, a range)
says at most in which cluster they are, and the name says who is meant there. Of an address of several the name leaves
those in whose cluster there is the named service. An address of nobody says nothing, and the name decides alone. What a
name leaves open stays open, and a name of nothing that is known changes nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows import model_kinds
from periplus_hub.flows.engine.columns import END_PARTS, UUID_BYTES, Flags, Ints, changes, end_keys
from periplus_hub.flows.engine.host_services import HostParts, HostServices, is_inner, parts_of
from periplus_hub.flows.engine.localities import UNKNOWN_LOCALITY
from periplus_hub.flows.engine.owners import MOST_CANDIDATES, Answers, Owners, Questions
from periplus_hub.flows.engine.resolution import (
    CANDIDATE,
    MOST_EXPLAINED,
    clusters_of,
    keys,
    moments,
    named_owners,
)
from periplus_hub.flows.model import NOBODY
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN

HOST_RULE: Final = "host"
"""Of what has no address: the name alone says who it is."""
BY_HOST: Final = f"-{HOST_RULE}"
"""Ends the rule of an address where the name said more."""
_SURE: Final = frozenset(
    ("own-pod", "own-node", "own-service", "own-import", "own-remote-pod", "own-remote-endpoint")
) | frozenset(f"{where}-global" for where in ("domain", "flat", "nat"))
"""Rules by which an address is exactly what was found, also where that is a service or a node."""
_DOORS: Final = (model_kinds.GATEWAY, model_kinds.NODE, model_kinds.SERVICE, model_kinds.CLUSTER_RANGE)
_KEPT, _ONE, _SEVERAL, _NAME = range(4)
"""What came of it: the address stays what it is; the named service; several of the name; the name, and nothing more."""


@dataclass(frozen=True, slots=True)
class _Asked:
    rows: pa.Table
    questions: Questions
    named: HostParts
    has_address: Flags

    def take(self, rows: Ints) -> "_Asked":
        return _Asked(
            self.rows.take(pa.array(rows)), self.questions.take(rows), self.named.take(rows), self.has_address[rows]
        )

    @property
    def hosts(self) -> pa.Array:
        return self.rows.column("host").cast(pa.string()).combine_chunks()


@dataclass(frozen=True, slots=True)
class _Found:
    answers: Answers
    outcome: Ints
    cluster: Ints
    """Of the named service."""
    candidates: dict[int, list[int]]
    """Clusters of several that are meant, by row."""

    def take(self, rows: Ints) -> "_Found":
        answers = Answers(owner=self.answers.owner[rows], rule=self.answers.rule[rows])
        kept = {at: self.candidates[row] for at, row in enumerate(rows.tolist()) if row in self.candidates}
        return _Found(answers, self.outcome[rows], self.cluster[rows], kept)


def resolved_by_host(asked: pa.Table, hour: int, owners: Owners, services: HostServices) -> pa.Table:
    """Rows of `flow_identities`, their `lookup` and `locality`, for distinct (registration, address, host)."""
    position, questions = moments(asked, hour, owners)
    rows = asked.take(pa.array(position))
    has_address = (questions.address.high | questions.address.low) != 0
    whole = _Asked(rows, questions, parts_of(rows.column("host").cast(pa.string()).combine_chunks()), has_address)
    found = _decided(whole, owners, services)
    kept = np.where(found.outcome == _KEPT, found.answers.owner, UNKNOWN)
    where = owners.localities.of(kept, questions.address, questions.time_us)
    answers = found.answers
    starts = np.flatnonzero(changes(position, answers.owner, answers.rule, found.outcome, found.cluster, where))
    one, outcome = whole.take(starts), found.take(starts)
    ends = _ends(one, outcome, owners, services)
    usual = owners.usual_locality(pa.table({name: ends[name] for name in END_PARTS}))
    locality = np.select([outcome.outcome == _KEPT, outcome.outcome == _ONE], [where[starts], usual], UNKNOWN_LOCALITY)
    return pa.table(keys(asked, hour, position[starts], one.questions.time_us) | {"locality": locality} | ends)


def _decided(asked: _Asked, owners: Owners, services: HostServices) -> _Found:
    answers = owners.answer(asked.questions)
    owner = np.where(asked.has_address, answers.owner, UNKNOWN)
    answers = Answers(owner=owner, rule=np.where(owner == UNKNOWN, UNKNOWN, answers.rule))
    viewer, kinds = asked.questions.cluster, owners.names.rows.column("kind").combine_chunks()
    place = _places(owners)[np.maximum(owner, UNKNOWN)]
    is_door = np.append(np.asarray(pc.is_in(kinds, pa.array(_DOORS))), np.False_)[np.maximum(owner, UNKNOWN)]
    is_range = np.append(np.asarray(pc.equal(kinds, model_kinds.RANGE)), np.False_)[np.maximum(owner, UNKNOWN)]
    sure = np.array([*(rule in _SURE for rule in owners.rules), False])[answers.rule]
    behind = (owner >= 0) & is_door & ~sure & (place != UNKNOWN) & services.is_in(viewer, place, asked.named)
    anywhere = np.where((owner == UNKNOWN) | is_range, services.anywhere(viewer, asked.named), UNKNOWN)
    cluster = np.where(behind, place, anywhere)
    candidates: dict[int, list[int]] = {}
    for row in np.flatnonzero((owner == AMBIGUOUS) & asked.named.is_service)[:MOST_EXPLAINED].tolist():
        left = _left(asked, answers, row, owners, services)
        cluster[row] = AMBIGUOUS if len(left) > 1 else left[0] if left else UNKNOWN
        candidates |= {row: left} if len(left) > 1 else {}
    for row in np.flatnonzero((cluster == AMBIGUOUS) & (owner != AMBIGUOUS))[:MOST_EXPLAINED].tolist():
        candidates[row] = services.exporters(int(viewer[row]), asked.named.take(np.array([row])))
    is_nobody = (owner == UNKNOWN) & ~asked.has_address
    outcome = np.select([cluster >= 0, cluster == AMBIGUOUS, is_nobody], [_ONE, _SEVERAL, _NAME], _KEPT)
    return _Found(answers, outcome.astype(np.int64), cluster, candidates)


def _left(asked: _Asked, answers: Answers, row: int, owners: Owners, services: HostServices) -> list[int]:
    """Of whom an ambiguous address may be, the clusters in which that can be the named service: of all, or nobody."""
    questions = asked.questions
    viewer = int(questions.cluster[row])
    address = int(questions.address.high[row]) << 64 | int(questions.address.low[row])
    several = owners.candidates(viewer, address, int(questions.time_us[row]), int(answers.rule[row]))
    if len(several) >= MOST_CANDIDATES:
        return []
    numbers = np.array(several, dtype=np.int64)
    place = _places(owners)[numbers]
    named = asked.named.take(np.full(len(numbers), row))
    ends = pa.table(services.ends(place, named))
    kinds = owners.names.rows.column("kind").combine_chunks().take(pa.array(numbers))
    is_open = pc.or_(pc.is_in(kinds, pa.array(_DOORS)), pc.equal(ends.column("kind"), model_kinds.SERVICE))
    is_it = pc.equal(end_keys(ends), owners.names.keys.take(pa.array(numbers)))
    fits = services.is_in(np.full(len(numbers), viewer), place, named) & np.asarray(pc.or_(is_open, is_it))
    return sorted({*place[fits].tolist()})


def _places(owners: Owners) -> Ints:
    """Of each owner by number the number of its cluster; the last is of nobody."""
    return np.append(clusters_of(owners.names.rows.column("owner"), owners), UNKNOWN)


def _ends(asked: _Asked, found: _Found, owners: Owners, services: HostServices) -> dict[str, pa.Array]:
    by_address = named_owners(asked.questions, found.answers, owners)
    is_one, is_several, is_name = (pa.array(found.outcome == each) for each in (_ONE, _SEVERAL, _NAME))
    named = services.ends(np.where(found.outcome == _ONE, found.cluster, UNKNOWN), asked.named)
    is_nobody = pc.or_(is_several, is_name)
    hosts = asked.hosts
    kind = pc.if_else(is_inner(hosts), model_kinds.REMOTE, model_kinds.EXTERNAL)
    nobody = {
        "owner": pa.scalar(NOBODY.bytes, UUID_BYTES),
        "namespace": "",
        "kind": pc.if_else(is_several, model_kinds.AMBIGUOUS, kind),
        "workload": hosts,
    }
    mixed = {
        name: pc.if_else(is_nobody, value, pc.if_else(is_one, named[name], by_address[name]))
        for name, value in nobody.items()
    }
    rule = pc.if_else(
        pa.array(asked.has_address),
        pc.binary_join_element_wise(by_address["rule"], pa.scalar(BY_HOST), ""),
        pa.scalar(HOST_RULE),
    )
    return {
        **mixed,
        "rule": pc.if_else(pa.array(found.outcome == _KEPT), by_address["rule"], rule),
        "candidates": pc.if_else(
            pa.array(found.outcome == _KEPT), by_address["candidates"], _candidates(asked, found, services)
        ),
    }


def _candidates(asked: _Asked, found: _Found, services: HostServices) -> pa.Array:
    """A list for each: the named service in each of the clusters that may be meant."""
    pairs = np.array(
        [(row, cluster) for row, clusters in sorted(found.candidates.items()) for cluster in clusters], dtype=np.int64
    ).reshape(-1, 2)
    ends = services.ends(pairs[:, 1], asked.named.take(pairs[:, 0]))
    counts = np.bincount(pairs[:, 0], minlength=len(found.outcome))
    structs = pa.StructArray.from_arrays([ends[name] for name in END_PARTS], fields=list(CANDIDATE))
    return pa.ListArray.from_arrays(np.concatenate(([0], np.cumsum(counts))).astype(np.int32), structs)
