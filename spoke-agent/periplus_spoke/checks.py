"""`periplus-spoke check`: what a start would meet, said line by line, without changing anything."""

import os
from collections.abc import Callable
from pathlib import Path

from periplus_spoke.cluster_source import credentials
from periplus_spoke.collectors import rights_check as cluster
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig, why_no_token
from periplus_spoke.kit.errors import Exit, SpokeError
from periplus_spoke.kit.own_files import why_not_ours
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.transport.client import HubClient, NoAnswerError
from periplus_spoke.transport.identity import IdentityStore, Registration, check_cluster, check_hub, other_name
from periplus_spoke.transport.session import HubRefusalError, describe

Say = Callable[[str], None]


async def check(config: SpokeConfig, join_token: str, timer: Timer, say: Say) -> Exit:
    """Look at the state folder, the cluster and the hub; the exit code of the worst finding.

    Without a hub only the cluster: what a spoke may read is asked before there is a hub or a join token.
    """
    if not config.hub:
        code = await _cluster(config, None, timer, say)
        say("skipped state folder and hub: no --hub is given")
        return code
    stored, state = _state_folder(config, join_token, say)
    found = (state, await _cluster(config, stored, timer, say), await _hub(config, stored, timer, say))
    return next((code for code in found if code is not Exit.OK), Exit.OK)


def _state_folder(config: SpokeConfig, join_token: str, say: Say) -> tuple[Registration | None, Exit]:
    folder = config.state_dir
    if problem := _unusable(folder):
        say(f"PROBLEM state folder {folder} {problem}. Name a folder of your own with --state-dir.")
        return None, Exit.USAGE
    try:
        stored = IdentityStore(folder).registration()
    except (SpokeError, OSError) as error:
        say(f"PROBLEM state folder {folder}: {error}")
        return None, Exit.FAILED
    if stored is not None:
        say(f"ok      state folder {folder}: enrolled as {stored.cluster_name} ({stored.registration})")
        if note := other_name(stored, config.cluster_name):
            say(f"note    {note}")
        return stored, Exit.OK
    if not join_token:
        say(
            f"PROBLEM not enrolled, and {why_no_token(config)}: create one with 'periplus join-token create' "
            f"and give it by --join-token-file or {JOIN_TOKEN_VARIABLE}."
        )
        return None, Exit.USAGE
    say(f"ok      state folder {folder}: not enrolled yet, a join token is given")
    return None, Exit.OK


def _unusable(folder: Path) -> str:
    """Why a spoke could not keep its state there; empty when it could."""
    try:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:  # one of its parents may not be looked into
        return f"cannot be used: {error.strerror}"
    if existing == folder and (why := why_not_ours(folder.stat())):
        return why
    return "" if os.access(existing, os.W_OK | os.X_OK) else "is not writable"


async def _cluster(config: SpokeConfig, stored: Registration | None, timer: Timer, say: Say) -> Exit:
    kube = KubeClient(credentials(config), timer)
    try:
        report = await cluster.check(kube, timer)
    finally:
        await kube.close()
    for line in report.lines():
        say(line)
    if report.identity is None:
        return Exit.CLUSTER_UNREACHABLE
    try:
        if stored is not None:
            check_cluster(stored, report.identity.uid)
    except SpokeError as error:
        say(f"PROBLEM {error.message}. {error.remedy}")
        return Exit.FAILED
    return Exit.OK if report.ok else Exit.FAILED


async def _hub(config: SpokeConfig, stored: Registration | None, timer: Timer, say: Say) -> Exit:
    try:
        async with HubClient(config.hub, timer, config.hub_ca) as client:
            hub = await describe(client)
        if stored is not None:
            check_hub(stored, hub.hub_id)
    except NoAnswerError as error:
        say(f"PROBLEM hub: {error.message}. {error.remedy or 'Try again.'}")
        return Exit.FAILED
    except HubRefusalError as error:
        say(f"PROBLEM hub: {error.refusal.message}. {error.refusal.problem.remedy}")
        return Exit.HUB_REFUSED
    except SpokeError as error:
        say(f"PROBLEM hub: {error.message}. {error.remedy}")
        return error.exit_code
    say(f"ok      hub {config.hub}: id {hub.hub_id}, contract {hub.oldest} to {hub.newest}")
    return Exit.OK
