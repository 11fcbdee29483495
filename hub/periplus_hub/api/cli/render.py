"""The report for people: worst first, what it breaks, what to do. Colours follow the terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from periplus_hub.api.cli.report import ClusterLine, ClusterState, GroupLine, Report, Severity, fold_alike

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
_STATE_STYLE: Final = {
    ClusterState.SETTLED: "green",
    ClusterState.PARTIAL: "yellow",
    ClusterState.SLOW: "yellow",
    ClusterState.FAILED: "bold red",
}
_MAX_RANGES: Final = 4
_MAX_OWNERS: Final = 12


def print_report(report: Report, console: Console) -> None:
    """Clusters, then overlaps by severity, then one line that sums it up."""
    console.print()
    console.print(_clusters(report.clusters))
    for cluster in report.clusters:
        _print_trouble(cluster, console)
    groups = fold_alike(report.groups)
    for severity in Severity:
        alike = [(group, cidrs) for group, cidrs in groups if group.severity is severity]
        if alike:
            _print_severity(severity, alike, console)
    console.print()
    console.print(_summary(report))
    for note in report.notes:
        console.print(Text(note, style="dim"))


def _clusters(clusters: Sequence[ClusterLine]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("CLUSTER", no_wrap=True)
    for column in ("STATE", "WHERE", "KUBERNETES", "CNI"):
        table.add_column(column, overflow="fold")
    for column in ("NODES", "PODS", "SERVICES"):
        table.add_column(column, justify="right")
    for cluster in clusters:
        where = " ".join(part for part in (cluster.provider, cluster.region) if part) or "–"
        table.add_row(
            Text(cluster.name, style="bold"),
            Text(cluster.state, style=_STATE_STYLE[cluster.state]),
            Text(where),
            Text(cluster.version or "–"),
            Text(", ".join(cluster.cnis) or "–"),
            *(_count(number) for number in (cluster.nodes, cluster.pods, cluster.services)),
        )
    return table


def _count(number: int | None) -> Text:
    """Unknown is not zero."""
    return Text("?", style="yellow") if number is None else Text(f"{number:,}")


def _print_trouble(cluster: ClusterLine, console: Console) -> None:
    if not cluster.message:
        return
    line = Text.assemble((f"  {cluster.name}: ", _STATE_STYLE[cluster.state]), cluster.message)
    if cluster.reason:
        line.append(f" [{cluster.reason}]", style="dim")
    console.print(line)
    if cluster.remedy:
        console.print(Padding(Text(f"→ {cluster.remedy}"), (0, 0, 0, 4)))


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
        for text in shared:
            _print_item("• ", "green", text, console)


def _shared_remedies(groups: Sequence[GroupLine]) -> tuple[str, ...]:
    if len(groups) < 2:  # noqa: PLR2004 - nothing to share
        return ()
    return tuple(text for text in groups[0].remedies if all(text in group.remedies for group in groups))


def _print_group(group: GroupLine, cidrs: tuple[str, ...], shared: tuple[str, ...], console: Console) -> None:
    ranges = ", ".join(cidrs[:_MAX_RANGES])
    if len(cidrs) > _MAX_RANGES:
        ranges += f" and {len(cidrs) - _MAX_RANGES} more like it"
    console.print(Text.assemble((ranges, "bold"), "   ", _owners(group)))
    if group.severity is not Severity.INTENDED:
        label = "breaks       " if group.severity is Severity.CONFLICT else "would break  "
        for text in group.breaks:
            _print_item(label, "red", text, console)
    for text in group.remedies:
        if text not in shared:
            _print_item("do           ", "green", text, console)


def _print_item(label: str, style: str, text: str, console: Console) -> None:
    grid = Table.grid(padding=0)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(f"    {label}", style=style), Text(text))
    console.print(grid)


def _owners(group: GroupLine) -> str:
    kinds: dict[str, dict[str, None]] = {}
    for member in group.members:
        kinds.setdefault(member.cluster, {})[member.kind] = None
    owners = [f"{cluster} ({', '.join(kind)})" for cluster, kind in sorted(kinds.items())]
    shown = " · ".join(owners[:_MAX_OWNERS])
    return shown + (f" · and {len(owners) - _MAX_OWNERS} more" if len(owners) > _MAX_OWNERS else "")


def _summary(report: Report) -> Text:
    seen = sum(cluster.state in {ClusterState.SETTLED, ClusterState.PARTIAL} for cluster in report.clusters)
    line = Text.assemble((f"{seen} of {len(report.clusters)} clusters read", "bold"), " · ")
    stories = Counter(group.severity for group, _ in fold_alike(report.groups))
    counts = [(severity, stories[severity]) for severity in Severity if stories[severity]]
    if not counts:
        line.append("no overlapping address ranges" if seen > 1 else "nothing to compare yet")
    for index, (severity, count) in enumerate(counts):
        line.append(" · " if index else "")
        line.append(f"{count} {severity}", style=_STYLE[severity])
    if report.joined:
        line.append("   as if all clusters were joined into one network", style="italic")
    return line
