"""Checks of PostgreSQL: whether it answers, its clock, schema, role, connections and standbys, and who leads."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final

from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import Check, State, unknown
from periplus_hub.api.doctor.repository import Look, system_look
from periplus_hub.ingest.repository_replication import system_replication
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS, first_cause
from periplus_hub.kit.errors import Refusal, Unavailable
from periplus_hub.kit.jobs import somebody_leads
from periplus_hub.kit.migrate import check_schema, known_revisions
from periplus_hub.kit.roles import owning_role, unbound_role
from periplus_hub.kit.tenancy import NO_TENANT

NOT_ASKED: Final = "PostgreSQL could not be asked"
_REACH: Final = "Look at PostgreSQL, and at PERIPLUS_DATABASE_URL."
_CLOCK_S: Final = 5.0


async def guarded(name: str, work: Callable[[], Awaitable[Check]]) -> Check:
    """What the work finds. A store that is away makes it unknown; a refusal is what is wrong."""
    try:
        return await work()
    except Unavailable as error:
        return unknown(name, error.message, error.remedy or _REACH)
    except Refusal as error:
        return Check(name, State.FAILED, error.message, error.remedy)
    except DATABASE_ERRORS as error:
        return unknown(name, f"{NOT_ASKED}: {str(first_cause(error)).partition(chr(10))[0]}", _REACH)


async def database(db: Database, config: HubConfig) -> list[Check]:
    """Every check of it."""
    try:
        async with db.read(NO_TENANT) as c:
            look = await system_look(c)
    except (*DATABASE_ERRORS, Unavailable) as error:
        cause = str(first_cause(error)).partition("\n")[0]
        names = ("postgresql-clock", "schema", "role", "connections", "standbys", "leader")
        first = Check("postgresql", State.FAILED, f"it does not answer: {cause}", _REACH)
        return [first, *(unknown(name, NOT_ASKED, _REACH) for name in names)]
    return [
        settings(look),
        clock(look, db.clock.now()),
        await guarded("schema", lambda: _schema(db)),
        await guarded("role", lambda: _role(db)),
        connections(look, config.most_connections),
        await guarded("standbys", lambda: _standbys(db, config.settle_after_s)),
        await guarded("leader", lambda: _leader(db)),
    ]


def settings(look: Look) -> Check:
    """Whether what is committed survives."""
    off = [name for name in ("fsync", "full_page_writes") if getattr(look, name) == "off"]
    if off:
        remedy = f"Set {off[0]} = on in the server's configuration: a power cut may ruin the database."
        return Check("postgresql", State.FAILED, f"PostgreSQL {look.version} has {' and '.join(off)} off", remedy)
    return Check("postgresql", State.OK, f"PostgreSQL {look.version} answers")


def clock(look: Look, now: datetime) -> Check:
    """The server's against this machine's."""
    off_s = (look.now - now).total_seconds()
    if abs(off_s) > _CLOCK_S:
        side = "ahead of" if off_s > 0 else "behind"
        found = f"PostgreSQL's clock is {abs(off_s):,.0f} s {side} this machine's"
        return Check("postgresql-clock", State.WARNING, found, "Synchronise the clocks of both (NTP).")
    return Check("postgresql-clock", State.OK, f"within {_CLOCK_S:g} s of this machine's")


def connections(look: Look, of_a_process: int) -> Check:
    """Whether one more process could start."""
    left = look.most_connections - look.reserved - look.connections
    found = f"{look.connections} of {look.most_connections} are in use"
    if left <= 0:
        return Check("connections", State.FAILED, found, "Raise max_connections, or end what holds them.")
    if look.most_connections - look.reserved < of_a_process:
        remedy = f"Raise max_connections: one hub process opens up to {of_a_process}."
        return Check("connections", State.WARNING, found, remedy)
    return Check("connections", State.OK, found)


async def _schema(db: Database) -> Check:
    await check_schema(db)
    return Check("schema", State.OK, f"this version works with the database's; its own is {known_revisions()[-1]}")


async def _role(db: Database) -> Check:
    if role := await unbound_role(db):
        remedy = "Give the hub a role that is no superuser and has no BYPASSRLS: see docs/operate/database."
        return Check("role", State.FAILED, f"row-level security does not bind {role!r}", remedy)
    if role := await owning_role(db):
        remedy = "Give the hub a role that owns nothing: see docs/operate/database."
        return Check("role", State.WARNING, f"{role!r} owns the tables and could lift row-level security", remedy)
    return Check("role", State.OK, "row-level security binds the hub")


async def _standbys(db: Database, settle_after_s: int) -> Check:
    async with db.read(NO_TENANT) as c:
        found = await system_replication(c)
    if not found.synchronous:
        return Check("standbys", State.OK, f"none is synchronous: batches are settled after {settle_after_s} s")
    if not found.seen:
        remedy = "GRANT pg_monitor TO the hub's role: batches are settled by their age until then."
        return unknown("standbys", "the role may not see how far they are", remedy)
    if found.flushed is None:
        remedy = "Start them, or change synchronous_standby_names: nothing is settled meanwhile."
        return Check("standbys", State.FAILED, "fewer are connected than synchronous_standby_names asks for", remedy)
    return Check("standbys", State.OK, "as many have the log as there have to be")


async def _leader(db: Database) -> Check:
    if await somebody_leads(db):
        return Check("leader", State.OK, "a process runs the fleet-wide jobs")
    remedy = "Start 'periplus hub work', or 'periplus hub serve --all-in-one'."
    return Check("leader", State.FAILED, "no process runs the fleet-wide jobs", remedy)


def all_unknown(names: Iterable[str], why: str, remedy: str) -> list[Check]:
    """None of them could be asked."""
    return [unknown(name, why, remedy) for name in names]
