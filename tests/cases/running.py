"""One case from its file to its differences: post, ask, judge."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.cases.asking import KeptTry, Person
from tests.cases.case import Case, Phase, UnreadableCase
from tests.cases.judging import (
    Names,
    context_differences,
    owner_differences,
    phase_differences,
    read_differences,
    said_differences,
)
from tests.cases.kubeconfigs import reported_names, write_kubeconfigs
from tests.cases.planes import Lease, Planes
from tests.cases.proxies import Proxies
from tests.cluster.rig.admin import ApiError
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.polling import WaitedTooLongError
from tests.cluster.rig.toolchain import Tools
from tests.support.commands import Outcome

Json = dict[str, Any]

AT_A_TIME = 2


class NoReport(Exception):
    """A command did not print what it should; the text is what it said instead."""


@contextmanager
def running(cases: list[Case], tools: Tools, at_a_time: int = AT_A_TIME) -> Iterator[list[Future[list[str]]]]:
    """The differences of each case, in the order given; none is as it should be.

    A future raises UnreadableCase where an API server does not take what the case says.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="periplus-cases-", ignore_cleanup_errors=True)))
        planes = stack.enter_context(Planes(tools, folder, cases))
        proxies = stack.enter_context(Proxies())
        pool = stack.enter_context(ThreadPoolExecutor(at_a_time, thread_name_prefix="case"))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield [
            pool.submit(_differences, case, planes, proxies, folder / f"case-{number}")
            for number, case in enumerate(cases)
        ]


def _differences(case: Case, planes: Planes, proxies: Proxies, home: Path) -> list[str]:
    home.mkdir()
    with _posted(case, planes) as clusters:
        paths = write_kubeconfigs(case, clusters, proxies, home / "kube")
        is_environment = case.kubeconfig is not None and case.kubeconfig.is_passed_as == "env"
        person = Person(home, tuple(paths), is_environment, case.ask.wait)
        try:
            return list(_asked(case, person))
        except NoReport as error:
            return [str(error)]
        except subprocess.TimeoutExpired as error:
            return [f"{' '.join(error.cmd)} does not end"]
        except WaitedTooLongError as error:
            return [str(error)]


@contextmanager
def _posted(case: Case, planes: Planes) -> Iterator[Mapping[str, ControlPlane]]:
    """The planes by the names of the clusters; originals come before their clones."""
    leases: dict[str, Lease] = {}
    try:
        try:
            for cluster in sorted(case.clusters, key=lambda each: bool(each.clone_of)):
                original = cluster.clone_of
                leases[cluster.name] = (
                    planes.lend_clone(cluster, leases[original].plane) if original else planes.lend(cluster)
                )
        except (ApiError, WaitedTooLongError) as error:
            raise UnreadableCase(f"{case.id}: an API server does not take it: {error}") from error
        yield {name: lease.plane for name, lease in leases.items()}
    finally:
        for lease in leases.values():
            planes.give_back(lease)


def _asked(case: Case, person: Person) -> Iterator[str]:
    """A hub is kept only where it is asked more; `joined` is a `try` of its own unless it is the only one."""
    expect = case.expect
    asks_plain = expect.as_it_comes is not None or bool(expect.clusters) or expect.read is not None
    asks_hub = expect.network is not None or bool(expect.owners)
    first_is_joined = expect.joined is not None and not asks_plain
    if asks_plain or asks_hub or first_is_joined:
        options = ("--joined",) if first_is_joined else ()
        if asks_hub:
            with KeptTry(person, *options) as kept:
                yield from _judged_try(case, kept.outcome, is_joined=first_is_joined)
                yield from _asked_of_hub(case, kept)
        else:
            yield from _judged_try(case, person.tries("--json", *options), is_joined=first_is_joined)
    if expect.joined is not None and not first_is_joined:
        yield from _judged_try(case, person.tries("--json", "--joined"), is_joined=True)
    for phase, options in ((expect.as_it_comes, ()), (expect.joined, ("--joined",))):
        if phase is not None and (phase.says or phase.says_not):
            yield from _judged_text(phase, person.tries(*options))


def _judged_try(case: Case, outcome: Outcome, *, is_joined: bool) -> Iterator[str]:
    """What the report says, and where there is none what the command said instead."""
    name, phase = ("joined", case.expect.joined) if is_joined else ("try", case.expect.as_it_comes)
    report = _report(outcome)
    if not is_joined:
        for context, state in case.expect.clusters.items():
            yield from context_differences(context, state, report, outcome.err)
    if report is None and phase is not None and not phase.asks_of_groups:
        yield from (f"{name}: {each}" for each in said_differences(phase, [outcome.err]))
    elif report is None and (phase is not None or case.expect.read):
        raise NoReport(f"{name}: no report, exit {outcome.code}: {_last(outcome.err)}")
    if report is None:
        return
    if case.expect.read is not None and not is_joined:
        yield from read_differences(case.expect.read, report)
    if phase is not None:
        yield from _judged(name, phase, report, outcome.err, reported_names(case, report))


def _judged(name: str, phase: Phase, report: Json, said: str, names: Names) -> Iterator[str]:
    for difference in phase_differences(phase, report, said, names):
        yield f"{name}: {difference}"


def _judged_text(phase: Phase, outcome: Outcome) -> Iterator[str]:
    """People read the report as text; it has to say the same."""
    for difference in said_differences(phase, [outcome.out, outcome.err]):
        yield f"as text: {difference}"


def _asked_of_hub(case: Case, kept: KeptTry) -> Iterator[str]:
    report = _report(kept.outcome)
    if report is None or not kept.is_serving:
        raise NoReport(f"no hub to ask, exit {kept.outcome.code}: {_last(kept.outcome.err)}")
    for owner in case.expect.owners:
        answer = _report(kept.hub("address", owner.ip, "--json"))
        if answer is None:
            raise NoReport(f"owner of {owner.ip}: no answer")
        yield from owner_differences(owner, answer)
    if case.expect.network is not None:
        names = reported_names(case, report)
        _move_together(case, kept, names)
        outcome = kept.overlaps()
        found = _report(outcome)
        if found is None:
            raise NoReport(f"network: no report, exit {outcome.code}: {_last(outcome.err)}")
        yield from _judged("network", case.expect.network, found, outcome.err, names)
        if case.expect.network.says or case.expect.network.says_not:
            yield from _judged_text(case.expect.network, kept.hub("overlaps"))


def _move_together(case: Case, kept: KeptTry, names: Names) -> None:
    for number, network in enumerate(case.ask.same_network, start=1):
        domain = f"network-{number}"
        members = sorted(name for cluster in network for name in names[cluster])
        for command in (["create", domain], ["move", domain, *members]):
            outcome = kept.hub("domains", *command)
            if outcome.code:
                raise NoReport(f"network: domains {' '.join(command)}: exit {outcome.code}: {_last(outcome.err)}")


def _report(outcome: Outcome) -> Json | None:
    try:
        found: Json = json.loads(outcome.out)
    except ValueError:
        return None
    return found


def _last(text: str) -> str:
    """The end of what a command said, on one line."""
    return " / ".join(text.split("\n")[-4:]).strip(" /")
