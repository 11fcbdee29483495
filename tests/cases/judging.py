"""Holds what was answered against what is expected. Pure: differences are in words, and none is fine."""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import combinations
from typing import Any

from tests.cases.case import ContextState, GroupLine, Network, Owner, Phase

Json = dict[str, Any]
Names = Mapping[str, frozenset[str]]
"""What the report calls each cluster of the case."""

# Worst first. A member that overlaps nobody has none.
_SEVERITIES = ("conflict", "blocks-federation", "latent", "intended")
# Cases say states in the words of the time they were written in, or in today's.
_STATES = {"settled": {"complete"}, "partial": {"incomplete", "stale"}, "failed": {"unread"}}
_NOT_KNOWN = "range_not_known"
READ = frozenset({"complete", "incomplete", "stale"})
# Members of the report that name things and say nothing.
_NO_MESSAGES = frozenset(
    {
        *("asOf", "cidr", "cluster", "cnis", "context", "freeRanges", "kind", "kinds", "lastHeard", "networkDomain"),
        *("provider", "quality", "region", "severity", "since", "source", "state", "version"),
    }
)
_SHOWN = 3


def phase_differences(phase: Phase, report: Json, said: str, names: Names) -> list[str]:
    """`said` is what the command told people beside the report."""
    groups = report["overlapGroups"]
    texts = [*messages(report), said]
    return [
        *_missing_groups(phase.groups, groups, names),
        *_forbidden_groups(phase.no_groups, groups, names),
        *_unread(phase.no_groups, report, names),
        *said_differences(phase, texts),
        *(_free_clashes(groups) if phase.free_disjoint else ()),
        *_free_although_not(phase.not_free, groups),
    ]


def said_differences(phase: Phase, texts: list[str]) -> list[str]:
    """Of what is said to people, in any of these texts."""
    return [
        *(f"says nowhere {pattern!r}" for pattern in phase.says if not _is_said(pattern, texts)),
        *(f"says {pattern!r}: {found}" for pattern in phase.says_not for found in _said(pattern, texts)[:1]),
    ]


def messages(value: Any) -> Iterator[str]:
    """All that a report says in words: messages, remedies, what breaks, notes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from messages(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _NO_MESSAGES:
                yield from messages(each)


def _said(pattern: str, texts: Iterable[str]) -> list[str]:
    return [text for text in texts if re.search(pattern, text, re.IGNORECASE)]


def _is_said(pattern: str, texts: Iterable[str]) -> bool:
    return bool(_said(pattern, texts))


def _missing_groups(lines: Iterable[GroupLine], groups: list[Json], names: Names) -> Iterator[str]:
    for line in lines:
        if not any(matches(line, group, names) for group in groups):
            near = [_shown(group) for group in groups if _looked_at(line, group, names)]
            yield f"no group with {_wanted(line)}; near it: {_some(near)}"


def _forbidden_groups(lines: Iterable[GroupLine], groups: list[Json], names: Names) -> Iterator[str]:
    for line in lines:
        found = [_shown(group) for group in groups if matches(line, group, names)]
        if found:
            yield f"there must be no group with {_wanted(line)}; there is: {_some(found)}"
        cut = [_shown(group) for group in groups if group["memberCount"] > len(group["members"])]
        if cut and not found:
            yield f"whether there is a group with {_wanted(line)} cannot be seen: not all members of {_some(cut)}"


def _unread(lines: Iterable[GroupLine], report: Json, names: Names) -> Iterator[str]:
    """Of a cluster that was not read, it is not known that it is in no group."""
    read = {line["name"] for line in report["clusters"] if line["state"] in READ}
    needed = dict.fromkeys(cluster for line in lines for cluster in line.clusters or names)
    for cluster in needed:
        if not names[cluster] or not names[cluster] <= read:
            yield f"what overlaps with {cluster} is not known: it was not read"


def matches(line: GroupLine, group: Json, names: Names) -> bool:
    """Whether each cluster of the line is hit in the group as the line says, the worst of them as badly as it says."""
    hit = _looked_at(line, group, names)
    if not all(any(member["cluster"] in names[cluster] for member in hit) for cluster in line.clusters):
        return False
    worst = min((_SEVERITIES.index(member["severity"]) for member in hit), default=None)
    return worst is not None and (not line.severities or _SEVERITIES[worst] in line.severities)


def _looked_at(line: GroupLine, group: Json, names: Names) -> list[Json]:
    """The members that a line is about: hit, of its clusters, its kind, in its range."""
    clusters = frozenset().union(*(names[cluster] for cluster in line.clusters))
    return [
        member
        for member in group["members"]
        if member["severity"] is not None
        and (not clusters or member["cluster"] in clusters)
        and (not line.kinds or member["kind"] in line.kinds)
        and (line.network is None or _overlap(ip_network(member["cidr"]), line.network))
    ]


def _overlap(a: Network, b: Network) -> bool:
    return a.version == b.version and a.overlaps(b)


def _wanted(line: GroupLine) -> str:
    parts = (
        f"{line.kind or 'anything'} of {' and '.join(line.clusters) or 'any cluster'}",
        f" in {line.within}" if line.within else "",
        f", {' or '.join(sorted(line.severities))}" if line.severities else "",
    )
    return "".join(parts)


def _shown(group: Json) -> str:
    members = [
        f"{each['cluster']} {each['kind']} {each['cidr']} {each['severity'] or 'not hit'}" for each in group["members"]
    ]
    return f"{group['cidr']} {group['severity']} ({_some(members)})"


def _some(shown: list[str]) -> str:
    more = f", and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return (", ".join(shown[:_SHOWN]) + more) or "none"


def proposed(groups: Iterable[Json]) -> list[tuple[str, str]]:
    """Each range that is called free, and for what. One move of a cluster may be named by several groups."""
    moves = {
        (move["cidr"], f"{move['kind']} of {move['cluster']}"): None
        for group in groups
        for move in group.get("moves", ())
        if move["cidr"]
    }
    of_moves = {cidr for cidr, _ in moves}
    others = [(free, group["cidr"]) for group in groups for free in group["freeRanges"] if free not in of_moves]
    return [*moves, *others]


def _free_clashes(groups: list[Json]) -> Iterator[str]:
    free = proposed(groups)
    if not free:
        yield "no range is called free"
    for (one, for_one), (other, for_other) in combinations(free, 2):
        if _overlap(ip_network(one), ip_network(other)):
            yield f"{one} for {for_one} and {other} for {for_other} are both called free, and overlap"


def _free_although_not(taken: Iterable[str], groups: list[Json]) -> Iterator[str]:
    for cidr in taken:
        for free, use in proposed(groups):
            if _overlap(ip_network(free), ip_network(cidr)):
                yield f"{free} is called free for {use}, and overlaps {cidr}"


def context_differences(context: str, expected: ContextState, report: Json | None, said: str) -> list[str]:
    """Of one context of the report; without a report there is only what was said."""
    lines = [each for each in report["clusters"] if context in (each["context"], each["name"])] if report else []
    texts = [text for line in lines for text in messages(line)] if lines else [said]
    if expected.or_says and _is_said(expected.or_says, texts):
        return []
    states = sorted({_state_as_read(line) for line in lines}) or ["not in the report"]
    wanted = frozenset().union(*(_STATES.get(word, {word}) for word in expected.states))
    if lines and wanted.issuperset(states):
        return []
    or_says = f" and does not say {expected.or_says!r}" if expected.or_says else ""
    told = _some([text for line in lines for text in (line["message"], line["remedy"]) if text])
    return [f"context {context} is {', '.join(states)}, not {' or '.join(sorted(wanted))}{or_says}; it says: {told}"]


def _state_as_read(line: Json) -> str:
    """The state of a context. One that was read whole is, even where no object says which range pods may use."""
    reasons = {each["reason"] for each in line.get("missing", ())}
    return "complete" if line["state"] == "incomplete" and reasons == {_NOT_KNOWN} else str(line["state"])


def read_differences(expected: int, report: Json) -> list[str]:
    """How many clusters were read, if not all of each."""
    read = [line["name"] for line in report["clusters"] if line["state"] in READ]
    return [] if len(read) == expected else [f"{len(read)} clusters are read ({_some(read)}), not {expected}"]


def owner_differences(expected: Owner, answer: Json) -> list[str]:
    """`answer` is that of `periplus address`."""
    owners = answer["owners"]
    names = {name for owner in owners for name in _owner_names(owner)}
    word = ("ambiguous" if answer["reason"] else "owned") if owners else "unknown"
    shown = _some([f"{each['kind'].lower()} {each['name']} of {each['cluster']['name']}" for each in owners])
    found = []
    if expected.answer and expected.answer.lower() not in ({word} if len(owners) != 1 else {word, *names}):
        found.append(f"{expected.ip} is {word} ({shown}), not {expected.answer}")
    missing = [name for name in expected.named if name not in names]
    if missing:
        found.append(f"{' and '.join(missing)} is not among whose {expected.ip} is said to be: {word}, {shown}")
    return found


def _owner_names(owner: Json) -> set[str]:
    qualified = "/".join(filter(None, (owner["namespace"], owner["name"])))
    kind = owner["kind"].lower()
    return {owner["name"], qualified, kind, f"{kind} {owner['name']}", f"{kind} {qualified}"}
