"""Who ends in other clusters were, where the source named the cluster: by its names, and by addresses in that cluster.

What the cluster of who tells it has itself decides first, then what the named cluster has: an address there, or the
workload that was named. A named workload says more than an address that stands for others (a gateway, a node, a
service, a range) of that cluster or of none. An address that another cluster has contradicts the name, and nobody
decides between the two. Where no workload was named, the host by which the client asked for it may name a service
there.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows import model_kinds
from periplus_hub.flows.engine.cluster_names import ClusterNames
from periplus_hub.flows.engine.columns import END_PARTS, UUID_BYTES, Flags, Ints, changes
from periplus_hub.flows.engine.external import shown
from periplus_hub.flows.engine.host_services import HostServices, parts_of
from periplus_hub.flows.engine.owners import Answers, Owners, Questions
from periplus_hub.flows.engine.resolution import (
    CANDIDATE,
    MOST_EXPLAINED,
    clusters_of,
    keys,
    moments,
    named_owners,
)
from periplus_hub.flows.engine.workload_kinds import WorkloadKinds
from periplus_hub.flows.model import NOBODY
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN

_ITS_OWN: Final = ("own-pod", "own-node", "own-service")
"""Rules by which a cluster has an address itself."""
_STANDS_FOR_OTHERS: Final = (
    model_kinds.SERVICE,
    model_kinds.NODE,
    model_kinds.GATEWAY,
    model_kinds.SERVICE_IMPORT,
    model_kinds.CLUSTER_RANGE,
)
_PREFIXES: Final = ("told", "alike")
_KEPT, _AT_HOME, _NAMED, _DOOR, _SEVERAL, _AGAINST, _ELSEWHERE = range(7)
"""What decided: the address from where it was seen; the address in the named cluster; the named workload; the name of
the cluster alone; it is a name of several; address and name contradict each other; nobody is called so."""
_BY_HOST: Final = -1
"""Of the named workloads those that only a host names."""
_RULES: Final = {
    _NAMED: "{}-workload",
    _BY_HOST: "{}-host",
    _DOOR: "{}-cluster",
    _SEVERAL: "{}-several",
    _AGAINST: "{}-against",
    _ELSEWHERE: "told-elsewhere",
}
_SLASH: Final = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known of an hour."""

    owners: Owners
    clusters: ClusterNames
    kinds: WorkloadKinds
    services: HostServices | None = None
    """None where nobody was asked for by a name."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One row for each moment of what was told."""

    rows: pa.Table
    questions: Questions
    is_named: Flags
    has_address: Flags
    is_by_host: Flags
    """Whether only a host names it."""

    def take(self, rows: Ints) -> "_Asked":
        flags = (each[rows] for each in (self.is_named, self.has_address, self.is_by_host))
        return _Asked(self.rows.take(pa.array(rows)), self.questions.take(rows), *flags)

    def texts(self, name: str) -> pa.Array:
        return self.rows.column(name).cast(pa.string()).combine_chunks()


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found out of each of them."""

    here: Answers
    home: Answers
    cluster: Ints
    """The number of the named cluster, UNKNOWN or AMBIGUOUS."""
    is_said: Flags
    outcome: Ints

    def take(self, rows: Ints) -> "_Found":
        here, home = (Answers(owner=each.owner[rows], rule=each.rule[rows]) for each in (self.here, self.home))
        return _Found(here, home, self.cluster[rows], self.is_said[rows], self.outcome[rows])


@dataclass(frozen=True, slots=True)
class _Whose:
    """What is known of owners, by number; the last of each is of nobody."""

    places: Ints
    are_for_others: Flags

    def place(self, owner: Ints) -> Ints:
        """The numbers of their clusters; UNKNOWN of those that are in none."""
        return self.places[np.maximum(owner, UNKNOWN)]

    def is_for_others(self, owner: Ints) -> Flags:
        """Whether they stand for what is behind them."""
        return self.are_for_others[np.maximum(owner, UNKNOWN)]


def is_unplaced(ends: pa.Table) -> pa.Array:
    """Which ends were named in a cluster of which it is not known which it is."""
    kind, name = (ends.column(each).combine_chunks() for each in ("kind", "workload"))
    is_several = pc.and_(pc.equal(kind, model_kinds.AMBIGUOUS), pc.match_substring(name, _SLASH))
    return pc.or_(pc.equal(kind, model_kinds.REMOTE), is_several)


def resolved_told(told: pa.Table, hour: int, known: Surroundings) -> pa.Table:
    """Rows of `flow_identities`, their `lookup` and `locality`, for distinct ends in clusters that sources named."""
    position, questions = moments(told, hour, known.owners)
    whole, is_by_host = _with_hosts(told, known)
    rows = whole.take(pa.array(position))
    is_named = np.asarray(pc.not_equal(rows.column("workload"), ""))
    has_address = (questions.address.high | questions.address.low) != 0
    asked = _Asked(rows, questions, is_named, has_address, is_by_host[position])
    found = _decided(asked, known, _whose(known.owners))
    where = _localities(asked.questions, found, known.owners)
    answered = (found.here.owner, found.here.rule, found.home.owner, found.home.rule, found.outcome, found.cluster)
    starts = np.flatnonzero(changes(position, *answered, where))
    asked, found = asked.take(starts), found.take(starts)
    ends = _ends(asked, found, known)
    by_name = known.owners.usual_locality(pa.table({name: ends[name] for name in END_PARTS}))
    locality = np.where(found.outcome == _NAMED, by_name, where[starts])
    return pa.table(keys(told, hour, position[starts], asked.questions.time_us) | {"locality": locality} | ends)


def _with_hosts(told: pa.Table, known: Surroundings) -> tuple[pa.Table, Flags]:
    """The ends, with the workload that the host of one names in its cluster; and which these are."""
    services = known.services
    if services is None:
        return told, np.zeros(told.num_rows, dtype=np.bool_)
    viewer = clusters_of(told.column("registration"), known.owners)
    cluster = known.clusters.meant(viewer, told.column("cluster").cast(pa.string()).combine_chunks()).cluster
    named = parts_of(told.column("host").cast(pa.string()).combine_chunks())
    is_nameless = np.asarray(pc.equal(told.column("workload"), ""))
    is_by_host = is_nameless & services.is_in(viewer, cluster, named)
    ends = services.ends(cluster, named)
    texts = {
        name: pc.if_else(pa.array(is_by_host), ends[name], told.column(name).cast(pa.string()).combine_chunks())
        for name in END_PARTS[1:]
    }
    return pa.table({name: texts.get(name, told.column(name)) for name in told.column_names}), is_by_host


def _localities(asked: Questions, found: _Found, owners: Owners) -> Ints:
    """Where those were of whom the address decided."""
    of_address = np.where(found.outcome == _KEPT, found.here.owner, UNKNOWN)
    owner = np.where(found.outcome == _AT_HOME, found.home.owner, of_address)
    return owners.localities.of(owner, asked.address, asked.time_us)


def _whose(owners: Owners) -> _Whose:
    names = owners.names.rows
    kinds = pc.is_in(names.column("kind").combine_chunks(), pa.array(_STANDS_FOR_OTHERS))
    return _Whose(
        places=np.append(clusters_of(names.column("owner"), owners), UNKNOWN),
        are_for_others=np.append(np.asarray(kinds), np.False_),
    )


def _decided(asked: _Asked, known: Surroundings, whose: _Whose) -> _Found:
    owners, name = known.owners, asked.texts("cluster")
    meant = known.clusters.meant(asked.questions.cluster, name)
    here = _unless(~asked.has_address, owners.answer(asked.questions))
    place = whose.place(here.owner)
    is_called = known.clusters.are_called(place, name)
    cluster = np.where((meant.cluster == AMBIGUOUS) & is_called, place, meant.cluster)
    there = Questions(cluster=cluster, address=asked.questions.address, time_us=asked.questions.time_us)
    home = _unless(~asked.has_address, owners.answer(there, _ITS_OWN))
    found = _Found(here, home, cluster, meant.is_said, np.zeros(len(place), dtype=np.int64))
    return _Found(here, home, cluster, meant.is_said, _outcomes(asked, found, whose, owners))


def _outcomes(asked: _Asked, found: _Found, whose: _Whose, owners: Owners) -> Ints:
    """The first that holds."""
    place = whose.place(found.here.owner)
    here, home, cluster, named = found.here.owner, found.home.owner, found.cluster, asked.is_named
    rules = np.array([*(rule in _ITS_OWN for rule in owners.rules), False])
    is_own = (here != UNKNOWN) & rules[found.here.rule]
    is_free = (here == UNKNOWN) | ((here >= 0) & (place == UNKNOWN))
    is_there = (here >= 0) & (place == cluster)
    several = here == AMBIGUOUS
    several_with = several & _is_candidate(asked, found, several & (cluster >= 0), whose, owners)
    is_one = cluster >= 0
    settled: list[tuple[Flags, int]] = [
        (is_own, _KEPT),
        (is_one & (home != UNKNOWN) & ~(named & whose.is_for_others(home)), _AT_HOME),
        (is_one & named & (home != UNKNOWN), _NAMED),
        (is_one & is_there & ~(named & whose.is_for_others(here)), _KEPT),
        (is_one & named & (is_free | is_there | several_with), _NAMED),
        (is_one & (is_free | several_with), _DOOR),
        (is_one, _AGAINST),
        ((cluster == AMBIGUOUS) & is_free, _SEVERAL),
        ((cluster == AMBIGUOUS) & ~several, _AGAINST),
        ((cluster == UNKNOWN) & (here == UNKNOWN) & (named | ~asked.has_address), _ELSEWHERE),
    ]
    return np.select([which for which, _ in settled], [outcome for _, outcome in settled], _KEPT).astype(np.int64)


def _is_candidate(asked: _Asked, found: _Found, which: Flags, whose: _Whose, owners: Owners) -> Flags:
    """Whether the named cluster is among those that an ambiguous address may be of."""
    is_one = np.zeros(len(which), dtype=np.bool_)
    for row in np.flatnonzero(which)[:MOST_EXPLAINED].tolist():
        several = np.array(_candidates(asked.questions, found.here, row, owners), dtype=np.int64)
        is_one[row] = bool(np.isin(found.cluster[row], whose.place(several)))
    return is_one


def _candidates(asked: Questions, answers: Answers, row: int, owners: Owners) -> list[int]:
    address = int(asked.address.high[row]) << 64 | int(asked.address.low[row])
    return owners.candidates(int(asked.cluster[row]), address, int(asked.time_us[row]), int(answers.rule[row]))


def _unless(nothing: Flags, answers: Answers) -> Answers:
    """Of what has no address, nobody had it."""
    return Answers(owner=np.where(nothing, UNKNOWN, answers.owner), rule=np.where(nothing, UNKNOWN, answers.rule))


def _ends(asked: _Asked, found: _Found, known: Surroundings) -> dict[str, pa.Array]:
    """Names for numbers."""
    at_home = found.outcome == _AT_HOME
    answers = Answers(
        owner=np.where(at_home, found.home.owner, found.here.owner),
        rule=np.where(at_home, found.home.rule, found.here.rule),
    )
    seen = asked.questions
    viewed = Questions(
        cluster=np.where(at_home, found.cluster, seen.cluster), address=seen.address, time_us=seen.time_us
    )
    by_address = named_owners(viewed, answers, known.owners)
    named = _named_ends(asked, found.cluster, known)
    is_told = pa.array(np.isin(found.outcome, (_NAMED, _DOOR)))
    is_nobody = np.isin(found.outcome, (_SEVERAL, _AGAINST, _ELSEWHERE))
    none = {
        "owner": pa.scalar(NOBODY.bytes, UUID_BYTES),
        "namespace": "",
        "kind": pc.if_else(pa.array(found.outcome == _ELSEWHERE), model_kinds.REMOTE, model_kinds.AMBIGUOUS),
        "workload": _labels(asked, found.outcome),
    }
    mixed = {
        name: pc.if_else(pa.array(is_nobody), value, pc.if_else(is_told, named[name], by_address[name]))
        for name, value in none.items()
    }
    explained = np.isin(found.outcome, (_SEVERAL, _AGAINST))
    candidates = _explained(asked, found, np.flatnonzero(explained)[:MOST_EXPLAINED], known)
    return {
        **mixed,
        "rule": _rules(found, by_address["rule"], asked.is_by_host),
        "candidates": pc.if_else(pa.array(explained), candidates, by_address["candidates"]),
    }


def _rules(found: _Found, by_address: pa.Array, is_by_host: Flags) -> pa.Array:
    prefix = np.where(found.is_said, *_PREFIXES)
    rules = np.array(by_address.to_pylist(), dtype=object)
    decided = np.where((found.outcome == _NAMED) & is_by_host, _BY_HOST, found.outcome)
    for outcome, rule in _RULES.items():
        mine = decided == outcome
        for each in _PREFIXES:
            rules[mine & (prefix == each)] = rule.format(each)
    texts = pa.array(rules, pa.string())
    at_home = found.outcome == _AT_HOME
    for each in _PREFIXES:
        replaced = pc.replace_substring(texts, "own-", f"{each}-", max_replacements=1)
        texts = pc.if_else(pa.array(at_home & (prefix == each)), replaced, texts)
    return texts


def _named_ends(asked: _Asked, cluster: Ints, known: Surroundings) -> dict[str, pa.Array]:
    """The named workloads in these clusters; where none is named, a door of the cluster."""
    ids = pa.array([*(each.bytes for each in known.owners.clusters), NOBODY.bytes], UUID_BYTES)
    owner = ids.take(pa.array(np.where(cluster < 0, len(ids) - 1, cluster)))
    namespace, kind, workload = (asked.texts(name) for name in ("namespace", "kind", "workload"))
    is_named = pa.array(asked.is_named)
    return {
        "owner": owner,
        "namespace": pc.if_else(is_named, namespace, ""),
        "kind": pc.if_else(is_named, known.kinds.of(owner, namespace, kind, workload), model_kinds.GATEWAY),
        "workload": pc.if_else(is_named, workload, _doors(asked)),
    }


def _doors(asked: _Asked) -> pa.Array:
    """The address that was seen, or else the cluster's name."""
    address = asked.questions.address
    texts = shown(address.high.tolist(), address.low.tolist(), [False] * len(address.low))[1]
    return pc.if_else(pa.array(asked.has_address), pa.array(texts, pa.string()), _cluster_names(asked))


def _labels(asked: _Asked, outcome: Ints) -> pa.Array:
    """What nobody is known for: an address where there is a choice between owners of it, else what was told."""
    whole = pc.binary_join_element_wise(
        _cluster_names(asked), asked.texts("namespace"), asked.texts("workload"), _SLASH
    )
    by_address = asked.has_address & ((outcome == _AGAINST) | ~asked.is_named)
    return pc.if_else(pa.array(asked.is_named & ~by_address), whole, _doors(asked))


def _cluster_names(asked: _Asked) -> pa.Array:
    """Without the system that has them."""
    return pc.replace_substring_regex(asked.texts("cluster"), "^[^=]*=", "")


def _explained(asked: _Asked, found: _Found, rows: Ints, known: Surroundings) -> pa.Array:
    """A list for each: whom these may be, by their address and by their name."""
    told = asked.texts("cluster")
    by_address: list[tuple[int, int]] = []
    by_name: list[tuple[int, int]] = []
    for row in rows.tolist():
        owner, one = int(found.here.owner[row]), int(found.cluster[row])
        if found.outcome[row] == _AGAINST:
            several = [owner] if owner >= 0 else _candidates(asked.questions, found.here, row, known.owners)
            by_address += [(row, each) for each in several]
        viewer = int(asked.questions.cluster[row])
        clusters = [one] if one >= 0 else known.clusters.candidates(viewer, told[row].as_py())
        by_name += [(row, each) for each in clusters]
    seen, named = (np.array(each, dtype=np.int64).reshape(-1, 2) for each in (by_address, by_name))
    ends = pa.concat_tables(
        [
            known.owners.names.rows.take(pa.array(seen[:, 1])),
            pa.table(_named_ends(asked.take(named[:, 0]), named[:, 1], known)),
        ]
    )
    of_row = np.concatenate((seen[:, 0], named[:, 0]))
    ends = ends.take(pa.array(np.argsort(of_row, kind="stable"))).combine_chunks()
    parts = [ends.column(each).combine_chunks() for each in ("owner", "namespace", "kind", "workload")]
    structs = pa.StructArray.from_arrays([parts[0].cast(UUID_BYTES), *parts[1:]], fields=list(CANDIDATE))
    counts = np.bincount(of_row, minlength=len(found.outcome))
    return pa.ListArray.from_arrays(np.concatenate(([0], np.cumsum(counts))).astype(np.int32), structs)
