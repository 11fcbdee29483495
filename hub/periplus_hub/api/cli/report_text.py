"""The report for people: worst first, what it breaks, what to do. Colours follow the terminal."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.rule import Rule

from periplus_hub.api.cli.flow_sources import flows_words
from periplus_hub.api.cli.report import (
    SAME_CLUSTER,
    ClusterLine,
    ClusterState,
    GroupLine,
    HitLine,
    MemberLine,
    Report,
    Severity,
    alike_together,
    counted,
    encloses,
    enclosing,
    minute,
)
from periplus_hub.api.cli.rich_text import Console, Text
from periplus_hub.api.cli.tables import print_labelled, print_table, print_text
from periplus_hub.api.cli.ways_words import ways_words
from periplus_hub.kit.some_names import some

# Foregrounds are the terminal's own, bold, dim, red, green or magenta: the rest is hard to read on light or on dark.
_STYLE: Final = {
    Severity.CONFLICT: "bold white on red",
    Severity.BLOCKS_FEDERATION: "bold black on yellow",
    Severity.LATENT: "bold black on cyan",
    Severity.INTENDED: "black on green",
}
_MEANING: Final = {
    Severity.CONFLICT: "the same network holds both: traffic can go wrong now",
    Severity.BLOCKS_FEDERATION: "these clusters cannot be joined as they are",
    Severity.LATENT: "harmless while the networks stay apart",
    Severity.INTENDED: "translated, or accepted by a person",
}
_MILDER: Final = {
    Severity.BLOCKS_FEDERATION: "also unjoinable:",
    Severity.LATENT: "also latent for:",
    Severity.INTENDED: "also intended for:",
}
"""Before the clusters of a group that it hurts less than its severity says."""
_STATE_STYLE: Final = {
    ClusterState.COMPLETE: "green",
    ClusterState.INCOMPLETE: "bold magenta",
    ClusterState.STALE: "bold magenta",
    ClusterState.UNREAD: "bold red",
    ClusterState.PENDING: "bold magenta",
    ClusterState.REVOKED: "dim",
}
_UNKNOWN: Final = frozenset({ClusterState.UNREAD, ClusterState.PENDING, ClusterState.REVOKED})
_NO_GROUPS: Final = "no overlapping address ranges"
_LABEL_WIDTH: Final = len("    also latent for:")
_GAP: Final = 2
_VENDOR_SUFFIX: Final = re.compile(r"[-+].*")
_MAX_RANGES: Final = 4
_MAX_OWNERS: Final = 12


def print_report(report: Report, console: Console) -> None:
    """Clusters, then overlaps by severity, then one line that sums it up."""
    console.print()
    if report.clusters:
        _print_clusters(report.clusters, console)
    for cluster in report.clusters:
        _print_trouble(cluster, console)
    for cluster in report.clusters:
        _print_flows(cluster, console)
    groups = alike_together(report.groups)
    for severity in Severity:
        alike = [(group, cidrs) for group, cidrs in groups if group.severity is severity]
        if alike:
            _print_severity(severity, alike, console)
    console.print()
    notes = (Text(note, style="dim") for note in report.notes)
    copies = (Text.assemble(("copies: ", "bold magenta"), each) for each in report.copies)
    for line in (_summary(report), *_caveats(report), *copies, *notes):
        print_text(line, console)


def _print_clusters(clusters: Sequence[ClusterLine], console: Console) -> None:
    rows = [
        (
            Text(cluster.name, style="bold"),
            _state(cluster),
            Text(cluster.network_domain or "–"),
            Text(" ".join(part for part in (cluster.provider, cluster.region) if part) or "–"),
            Text(_VENDOR_SUFFIX.sub("", cluster.version) or "–"),
            Text(", ".join(cluster.cnis) or "–"),
            *(_count(number) for number in (cluster.nodes, cluster.pods, cluster.services)),
        )
        for cluster in clusters
    ]
    columns = ("cluster", "state", "domain", "where", "version", "cni", "nodes", "pods", "services")
    print_table(columns, rows, console, numbers=3)


def _state(cluster: ClusterLine) -> Text:
    if cluster.reason == SAME_CLUSTER:
        return Text("same cluster", style="dim")
    return Text(cluster.state, style=_STATE_STYLE[cluster.state])


def _count(number: int | None) -> Text:
    """Unknown is not zero."""
    return Text("?", style="bold magenta") if number is None else Text(f"{number:,}")


def _print_trouble(cluster: ClusterLine, console: Console) -> None:
    if not cluster.message:
        return
    line = Text.assemble((f"{cluster.name}: ", _state(cluster).style), cluster.message)
    if cluster.reason:
        line.append(f" [{cluster.reason}]", style="dim")
    print_labelled(Text("  "), line, console)
    if cluster.remedy:
        print_labelled(Text("    → "), Text(cluster.remedy), console)


def _print_flows(cluster: ClusterLine, console: Console) -> None:
    """In one line if it fits; else its command has one for itself, whole, to be copied."""
    words = flows_words(cluster.flow_sources, cluster.flow_command)
    if not words:
        return
    line, command = Text.assemble((f"{cluster.name}: ", "bold"), words), cluster.flow_command
    if command and line.cell_len + len(command) + len("   → ") <= console.width:
        line.append(f" → {command}")
        command = ""
    print_labelled(Text("  "), line, console)
    if command:
        console.print(Text(f"    → {command}"), soft_wrap=True)


def _print_severity(severity: Severity, alike: list[tuple[GroupLine, tuple[str, ...]]], console: Console) -> None:
    """Remedies that hold for all groups of a severity are said once, at its end."""
    console.print()
    title = Text.assemble((f" {severity.upper()} ", _STYLE[severity]), f"  {_MEANING[severity]} ")
    console.print(Rule(title, align="left", style="dim"))
    shared = _shared_remedies([group for group, _ in alike])
    for group, cidrs in alike:
        _print_group(group, cidrs, shared, console)
    if shared:
        console.print(Text("For all of these:", style="green"))
        for text in _as_list(shared):
            print_labelled(Text("    • ", style="green"), Text(text), console)


def _shared_remedies(groups: Sequence[GroupLine]) -> tuple[str, ...]:
    if len(groups) < 2:  # noqa: PLR2004 - nothing to share
        return ()
    return tuple(text for text in groups[0].remedies if all(text in group.remedies for group in groups))


def _as_list(remedies: Sequence[str]) -> Iterator[str]:
    """An "Or" at the beginning would refer to what is said elsewhere."""
    for number, text in enumerate(remedies):
        alone = text.removeprefix("Or ") if number == 0 else text
        yield f"{alone[:1].upper()}{alone[1:]}"


def _print_group(group: GroupLine, cidrs: tuple[str, ...], shared: tuple[str, ...], console: Console) -> None:
    """Whom it hurts as its severity says, what that breaks and what to do; then, apart, whom it hurts less."""
    ranges = Text(", ".join(cidrs), style="bold")
    if len(cidrs) > _MAX_RANGES:
        ranges = Text.assemble((enclosing(cidrs), "bold"), f" ({len(cidrs):,} ranges in it, from {cidrs[0]})")
    owners, items = _owners(group, group.severity), []
    line = Text.assemble(ranges, "   ", owners)
    if line.cell_len <= console.width:
        console.print(line)
    else:
        print_text(ranges, console)
        items.append(("between", "bold", owners))
    items += [("known by", "dim", text) for text in _named_by(group)]
    if group.severity is not Severity.INTENDED:
        label = "breaks" if group.severity is Severity.CONFLICT else "would break"
        items += [(label, "red", text) for text in group.breaks]
        items += _stopped(group)
    own = [text for text in group.remedies if text not in shared]
    items += [("do", "green", text) for text in _as_list(own)]
    items += [("free", "green", text) for text in _free(group)]
    milder = list(Severity)[group.severity.rank + 1 :]
    items += [(_MILDER[each], "bold", _owners(group, each)) for each in milder if group.count(each)]
    if group.since:
        items.append(("since", "dim", minute(group.since)))
    _print_items(items, console)


def _named_by(group: GroupLine) -> list[str]:
    """Who named what is hit as the group's severity says, and how well that is known."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for each in _telling([each for each in group.members if each.severity is group.severity and each.source]):
        known = names.setdefault((each.cluster, each.source, each.quality), [])
        known += [name for name in [each.name or each.node] if name and name not in known]
    lines = [
        f"{cluster}: {source} {some(of, 3)}".rstrip() + f" ({quality})"
        for (cluster, source, quality), of in names.items()
    ]
    more = len(lines) - _MAX_RANGES
    return [*lines[:_MAX_RANGES], f"and {more} more"] if more > 0 else lines


def _stopped(group: GroupLine) -> Iterator[tuple[str, str, str]]:
    """Which ways of joining its clusters it stops, for a person."""
    told = (("stops", "red", group.stops), ("may stop", "magenta", group.may_stop))
    for label, style, targets in (*told, ("does not stop", "green", group.does_not_stop)):
        if targets:
            yield label, style, ways_words(targets)


def _telling(members: Sequence[MemberLine]) -> Iterator[MemberLine]:
    """Without what nodes hold of a range, and addresses in use in it: the range of the cluster says it all."""
    whole = [each for each in members if each.claim and not each.node]
    for each in members:
        if each in whole or not any(_says_all(one, each) for one in whole):
            yield each


def _says_all(whole: MemberLine, part: MemberLine) -> bool:
    return (whole.cluster, whole.kind) == (part.cluster, part.kind) and encloses(whole.cidr, part.cidr)


def _free(group: GroupLine) -> Iterator[str]:
    """Where to move, for what and for whom."""
    for move in group.moves:
        whose = f"the {move.kind}s of {move.cluster}"
        found = f"no free range for {whose}" if move.cidr is None else f"{move.cidr} for {whose}"
        unsure = ", as far as is known" if move.cidr and group.free_ranges_not_known_count else ""
        yield f"{found}{unsure}: {move.why}"
    more = group.move_count - len(group.moves)
    if more:
        yield f"and {more:,} more ranges have to change: 'periplus plan' proposes them"


def _print_items(items: Sequence[tuple[str, str, str]], console: Console) -> None:
    """Label, its style, and text; a label that repeats is said once."""
    before = ""
    for label, style, text in items:
        shown = "" if label == before else f"    {label}"
        print_labelled(Text(f"{shown:<{_LABEL_WIDTH + _GAP}}", style=style), Text(text), console)
        before = label


def _owners(group: GroupLine, severity: Severity) -> str:
    """Those the group hurts exactly so much, those of one network together, and how many more there are."""
    hit = sorted(group.hit(severity), key=lambda each: (each.network_domain, each.cluster))[:_MAX_OWNERS]
    shown = [_in_domain(domain, list(each)) for domain, each in groupby(hit, key=lambda each: each.network_domain)]
    more = group.count(severity) - len(hit)
    if not shown:
        return f"{more:,} clusters"
    return " · ".join([*shown, f"and {more:,} more"] if more > 0 else shown)


def _in_domain(domain: str, hit: Sequence[HitLine]) -> str:
    """A network that a cluster has for itself, and its name from it, needs no word."""
    named = [f"{each.cluster} ({', '.join(each.kinds)})" for each in hit]
    if domain in {"", hit[0].cluster}:
        return " · ".join(named)
    return f"{domain}: {', '.join(named)}"


def _summary(report: Report) -> Text:
    complete = f"{report.complete_clusters} of {counted(len(report.fleet), 'cluster')} complete"
    line = Text.assemble((complete, "bold"), " · ")
    stories = Counter(group.severity for group, _ in alike_together(report.groups))
    ranges = report.counts()
    counts = [(severity, stories[severity]) for severity in Severity if stories[severity]]
    if not counts:
        line.append(_nothing_found(report))
    for index, (severity, count) in enumerate(counts):
        line.append(" · " if index else "")
        line.append(f"{count} {severity}", style=_STYLE[severity])
        if ranges[severity] > count:
            line.append(f" ({ranges[severity]:,} ranges)")
    if report.joined:
        line.append("   as if these clusters were joined into one network", style="italic")
    return line


def _nothing_found(report: Report) -> str:
    """An all-clear only for what was read whole, computed and current."""
    if not any(each.state not in _UNKNOWN for each in report.fleet):
        return "nothing to compare yet"
    if not report.complete:
        return "no overlap in what is known, which is not all"
    if report.asked:
        return f"{_NO_GROUPS} of those asked for"
    alone = len(report.fleet) == 1
    return f"{_NO_GROUPS} inside it, and no other cluster to compare it with yet" if alone else _NO_GROUPS


def _caveats(report: Report) -> Iterator[Text]:
    """What the summary does not hold for, and the instant it stands for."""
    if unknown := report.unknown():
        yield Text.assemble(("not known: ", "bold magenta"), "; ".join(unknown[:_MAX_OWNERS]), _more(unknown))
    if unsure := _may_use_free_ranges(report.groups):
        yield Text.assemble(("free ranges: ", "bold magenta"), unsure)
    if report.asked:
        yield Text(f"only {report.asked}")
    if report.as_of:
        yield Text(f"as of {minute(report.as_of)}", style="dim")


def _may_use_free_ranges(groups: Sequence[GroupLine]) -> str:
    """Whom a free range is not known not to be used by; of one plan, so every group that has any says the same."""
    unsure = max(groups, key=lambda group: group.free_ranges_not_known_count, default=None)
    if unsure is None or not unsure.free_ranges_not_known_count:
        return ""
    names = unsure.free_ranges_not_known_of[:_MAX_RANGES]
    more = unsure.free_ranges_not_known_count - len(names)
    return f"whether they are free is not known of {', '.join(names)}{f' and {more:,} more' if more else ''}"


def _more(unknown: Sequence[str]) -> str:
    return f"; and {len(unknown) - _MAX_OWNERS} more" if len(unknown) > _MAX_OWNERS else ""
