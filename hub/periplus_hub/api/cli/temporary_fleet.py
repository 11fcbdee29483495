"""Bring up a hub and spokes for a list of contexts, wait until they are settled, and make the report."""

import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from periplus_hub.api.cli import queries, temporary_folders
from periplus_hub.api.cli.child_processes import ChildError, Children, HubReady, SpokeStatus, spoke_is_installed
from periplus_hub.api.cli.copies import copy_notes
from periplus_hub.api.cli.exit_codes import STOPPING, fail
from periplus_hub.api.cli.moves import with_moves
from periplus_hub.api.cli.output import say
from periplus_hub.api.cli.progress import Progress
from periplus_hub.api.cli.queries import OverlapAsk
from periplus_hub.api.cli.report import SAME_CLUSTER, ClusterLine, ClusterState, Report, counted
from periplus_hub.api.cli.second_paths import SecondPaths
from periplus_hub.api.hub_client import HubCallError, HubClient
from periplus_hub.fleet import secrets
from periplus_hub.kit.some_names import some

_ENDED: Final = frozenset({"settled", "failed"})
_REGISTER_WAIT_S: Final = 20.0
_SLOW_POLL_S: Final = 1.0
_SHOWN: Final = 3
_LONGER: Final = "Give it longer with --wait."


@dataclass(frozen=True)
class Target:
    """One context to look at, and the cluster name it gets."""

    name: str
    context: str
    kubeconfig: str
    """One file, or several as in KUBECONFIG."""
    domain: str = ""
    """The network domain that it lands in; empty for one of its own."""
    domain_description: str = ""
    spoke_options: tuple[str, ...] = ()
    """Further settings of its spoke."""

    def handed_over(self, token: str) -> dict[str, object]:
        """Its join token as a hub reads it from a file. Nobody needs to approve."""
        landing = {"domain": self.domain, "domainDescription": self.domain_description} if self.domain else {}
        return {"token": token, "clusterName": self.name, "autoApprove": True, **landing}


@dataclass
class Fleet:
    """A running hub with its spokes."""

    targets: list[Target]
    children: Children
    ready: HubReady
    client: HubClient
    token: str
    progress: Progress
    statuses: dict[str, SpokeStatus] = field(default_factory=dict)
    second_paths: SecondPaths = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is asked yet."""
        names = [target.name for target in self.targets]
        self.second_paths = SecondPaths(self.client, names, self.children.start_spoke_again)

    def wait_settled(self, timeout_s: float) -> None:
        """Until every spoke has settled or failed and no kind is slow to list any more, or the time is over."""
        until = time.monotonic() + timeout_s
        self.children.wait_for(self._all_ended, timeout_s)
        # After they settled and not instead: a kind that is slow is told later, and the comparison should have it.
        self.children.wait_for(self._all_listed, until - time.monotonic(), _SLOW_POLL_S)
        self.wait_compared()

    def wait_compared(self) -> None:
        """Until the overlap register includes every change."""
        self.progress.show("comparing address ranges")
        self.children.wait_for(lambda: queries.register_is_current(self.client), _REGISTER_WAIT_S)
        self.progress.clear()

    def _all_ended(self) -> bool:
        self.statuses = {
            target.name: self.children.status(index, target.name) for index, target in enumerate(self.targets)
        }
        self.second_paths.settle([name for name, status in self.statuses.items() if status.phase == "pending"])
        busy = [f"{name} {status.phase}" for name, status in self.statuses.items() if not self._has_ended(name)]
        ended = len(self.targets) - len(busy)
        self.progress.show(f"{ended} of {counted(len(self.targets), 'cluster')} done", some(busy, _SHOWN))
        return not busy

    def _has_ended(self, name: str) -> bool:
        if name in self.second_paths.preferred or self._waits(name):
            return True
        return self.statuses[name].phase in _ENDED

    def _waits(self, name: str) -> bool:
        """For good: join tokens here approve by themselves, except a second spoke of one cluster."""
        status = self.statuses.get(name, SpokeStatus())
        return status.phase == "pending" and not self.second_paths.is_taking_over(name)

    def _all_listed(self) -> bool:
        """A spoke sends what it has rather than wait for a kind that is slow, which follows when it is there."""
        slow = sorted(queries.slow_sources(self.client))
        if slow:
            self.progress.show("waiting for what is slow to list", ", ".join(slow[:_SHOWN]))
        return not slow

    def report(self, *, joined: bool, notes: tuple[str, ...] = ()) -> Report:
        """Ask the hub, and put each context's fate beside it."""
        known = queries.clusters(self.client)
        lines = tuple(self._line(target, known) for target in self.targets)
        ask = OverlapAsk(joined=() if joined else None)
        groups, as_of = queries.overlap_groups(self.client, ask, {each.name: each.network_domain for each in lines})
        strangers = [each.name for each in lines if each.name not in known and each.reason != SAME_CLUSTER]
        groups = with_moves(self.client, groups, known, strangers)
        doubt = "" if joined else queries.doubt(self.client)
        ways = {each.name for each in lines if each.reason == SAME_CLUSTER}
        copies = copy_notes({each.name: known[each.name] for each in lines if each.name in known}, ways)
        return Report(
            clusters=lines, groups=groups, joined=joined, as_of=as_of, doubt=doubt, copies=copies, notes=notes
        )

    def _line(self, target: Target, known: dict[str, dict[str, Any]]) -> ClusterLine:
        status = self.statuses.get(target.name, SpokeStatus())
        line = queries.cluster_line(target.name, target.context, known.get(target.name))
        if target.name in self.second_paths.preferred or self._waits(target.name):
            kept = self.second_paths.kept(target.name, known)
            message = f"same as {kept or 'another context'}: both lead to one cluster, which is read once"
            twin = _unread(line, SAME_CLUSTER, message, "Nothing, or leave one of the two out with --context.")
            return replace(twin, state=ClusterState.PENDING)
        if status.phase == "settled":
            return replace(line, remedy=_LONGER) if line.reason == "slow" else line
        if status.phase == "failed":
            return _unread(line, status.reason or "failed", status.message, status.remedy)
        message = status.message or f"still {status.phase} when the time was over"
        remedy = status.remedy or _LONGER
        if line.state in {ClusterState.COMPLETE, ClusterState.INCOMPLETE}:
            return replace(line, state=ClusterState.INCOMPLETE, reason="slow", message=message, remedy=remedy)
        return _unread(line, status.reason or "slow", message, remedy)


def _unread(line: ClusterLine, reason: str, message: str, remedy: str) -> ClusterLine:
    return ClusterLine(
        name=line.name,
        context=line.context,
        state=ClusterState.UNREAD,
        network_domain=line.network_domain,
        last_heard=line.last_heard,
        reason=reason,
        message=message,
        remedy=remedy,
    )


@contextlib.contextmanager
def running(targets: list[Target], progress: Progress) -> Iterator[Fleet]:
    """Start a hub and a spoke per target, all at once; stops them and removes their folder on the way out."""
    if not spoke_is_installed():
        fail("the spoke agent is not installed here", "Install the package periplus-spoke beside periplus-hub.")
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)  # ends like Ctrl-C: nothing stays behind
    _remove_leftovers()
    root = _folder()
    children = Children(root)
    try:
        root.chmod(0o711)  # as root the embedded PostgreSQL runs as another account, which must pass through
        step = f"starting a hub and {counted(len(targets), 'read-only spoke')}"
        progress.show(step)
        _start(children, targets)
        ready = children.wait_ready(lambda: progress.show(step))
        token = Path(ready.admin_token_file).read_text(encoding="ascii").strip()
        with HubClient(ready.api_url, token) as client:
            yield Fleet(targets, children, ready, client, token, progress)
    except (ChildError, HubCallError) as error:
        progress.clear()
        fail(error.message, error.remedy, log=error.log if isinstance(error, ChildError) else ())
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind either
        progress.show("stopping, and removing everything")
        children.close()
        gone = children.remove_folder()
        progress.clear()
        if not gone:
            say(f"{root} could not be removed whole; remove it by hand.")


def _remove_leftovers() -> None:
    with contextlib.suppress(OSError):  # whether there is a temporary folder at all is said next
        parent = Path(tempfile.gettempdir())
        if gone := temporary_folders.remove_abandoned(parent):
            left = "that a killed run had left" if gone == 1 else "that killed runs had left"
            say(f"removed {counted(gone, 'folder')} in {parent} {left}")


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=temporary_folders.PREFIX))
    except OSError as error:
        fail(f"no temporary folder can be made: {error.strerror}", "Name a writable one in TMPDIR.")


def _start(children: Children, targets: list[Target]) -> None:
    """Each token is bound to its cluster's name. Spokes read their clusters while the hub starts."""
    tokens = {target.name: secrets.mint(secrets.JOIN_PREFIX).text for target in targets}
    try:
        children.owner_lock = temporary_folders.own(children.folder)
        url = children.start_hub([target.handed_over(tokens[target.name]) for target in targets])
        for index, target in enumerate(targets):
            way = ("--kubeconfig", target.kubeconfig, "--context", target.context, *target.spoke_options)
            children.start_spoke(index, target.name, url, tokens[target.name], way)
    except OSError as error:  # the disk is full, or the machine allows no more processes
        message = f"not all of {counted(len(targets), 'spoke')} and their hub can be started: {error}"
        raise ChildError(message, "Choose fewer with --context, or another folder with TMPDIR.") from error
