"""The hub's processes: serve, work, migrate. Each runs until SIGTERM or SIGINT, then stops within 25 seconds."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from periplus_hub.access.service import make_admin_token
from periplus_hub.addresses.jobs import OverlapsJob
from periplus_hub.api.app import make_intake, make_jobs, metrics_app, nudging, people_app, spokes_app
from periplus_hub.api.config import HubConfig
from periplus_hub.api.health import Health
from periplus_hub.api.resources import Resources, open_resources, open_store
from periplus_hub.kit import logs
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.jobs import JobRunner, lead
from periplus_hub.kit.migrate import upgrade

_BACKLOG: Final = 512
_log: Final = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """Several servers share one loop, so signals are ours to handle."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class _Listener:
    name: str
    socket: socket.socket
    server: _Server
    url: str


async def serve(config: HubConfig) -> None:
    """The three listeners, and the jobs too when all in one."""
    logs.configure(config.log_level, human=config.log_format == "text")
    with _stop_signals() as stop:
        async with open_resources(config) as resources:
            await _serve(resources, stop)


async def _serve(resources: Resources, stop: asyncio.Event) -> None:
    config = resources.config
    health = Health(resources.db)
    runner = JobRunner(make_jobs(resources), resources.clock)
    intake = make_intake(resources, (nudging(runner, OverlapsJob.name),) if config.works else ())
    listeners = _listeners(config, spokes_app(resources, intake), people_app(resources, health), metrics_app(health))
    jobs = asyncio.ensure_future(lead(resources.db, runner)) if config.works else None
    servers = [asyncio.ensure_future(each.server.serve([each.socket])) for each in listeners]
    try:
        token_file = await _admin_token_file(resources)
        await _all_started(listeners, servers)
        await _write_ready_file(config, listeners, token_file, health)
        await _until_stopped(stop, [*servers, *([jobs] if jobs else [])])
    finally:
        health.draining = True
        for each in listeners:
            each.server.should_exit = True
        await asyncio.gather(*servers, return_exceptions=True)
        if jobs is not None:
            jobs.cancel()
            await asyncio.gather(jobs, return_exceptions=True)
        intake.close()
        if config.ready_file is not None:
            config.ready_file.unlink(missing_ok=True)
        _log.info("stopped")


async def work(config: HubConfig) -> None:
    """The jobs alone; waits while another process leads."""
    logs.configure(config.log_level, human=config.log_format == "text")
    if config.embedded:
        raise Refusal(
            "'hub work' needs a database it can share with 'hub serve'",
            "Set PERIPLUS_DATABASE_URL, or run 'hub serve --all-in-one'.",
        )
    with _stop_signals() as stop:
        async with open_resources(config) as resources:
            runner = JobRunner(make_jobs(resources), resources.clock)
            jobs = asyncio.ensure_future(lead(resources.db, runner))
            try:
                await _until_stopped(stop, [jobs])
            finally:
                jobs.cancel()
                await asyncio.gather(jobs, return_exceptions=True)


async def migrate(config: HubConfig) -> None:
    """Bring the schema up to date, and return."""
    logs.configure(config.log_level, human=config.log_format == "text")
    async with open_store(config) as url:
        await upgrade(url)


async def admin_token(config: HubConfig) -> str:
    """A new admin token of the default tenant; returns its text."""
    logs.configure("warning")
    async with open_resources(config) as resources:
        return await make_admin_token(resources.db, "command-line")


def _listeners(config: HubConfig, spokes: ASGIApp, people: ASGIApp, metrics: ASGIApp) -> list[_Listener]:
    return [
        _listener(config, "spokes", (config.spokes_host, config.spokes_port), spokes),
        _listener(config, "people", (config.people_host, config.people_port), people),
        _listener(config, "metrics", (config.metrics_host, config.metrics_port), metrics),
    ]


def _listener(config: HubConfig, name: str, address: tuple[str, int], app: ASGIApp) -> _Listener:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise Refusal(
            f"the listener for {name} cannot use {host}:{port}: {error.strerror}",
            f"Give another with --{name}-host and --{name}-port, or stop who has it.",
        ) from error
    secure = name != "metrics"
    server = _Server(
        uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(config.drain_s),
            limit_concurrency=2_000,
            ws_max_size=64 * 1024,
            ssl_certfile=config.tls_certificate if secure else None,
            ssl_keyfile=config.tls_key if secure else None,
        )
    )
    shown = f"[{host}]" if ":" in host else host
    return _Listener(name, bound, server, f"{'https' if secure and config.tls_certificate else 'http'}://{shown}:{bound.getsockname()[1]}")


async def _all_started(listeners: list[_Listener], servers: "list[asyncio.Future[None]]") -> None:
    while not all(each.server.started for each in listeners):
        for server in servers:
            if server.done():
                server.result()
        await asyncio.sleep(0.01)


async def _write_ready_file(
    config: HubConfig, listeners: list[_Listener], token_file: Path | None, health: Health
) -> None:
    trouble = await health.trouble()
    if trouble is not None:
        raise Refusal(trouble, "Look at PostgreSQL's log lines above.")
    urls = {f"{each.name}_url": each.url for each in listeners}
    _log.info("ready", **urls, admin_token_file=str(token_file or ""))
    if config.ready_file is None:
        return
    document = urls | {"pid": os.getpid(), "admin_token_file": str(token_file or "")}
    temporary = config.ready_file.with_suffix(".tmp")
    temporary.write_text(json.dumps(document))
    temporary.replace(config.ready_file)


async def _admin_token_file(resources: Resources) -> Path | None:
    """With the embedded store the first start leaves an admin token in the data folder, for its owner only."""
    config = resources.config
    if not config.embedded:
        return None
    path = config.data_dir / "admin-token"
    if not path.exists():
        token = await make_admin_token(resources.db, "embedded")
        temporary = path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_text(token + "\n")
        temporary.replace(path)
    return path


async def _until_stopped(stop: asyncio.Event, running: "list[asyncio.Future[None]]") -> None:
    """Until a signal, or until something that should go on for ever ends."""
    waiter = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([waiter, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiter}:
            await task
    finally:
        waiter.cancel()


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
