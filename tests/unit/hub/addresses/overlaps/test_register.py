"""The register against an oracle that looks at every pair."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.overlaps.engine.forest import GroupStats
from periplus_hub.addresses.overlaps.engine.layers import Entry
from periplus_hub.addresses.overlaps.engine.register import Register
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP, Relations, pair_severity
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS, USE_MASK, USES, Use
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation, Severity
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import LENGTH_MASK, address_of

from tests.support.prefix_columns import prefix_columns
from tests.support.properties import examples

CLUSTERS = 5
Connections = dict[tuple[int, int], Relation]


def relation(domains: Sequence[int], connections: Connections, a: int, b: int, default: Relation) -> Relation | None:
    if a == b:
        return None
    pair = (domains[a], domains[b])
    if pair[0] == pair[1]:
        return Relation.SAME
    return connections.get(pair) or connections.get((pair[1], pair[0])) or default


def outermost_ranges(entries: Sequence[Entry]) -> dict[Entry, Prefix]:
    """Of every entry the widest range of its cluster that it lies in."""
    around = {e: [o.prefix for o in entries if o.owner == e.owner and o.prefix.covers(e.prefix)] for e in entries}
    return {entry: min(prefixes, key=lambda prefix: prefix.length) for entry, prefixes in around.items()}


def pairs_by_group(
    entries: Sequence[Entry], domains: Sequence[int], connections: Connections, default: Relation
) -> dict[Prefix, list[tuple[Entry, Entry, Severity]]]:
    """Every pair, by the wider of the two outermost ranges: there the clusters meet."""
    found: dict[Prefix, list[tuple[Entry, Entry, Severity]]] = {}
    outermost = outermost_ranges(entries)
    for a, b in combinations(entries, 2):
        if a.prefix.covers(b.prefix) or b.prefix.covers(a.prefix):
            severity = pair_severity(relation(domains, connections, a.owner, b.owner, default), a.use, b.use)
            if severity is not None:
                root = min(outermost[a], outermost[b], key=lambda prefix: prefix.length)
                found.setdefault(root, []).append((a, b, severity))
    return found


def naive(
    entries: Sequence[Entry], domains: Sequence[int], connections: Connections, default: Relation = Relation.ISOLATED
) -> dict[Prefix, GroupStats]:
    groups, outermost = {}, outermost_ranges(entries)
    for root, pairs in pairs_by_group(entries, domains, connections, default).items():
        inside = [entry for entry in entries if root.covers(outermost[entry])]
        counts = tuple(sum(found is severity for _, _, found in pairs) for severity in SEVERITIES)
        worst = min((found for _, _, found in pairs), key=SEVERITIES.index)
        groups[root] = GroupStats(root, len({e.owner for e in inside}), len(inside), counts, worst)
    return groups


Severities = dict[tuple[Prefix, Entry], Severity | None]
"""By group and member."""


def naive_severities(
    entries: Sequence[Entry], domains: Sequence[int], connections: Connections, default: Relation = Relation.ISOLATED
) -> Severities:
    found: Severities = {}
    outermost = outermost_ranges(entries)
    for root, pairs in pairs_by_group(entries, domains, connections, default).items():
        found |= {(root, entry): None for entry in entries if root.covers(outermost[entry])}
        for a, b, severity in pairs:
            for each in (a, b):
                found[root, each] = min((severity, found[root, each] or severity), key=SEVERITIES.index)
    return found


def severities(of: Register) -> Severities:
    found: Severities = {}
    for group in of.groups():
        inside = of.members(group.root)
        keys = inside.prefixes.as_integers(group.root.family)
        for key, code, severity in zip(keys, inside.codes.tolist(), inside.severities.tolist(), strict=True):
            prefix = Prefix(group.root.family, address_of(key, group.root.family), key & LENGTH_MASK)
            member = Entry(prefix, code >> USE_BITS, USES[code & USE_MASK])
            found[group.root, member] = None if severity == NO_OVERLAP else SEVERITIES[severity]
    return found


Share = tuple[Prefix, int, Severity, frozenset[Use], int]


def naive_shares(roots: Sequence[Prefix], of_entries: Severities, entries: Sequence[Entry]) -> list[Share]:
    """Per group and cluster: its worst severity, the uses that are as bad, and how many allocations it has."""
    shares = []
    for root in roots:
        inside = [(entry, severity) for (of, entry), severity in of_entries.items() if of == root]
        for owner in sorted({entry.owner for entry, _ in inside}):
            own = [(entry, severity) for entry, severity in inside if entry.owner == owner]
            if not any(severity for _, severity in own):
                continue  # it only lives there
            worst = min((severity for _, severity in own if severity), key=SEVERITIES.index)
            uses = frozenset(entry.use for entry, severity in own if severity is worst)
            shares.append((root, owner, worst, uses, sum(entries.count(entry) for entry, _ in own)))
    return shares


def shares(of: Register, roots: Sequence[Prefix]) -> list[Share]:
    found = of.shares(roots)
    columns = (found.group, found.owner, found.severity, found.uses, found.members)
    return [
        (
            roots[group],
            owner,
            SEVERITIES[severity],
            frozenset(use for i, use in enumerate(USES) if uses >> i & 1),
            members,
        )
        for group, owner, severity, uses, members in zip(*(column.tolist() for column in columns), strict=True)
    ]


def assert_every_member_has_its_own_severity(
    of: Register,
    entries: Sequence[Entry],
    domains: Sequence[int],
    connections: Connections,
    default: Relation = Relation.ISOLATED,
) -> None:
    roots = [group.root for group in of.groups()][::-1]
    expected = naive_severities(entries, domains, connections, default)
    assert severities(of) == expected
    assert shares(of, roots) == naive_shares(roots, expected, entries)


def register(
    entries: Sequence[Entry], domains: Sequence[int], connections: Connections, default: Relation = Relation.ISOLATED
) -> Register:
    columns = prefix_columns([e.prefix for e in entries])
    codes = np.array([e.code for e in entries], dtype=np.int32)
    return Register(columns, codes, Relations(domains, connections, default))


def groups(of: Register) -> dict[Prefix, GroupStats]:
    return {stats.root: stats for stats in of.groups()}


def _prefix(family: int, bits: int, length: int) -> Prefix:
    """Prefixes around both ends of the space and the middle of IPv6, so that nesting and all-ones happen often."""
    value = (bits & 0xFF) << 120 | (bits >> 8 & 0xF) << (60 if family == 6 else 96)
    return Prefix(family, value >> (128 - length) << (128 - length), length)


prefixes = st.one_of(
    st.builds(_prefix, st.just(4), st.integers(0, 0xFFF), st.sampled_from([1, 2, 3, 4, 6, 8, 16, 28, 30, 32])),
    st.builds(_prefix, st.just(6), st.integers(0, 0xFFF), st.sampled_from([1, 3, 5, 8, 63, 64, 65, 66, 68, 127, 128])),
)
entries_of = st.builds(Entry, prefixes, st.integers(0, CLUSTERS - 1), st.sampled_from(USES))
domain_lists = st.lists(st.integers(0, 3), min_size=CLUSTERS, max_size=CLUSTERS)
connection_sets = st.dictionaries(
    st.sampled_from(list(combinations(range(4), 2))),
    st.sampled_from([Relation.FLAT, Relation.NAT, Relation.PLANNED]),
)


@pytest.mark.promise("overlaps-are-exact")
@examples(1.5)
@given(st.lists(entries_of, max_size=40), domain_lists, connection_sets, st.sampled_from(["isolated", "planned"]))
def test_a_full_build_equals_the_oracle(
    entries: list[Entry], domains: list[int], connections: Connections, default: str
) -> None:
    built = register(entries, domains, connections, Relation(default))
    assert groups(built) == naive(entries, domains, connections, Relation(default))
    assert_every_member_has_its_own_severity(built, entries, domains, connections, Relation(default))


@pytest.mark.promise("overlaps-are-exact")
@examples(0.8)
@given(
    st.lists(entries_of, max_size=20),
    st.lists(st.tuples(st.booleans(), entries_of, st.integers(0, 99)), max_size=30),
    domain_lists,
    connection_sets,
)
def test_single_changes_equal_the_oracle_and_name_what_changed(
    entries: list[Entry],
    changes: list[tuple[bool, Entry, int]],
    domains: list[int],
    connections: Connections,
) -> None:
    now, built = list(entries), register(entries, domains, connections)
    before = groups(built)
    for insert, entry, pick in changes:
        if insert:
            now.append(entry)
            named = built.insert(entry)
        else:
            known = sorted(now)
            chosen = known[pick % len(known)] if known else entry
            if chosen in now:
                now.remove(chosen)
            named = built.remove(chosen)
        expected = naive(now, domains, connections)
        changed = {root for root in expected.keys() | before.keys() if expected.get(root) != before.get(root)}
        assert changed <= named
        assert {root: built.group(root) for root in named if built.group(root)} == {
            root: stats for root, stats in expected.items() if root in named
        }
        before = expected
    assert groups(built) == before
    assert_every_member_has_its_own_severity(built, now, domains, connections)


def test_many_entries_cross_chunk_borders() -> None:
    pool = [parse(f"10.{i}.{j}.0/24") for i in range(4) for j in range(256)]
    entries = [Entry(p, owner, Use.POD) for p in pool for owner in range(CLUSTERS)]
    entries += [Entry(parse("10.0.0.0/14"), 0, Use.POD)]
    domains, extra = [0, 0, 1, 2, 3], [Entry(p, 1, Use.SERVICE) for p in pool]
    grown = register(entries, domains, {(0, 1): Relation.FLAT})
    for entry in extra:
        grown.insert(entry)
    grown.remove(entries[-1])
    rebuilt = register([*entries[:-1], *extra], domains, {(0, 1): Relation.FLAT})
    assert groups(grown) == groups(rebuilt)
    assert len(groups(grown)) == 1024
    assert severities(grown) == severities(rebuilt)
    roots = list(groups(grown))
    assert shares(grown, roots) == [share for root in roots for share in shares(rebuilt, [root])]


@pytest.mark.promise("overlaps-are-groups")
def test_a_thousand_defaults_are_one_group_and_pairs_are_arithmetic() -> None:
    entries = [Entry(parse("10.244.0.0/16"), owner, Use.POD) for owner in range(1000)]
    (group,) = register(entries, list(range(1000)), {}).groups()
    assert (group.clusters, group.members, sum(group.pairs)) == (1000, 1000, 1000 * 999 // 2)
    assert group.severity is Severity.LATENT
