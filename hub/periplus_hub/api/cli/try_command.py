"""`periplus try`: the overlap report for the clusters of a kubeconfig, without installing anything in them."""

import contextlib
import hashlib
import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from periplus_contract.names import are_alike, is_id, why_no_name
from periplus_contract.text import visible
from periplus_hub.api.cli import try_preflight
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.fail_on import FailOn, FailOnOption, leave
from periplus_hub.api.cli.flow_sources import with_flow_sources
from periplus_hub.api.cli.keep_serving import More, serve_until_interrupted
from periplus_hub.api.cli.kubeconfigs import KubeconfigError, Offer, Unread, merged, named
from periplus_hub.api.cli.output import say, tell_json, tell_json_line
from periplus_hub.api.cli.preflight_command import leave as leave_preflight
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.report import ClusterLine, ClusterState, Report
from periplus_hub.api.cli.temporary_fleet import Fleet, Target, running
from periplus_hub.api.cli.try_flows import (
    HubbleOption,
    PrometheusOption,
    Reading,
    WatchOption,
    from_outside,
    reading,
    seconds_of,
    with_hint,
)
from periplus_hub.api.cli.try_preflight import PreflightOption
from periplus_hub.kit.clock import SystemClock

_MAX_NAME: Final = 100
_OTHER: Final = re.compile(r"[^A-Za-z0-9._:/@+()-]+")
_OF_FLOWS: Final = ("dependencies", "coverage")
_APART: Final = (
    "Each cluster counts as a network of its own, so what two of them share is at most latent. "
    "If they are, or will be, joined into one network: --joined."
)


def _offered(ctx: typer.Context, incomplete: str) -> list[str]:
    """For the shell's completion of --context."""
    given = ctx.params.get("kubeconfig")
    with contextlib.suppress(KubeconfigError):
        found = named([Path(path) for path in given], ()) if given else merged(())
        names = dict.fromkeys(each.context for each in found.chosen)
        return [name for name in names if name.startswith(incomplete) and visible(name) == name]
    return []


_KubeconfigOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="<path>", help="The kubeconfig. Repeatable. Default: every file of KUBECONFIG, else ~/.kube/config."
    ),
]
_ContextOption = Annotated[
    list[str] | None,
    typer.Option(metavar="<name>", help="Only this context. Repeatable. Default: all.", autocompletion=_offered),
]


def _no_names(given: list[str]) -> None:
    """It joins all or none, where `overlaps --joined` takes names: a name that is typed all the same is told."""
    if given:
        what = f"'periplus try' takes no names of clusters and no value of --joined, as {given[0]!r} is"
        fail(what, "Choose clusters with --context. --joined, without a value, joins all of them.", Exit.USAGE)


def try_fleet(
    typed: typer.Context,
    *,
    kubeconfig: _KubeconfigOption = None,
    context: _ContextOption = None,
    joined: Annotated[bool, typer.Option("--joined", help="Ask: and if I put them all into one network?")] = False,
    watch: WatchOption = None,
    prometheus: PrometheusOption = None,
    hubble_relay: HubbleOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on serving the hub until Ctrl-C.")] = False,
    fail_on: FailOnOption = None,
    preflight: PreflightOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    wait: Annotated[float, typer.Option(min=1, max=3600, help="Seconds to wait for slow clusters.")] = 60,
) -> None:
    """Read the clusters of a kubeconfig and report which address ranges overlap.

    Starts a hub in a temporary folder and one read-only spoke per context. Nothing is written to any cluster.
    """
    _no_names(typed.args)
    watch_s = seconds_of(watch)
    try_preflight.one_question(preflight, fail_on, is_watched=bool(watch_s))
    offer, targets = _offered_targets(kubeconfig, context or ())
    flows = reading(targets, prometheus, hubble_relay, is_read=bool(watch_s) or keep)
    notes = (*offer.notes, *(() if joined or len(targets) == 1 else (_APART,)))
    with running(targets if flows is None else list(map(flows.equip, targets)), Progress()) as fleet:
        show = printer(as_json=as_json, is_new=True, is_line=bool(watch_s))
        fleet.wait_settled(wait)
        found = with_flow_sources(fleet.client, fleet.report(joined=joined, notes=notes))
        found = with_hint(found) if flows is None else from_outside(found, targets)
        report = _with_unread(found, offer.unread)
        judged = try_preflight.judge_report(fleet.client, report, preflight) if preflight else None
        if judged is None or not as_json:
            show(report)
        if judged is not None:
            try_preflight.show(judged, as_json=as_json)
        has_flows = not watch_s or flows is None or _watch(fleet, report, flows, watch_s, as_json=as_json)
        if keep:
            serve_until_interrupted(fleet, err=as_json, more=More(commands=_OF_FLOWS))
    if keep:
        say("Stopped; nothing is left behind.")
    if judged is not None:
        leave_preflight(judged)
    _leave(report, fail_on)
    if not has_flows:
        raise typer.Exit(int(Exit.FAILED))


def _offered_targets(kubeconfig: Sequence[Path] | None, contexts: Sequence[str]) -> tuple[Offer, list[Target]]:
    """What is to be read, and a target for each context."""
    try:
        offer = named(kubeconfig, contexts) if kubeconfig else merged(contexts)
    except KubeconfigError as error:
        fail(error.message, error.remedy)
    names = cluster_names([each.label for each in offer.chosen])
    return offer, [Target(name, each.context, each.kubeconfig) for name, each in zip(names, offer.chosen, strict=True)]


def _watch(fleet: Fleet, report: Report, flows: Reading, seconds: int, *, as_json: bool) -> bool:
    """Whether any flows were told."""
    from periplus_hub.api.cli import try_watch, try_watch_lines  # noqa: PLC0415 - the report need not wait for it

    lines: try_watch_lines.Lines = try_watch_lines.LinesOfJson() if as_json else try_watch_lines.LinesOfText()
    return try_watch.Watch(fleet, report, flows, lines, SystemClock()).run(seconds)


def _with_unread(report: Report, unread: Sequence[Unread]) -> Report:
    """And what of the kubeconfigs nobody could read: who knows which clusters it leads to."""
    lines = (
        ClusterLine(
            name=each.name,
            context="",
            state=ClusterState.UNREAD,
            reason="bad_kubeconfig",
            message=each.message,
            remedy=each.remedy,
        )
        for each in unread
    )
    return replace(report, clusters=(*report.clusters, *lines))


def cluster_names(labels: Sequence[str]) -> list[str]:
    """The contexts' names, changed to what a hub takes without losing what tells them apart."""
    names: list[str] = []
    for label in labels:
        # By a digest of the label and not by a number: the same context has the same name on every run, whichever
        # others there are.
        is_fine = not why_no_name(label, _MAX_NAME) and not any(are_alike(label, name) for name in names)
        names.append(label if is_fine else _renamed(label))
    return names


def _renamed(label: str) -> str:
    readable = _OTHER.sub("-", label[: _MAX_NAME - len("cluster--12345678")]).strip("._:/@+()-")
    return f"{'cluster-' if is_id(label) or not readable else ''}{readable}-{_digest(label)}"


def _digest(label: str) -> str:
    return hashlib.sha256(label.encode(errors="surrogatepass")).hexdigest()[:8]


def printer(*, as_json: bool, is_new: bool = False, is_line: bool = False) -> Callable[[Report], None]:
    """How a report goes to standard output. What that needs is loaded now, while spokes are still reading.

    To a hub that is new every overlap is as old as itself: ages would say nothing. `is_line` is the first of several
    documents, each on a line.
    """
    if as_json and is_line:
        return lambda report: tell_json_line({"what": "report", **report.document()})
    if as_json:
        return lambda report: tell_json(report.document())
    render = importlib.import_module("periplus_hub.api.cli.report_text")
    console = importlib.import_module("periplus_hub.api.cli.tables").standard_output()
    return lambda report: render.print_report(_without_ages(report) if is_new else report, console)


def _without_ages(report: Report) -> Report:
    return replace(report, groups=tuple(replace(group, since="") for group in report.groups))


def _leave(report: Report, fail_on: FailOn | None) -> None:
    leave(report, fail_on)
    # A report without overlaps about clusters of which none was read must not end like good news in a script.
    known = {ClusterState.COMPLETE, ClusterState.INCOMPLETE, ClusterState.STALE}
    if not any(cluster.state in known for cluster in report.clusters):
        raise typer.Exit(int(Exit.FAILED))
