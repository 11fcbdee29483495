"""The hub's processes: serve, work, migrate. Each runs until SIGTERM or SIGINT, then stops within 25 seconds."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Final

import msgspec
import structlog

from periplus_hub.access.model import DEFAULT_TENANT
from periplus_hub.access.reading_keys import IssuerKeysJob
from periplus_hub.access.service_tenants import create_tenant, make_admin_token, tenants
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.api import join_tokens
from periplus_hub.api.app import (
    api_app,
    following,
    make_flow_loading,
    make_intake,
    make_jobs,
    metrics_app,
    nudging,
    spokes_app,
)
from periplus_hub.api.config import HubConfig
from periplus_hub.api.health import Health
from periplus_hub.api.listeners import Listener, bind, serving
from periplus_hub.api.open_files import make_room
from periplus_hub.api.process_resources import Resources, migrated, open_resources, past_row_security
from periplus_hub.api.ready_file import OF_THE_FILE, ensure_admin_token, write_ready_file
from periplus_hub.api.tracing import tracing
from periplus_hub.findings.register_watch import RegisterWatch
from periplus_hub.flows.backing_up import FlowBackupJob
from periplus_hub.kit.db_urls import Urls
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.jobs import Job, JobRunner, lead
from periplus_hub.kit.own_files import write_private
from periplus_hub.kit.tasks import beside

_log: Final = structlog.get_logger(__name__)


async def serve(config: HubConfig, urls: Urls) -> None:
    """The three listeners, and the jobs too when all in one."""
    with _stop_signals() as stop, tracing():
        async with open_resources(config, urls) as resources:
            await _serve(resources, stop)


async def work(config: HubConfig, urls: Urls) -> None:
    """The jobs alone, with health and metrics; waits while another process leads."""
    with _stop_signals() as stop:
        async with open_resources(config, urls) as resources:
            unbound = await past_row_security(resources)
            health = Health(resources.databases.doors, lambda: unbound)
            own_port = config.model_copy(update={"metrics_port": config.work_metrics_port})
            listeners = bind(own_port, {"metrics": metrics_app(resources, health)}, resources.clock)
            runner = JobRunner(make_jobs(resources), resources.clock)
            async with beside(*_leading(resources, runner)), serving(listeners):
                await _run(resources, listeners, health, stop)


async def migrate(_: HubConfig, urls: Urls) -> None:
    """Bring the schema up to date, and return."""
    await migrated(urls)


async def admin_token(config: HubConfig, urls: Urls, tenant: str = DEFAULT_TENANT) -> str:
    """Replace the admin token made this way before; returns the new text.

    That of the default tenant is the one in the data folder's file.
    """
    async with open_resources(config, urls) as resources:
        if tenant != DEFAULT_TENANT:
            return await make_admin_token(resources.databases.questions, tenant=tenant)
        text = await make_admin_token(resources.databases.questions, OF_THE_FILE)
    if config.embedded:
        write_private(config.data_dir / "admin-token", text + "\n")
    return text


async def add_tenant(config: HubConfig, urls: Urls, name: str) -> str:
    """Make a tenant; returns its first admin token."""
    async with open_resources(config, urls) as resources:
        return await create_tenant(resources.databases.questions, name)


async def list_tenants(config: HubConfig, urls: Urls) -> str:
    """Every tenant, as JSON."""
    async with open_resources(config, urls) as resources:
        found = await tenants(resources.databases.questions)
    return msgspec.json.encode([{"name": each.name, "createdAt": each.created_at} for each in found]).decode()


async def _serve(resources: Resources, stop: asyncio.Event) -> None:
    config = resources.config
    if config.join_tokens_file is not None:
        await join_tokens.admit(resources.databases.questions, join_tokens.read(config.join_tokens_file))
    watch = RegisterWatch(resources.databases.jobs, resources.events.publish)
    unbound = await past_row_security(resources)
    flows, loading = make_flow_loading(resources)
    people = resources.authenticator.people
    keys = [] if people is None else [IssuerKeysJob(people.keys)]
    health = Health(
        resources.databases.doors,
        lambda: watch.degraded() | loading.degraded() | unbound | ({} if people is None else people.degraded()),
    )
    runner = JobRunner(make_jobs(resources), resources.clock)
    nudges = (nudging(runner, OverlapsJob.name),) if config.works else ()
    intake = make_intake(resources, flows, (loading.heard, *nudges))
    apps = {
        "spokes": spokes_app(resources, intake),
        "api": api_app(resources, health),
        "metrics": metrics_app(resources, health),
    }
    try:
        # Last of what can fail: nobody may be answered by a hub that then does not start.
        listeners = bind(make_room(config), apps, resources.clock)
        jobs = [
            JobRunner(_of_each_process(resources, watch, loading, *keys), resources.clock).run(),
            *(_leading(resources, runner) if config.works else ()),
        ]
        books = [resources.authenticator.uses.keep_writing(), resources.refusals.keep_writing()]
        if resources.browsers is not None:
            books.append(resources.browsers.sessions.uses.keep_writing())
        async with beside(*books, *jobs), serving(listeners):
            await _run(resources, listeners, health, stop)
    finally:
        intake.close()


def _of_each_process(resources: Resources, *jobs: Job) -> list[Job]:
    """What every process does that serves. Only one has an embedded flow store, and it alone can back that up."""
    return [*jobs, FlowBackupJob(resources.columns)] if resources.columns.is_embedded else list(jobs)


def _leading(resources: Resources, runner: JobRunner) -> Sequence[Coroutine[Any, Any, None]]:
    """What a process does that may lead."""
    return lead(resources.databases.jobs, runner), following(resources.events, runner, OverlapsJob.name)


async def _run(resources: Resources, listeners: list[Listener], health: Health, stop: asyncio.Event) -> None:
    """From ready to the signal."""
    config = resources.config
    token_file = await ensure_admin_token(resources.databases.questions, config.data_dir if config.embedded else None)
    trouble = await health.trouble()
    if trouble is not None:
        raise Refusal(trouble, "Look at PostgreSQL's log lines above.")
    if config.ready_file is not None:
        write_ready_file(config.ready_file, listeners, token_file)
    urls = {f"{listener.name}_url": listener.url for listener in listeners}
    _log.info("ready", **urls, admin_token_file=str(token_file or ""))
    try:
        await stop.wait()
        _log.info("stopping")
    finally:
        health.draining = True
        if config.ready_file is not None:
            config.ready_file.unlink(missing_ok=True)


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
