"""What goes into a support bundle, as texts, and the names that must not leave with them."""

import asyncio
import platform
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from periplus_hub.access.repository import system_tenants
from periplus_hub.access.scope import system_scope
from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import exit_code
from periplus_hub.api.doctor.examine import database_of, examine
from periplus_hub.api.doctor.processes import page_of, place_of
from periplus_hub.api.support.repository import finding_counts, names_of, system_tables
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

LOG_LINES: Final = 1_000


@dataclass
class Collected:
    """Texts by the names of their files, and names by what they name."""

    files: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, document: Any) -> None:  # noqa: ANN401 - JSON
        """A file of JSON."""
        self.files[name] = msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


async def collect(config: HubConfig, log: Path | None) -> Collected:
    """Everything that can be asked; what cannot says so in its file."""
    found = Collected()
    found.add("versions.json", versions())
    found.add("settings.json", settings(config))
    checks = await examine(config)
    found.add("doctor.json", {"exitCode": exit_code(checks), "checks": [asdict(each) for each in checks]})
    found.files["metrics.txt"] = await _metrics(config)
    async with database_of(config, SystemClock()) as db:
        if db is None:
            found.add("database.json", {"unknown": "no hub runs in the data folder"})
        else:
            await _of_database(db, found)
    if log is not None:
        found.files["log.txt"] = await asyncio.to_thread(last_lines, log)
    found.names["host"] = hosts(config)
    return found


def versions() -> dict[str, Any]:
    """Of everything that runs here."""
    return {
        "hub": version("periplus-hub"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {each.name: each.version for each in sorted(distributions(), key=lambda each: each.name)},
    }


def settings(config: HubConfig) -> dict[str, Any]:
    """Each with whether somebody set it; of secrets no more than that."""
    given = config.model_fields_set
    return {
        name: {
            "set": name in given,
            "value": ("set" if value else "unset") if isinstance(value, SecretStr) else value,
        }
        for name in sorted(type(config).model_fields)
        for value in (_plain(getattr(config, name)),)
    }


def hosts(config: HubConfig) -> list[str]:
    """Names of machines that settings tell, and this one's."""
    urls = (config.database_url, config.migration_database_url, config.backup_database_url, config.flow_store_url)
    places = [urlsplit(url.get_secret_value()).netloc.rpartition("@")[2] for url in urls if url is not None]
    told = [place.partition(":")[0] for netloc in places for place in netloc.split(",")]
    told.append(urlsplit(config.oidc_issuer or "").hostname or "")
    return [each for each in {*told, socket.gethostname(), platform.node()} if each and each != "localhost"]


def last_lines(path: Path) -> str:
    """Of a log."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, LOG_LINES))
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", "Give --log the file of the hub's log.") from error


def _plain(value: Any) -> Any:  # noqa: ANN401 - of any setting
    if isinstance(value, SecretStr) or value is None or isinstance(value, bool | int | float | str):
        return value
    return [str(each) for each in value] if isinstance(value, tuple | list) else str(value)


async def _metrics(config: HubConfig) -> str:
    try:
        page = await page_of(place_of(config.metrics_host, config.metrics_port), "/metrics")
    except Refusal as refusal:
        return f"unknown: {refusal.message}\n"
    return page.decode(errors="replace")


async def _of_database(db: Database, found: Collected) -> None:
    async def guarded(name: str, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            found.add(name, await work())
        except (*DATABASE_ERRORS, Refusal) as error:
            found.add(name, {"unknown": str(error).partition("\n")[0]})

    await guarded("database.json", lambda: _tables(db))
    await guarded("fleet.json", lambda: _fleet(db, found.names))


async def _tables(db: Database) -> Any:  # noqa: ANN401 - JSON
    async with db.read(NO_TENANT) as c:
        return await system_tables(c)


async def _fleet(db: Database, names: dict[str, list[str]]) -> Any:  # noqa: ANN401 - JSON
    """Of every tenant; notes what must not leave."""
    now = db.clock.now()
    async with db.read(EVERY_TENANT) as c:
        tenants = await system_tenants(c)
    shown = []
    for tenant in tenants:
        scope = system_scope(tenant.id, "support")
        async with db.read(scope) as c:
            clusters = await all_registrations(c, scope)
            called = await names_of(c, scope)
            counts = await finding_counts(c, scope)
        for what, of_tenant in called.items():
            names.setdefault(what, []).extend(of_tenant)
        spokes = [
            {
                "name": each.name,
                "state": each.state.value,
                "liveness": each.liveness(now).value,
                "version": each.spoke_version,
                "contract": each.contract,
                "kubernetes": each.kubernetes_version,
                "nodes": each.node_count,
                "clockSkewMs": each.clock_skew_ms,
                "queuedBatches": each.queued_batches,
                "queuedBytes": each.queued_bytes,
                "lastHeard": each.last_seen_at,
            }
            for each in clusters
        ]
        shown.append({"tenant": tenant.name, "clusters": spokes, "findings": counts})
    names["tenant"] = [each.name for each in tenants if each.name != "default"]
    return shown
