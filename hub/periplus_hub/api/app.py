"""The composition root: which slice answers where. One application per listener."""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from periplus_contract import limits
from periplus_contract.tables import ALLOCATIONS
from periplus_hub.access.repository_sessions import ended_before
from periplus_hub.addresses.ipam.repository_pool_history import history_before
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.ranges.jobs import RangesJob
from periplus_hub.api.backup_source import source_of
from periplus_hub.api.browser_routes import browser_routes
from periplus_hub.api.config import HubConfig
from periplus_hub.api.front_page import front_page_route
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.api.graphql_cors import across_origins
from periplus_hub.api.health import Health
from periplus_hub.api.http_middleware import Observed
from periplus_hub.api.problems import HANDLERS
from periplus_hub.api.process_resources import Resources
from periplus_hub.api.sign_in import sign_in_route
from periplus_hub.api.sign_in_rate import SignInRate
from periplus_hub.api.tracing import traced
from periplus_hub.backups.jobs import BackupJob
from periplus_hub.findings.flow_looks import FlowLooks
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.jobs_figures import FleetFiguresJob
from periplus_hub.findings.jobs_flows import FlowLookJob
from periplus_hub.findings.jobs_notices import NotifyJob
from periplus_hub.findings.repository import resolved_before
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.fleet.jobs import ClusterRule, RetentionJob, TenantRule
from periplus_hub.fleet.model import CLUSTERS_TOPIC, DOMAINS_TOPIC
from periplus_hub.fleet.repository_retention import silent_agents
from periplus_hub.fleet.routes import enrolment_router
from periplus_hub.flows.jobs import FlowDaysJob, FlowRetentionJob, FlowRingJob, FlowSpansJob, RollUpJob
from periplus_hub.flows.loading import FlowLoadJob
from periplus_hub.flows.service_intake import FlowsApplier
from periplus_hub.ingest.appliers import Listener
from periplus_hub.ingest.model import Committed
from periplus_hub.ingest.repository_retention import records_before
from periplus_hub.ingest.routes import batch_routes
from periplus_hub.ingest.service import Intake
from periplus_hub.inventory.repository_retention import identities_before
from periplus_hub.inventory.service import InventoryApplier
from periplus_hub.kit.db import Database
from periplus_hub.kit.events import Events
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.jobs import Job, JobRunner

_SPOKES_BODY: Final = 2 * limits.MAX_COMPRESSED_BYTES
"""A wall behind the routes' own limits, which say more exactly what is too large."""
_API_BODY: Final = 256 * 1024


def make_jobs(resources: Resources) -> list[Job]:
    """Everything `hub work` does."""
    db, publish, config = resources.databases.jobs, resources.events.publish, resources.config
    store, looks = resources.columns, FlowLooks()
    return [
        RangesJob(db),
        OverlapsJob(db, publish),
        FindingsJob(db, publish, FactLoader(looks)),
        NotifyJob(db, config),
        FlowLookJob(db, store, looks),
        FleetFiguresJob(db, config.metrics_cluster_limit),
        make_retention(db, config),
        FlowRingJob(db, store),
        RollUpJob(db, store, config),
        FlowDaysJob(db, store),
        FlowSpansJob(db, store),
        FlowRetentionJob(db, store, config),
        *make_backups(resources),
    ]


def make_backups(resources: Resources) -> list[Job]:
    """Of a hub that has a folder for them."""
    config = resources.config
    if config.backup_folder is None:
        return []
    source = source_of(config, resources.urls, resources.databases.jobs, resources.columns)
    return [BackupJob(source, config.backup_folder, config)]


def make_retention(db: Database, config: HubConfig) -> RetentionJob:
    """Every slice's rule of what it may forget, and after how many days."""
    clusters = [ClusterRule(config.ledger_days, records_before), ClusterRule(config.identity_days, identities_before)]
    clusters.append(ClusterRule(config.pool_history_days, history_before))
    clusters.append(ClusterRule(config.agent_days, silent_agents))
    return RetentionJob(db, clusters, [TenantRule(config.ledger_days, resolved_before), TenantRule(1, ended_before)])


def make_flow_loading(resources: Resources) -> tuple[FlowsApplier, FlowLoadJob]:
    """What takes flows, and what takes them on to the flow store: both in every process that serves spokes."""
    applier = FlowsApplier(new_id())
    return applier, FlowLoadJob(resources.databases.jobs, resources.columns, applier, resources.config)


def make_intake(resources: Resources, flows: FlowsApplier, listeners: Sequence[Listener] = ()) -> Intake:
    """The door for batches with every slice that keeps what comes in."""
    databases, appliers = resources.databases, (InventoryApplier(), IpamApplier(resources.config), flows)
    return Intake(databases.batches, resources.config, appliers, tuple(listeners), slow_db=databases.slow_batches)


def spokes_app(resources: Resources, intake: Intake) -> ASGIApp:
    """What spokes dial."""
    routes = batch_routes(resources.spoke_authenticator, intake, resources.refusals)
    app = FastAPI(routes=routes, openapi_url=None, docs_url=None, redoc_url=None, exception_handlers=HANDLERS)
    app.include_router(enrolment_router(resources.enrolment, resources.clock, resources.refusals))
    return _around(app, "spokes", resources, _SPOKES_BODY)


def api_app(resources: Resources, health: Health) -> ASGIApp:
    """What people and programs ask."""
    graphql = GraphQLApp(
        resources.databases.questions,
        resources.clock,
        resources.authenticator,
        resources.events,
        resources.config,
        resources.columns,
        browsers=resources.browsers,
    )
    routes = [*health.routes(), *people_routes(graphql, resources.config)]
    return _around(Starlette(routes=routes, exception_handlers=HANDLERS), "api", resources, _API_BODY)


def people_routes(graphql: GraphQLApp, config: HubConfig) -> list[BaseRoute]:
    """The API, and signing in to it."""
    rate = SignInRate(graphql.clock, config.proxy_networks)
    return [
        front_page_route(graphql.browsers),
        sign_in_route(config),
        *browser_routes(graphql.browsers, rate),
        Route("/graphql", across_origins(graphql, config.api_origins)),
        WebSocketRoute("/graphql", graphql),
    ]


def metrics_app(resources: Resources, health: Health) -> ASGIApp:
    """What Prometheus and probes look at."""
    routes = [*health.routes(), Route("/metrics", health.scrape)]
    return _around(Starlette(routes=routes, exception_handlers=HANDLERS), "metrics", resources, 0)


def _around(app: ASGIApp, name: str, resources: Resources, most_bytes: int) -> ASGIApp:
    return Observed(traced(app, name), name, resources.clock, most_bytes)


async def following(events: Events, runner: JobRunner, job: str) -> None:
    """Until cancelled: the register follows what people do to the fleet at once, in whichever replica they do it."""
    with events.subscribe(None, CLUSTERS_TOPIC, DOMAINS_TOPIC) as changes:
        async for _ in changes:
            runner.nudge(job)


def nudging(runner: JobRunner, job: str) -> Listener:
    """In one process the register follows changed allocations at once instead of at its next turn."""

    async def nudge(committed: Committed) -> None:
        if committed.applied and ALLOCATIONS.name in committed.sections:
            runner.nudge(job)

    return nudge
