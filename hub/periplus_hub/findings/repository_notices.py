"""Statements of what receivers were told, and of what they are to be told now."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, and_, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.findings.model import FindingSeverity, FindingState
from periplus_hub.findings.model_receivers import SEVERITIES, Delivery, Notice, NoticeEvent, Receiver
from periplus_hub.findings.tables import finding_receivers, findings, findings_told
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection

_TOLD: Final = findings_told
_CONTENT: Final = ("detector", "fingerprint", "title", "why", "what_to_do", "evidence", "opened_at")
_RANKS: Final = {each.value: rank for rank, each in enumerate(SEVERITIES)}
_RANK: Final = case(_RANKS, value=findings.c.severity)
_IS_TOLD: Final = _TOLD.c.fingerprint.is_not(None)
_OPEN: Final = findings.c.state == FindingState.OPEN.value
_GOES_ON: Final = findings.c.state.in_([FindingState.OPEN.value, FindingState.ACKNOWLEDGED.value])
_NEW: Final = _OPEN & ~_IS_TOLD
_WORSE: Final = _OPEN & _IS_TOLD & (case(_RANKS, value=_TOLD.c.severity) > _RANK)
"""Of what somebody acknowledged nothing is told, until it gets worse: then it is open again."""


async def due(
    c: ReadConnection, scope: Scope, receiver: Receiver, now: datetime, *, again_after: timedelta | None, most: int
) -> list[Notice]:
    """What goes on and was not told as it is, worst first; with `again_after` also what was told longer ago."""
    told = (_TOLD.c.detector == findings.c.detector) & (_TOLD.c.fingerprint == findings.c.fingerprint)
    is_due = (_NEW & (findings.c.opened_at <= now - receiver.wait)) | _WORSE
    if again_after is not None:
        is_due |= _IS_TOLD & ~_TOLD.c.is_refused & (_TOLD.c.told_at <= now - again_after)
    event = case((_NEW, NoticeEvent.OPENED.value), (_WORSE, NoticeEvent.WORSE.value), else_=NoticeEvent.CONTINUES.value)
    at = case((_NEW, findings.c.opened_at), (_WORSE, findings.c.changed_at), else_=literal(now))
    asked = _with_cluster(event, at, findings.c.id, findings.c.severity).outerjoin(
        _TOLD, owned(scope, _TOLD) & (_TOLD.c.receiver == receiver.name) & told
    )
    asked = asked.where(owned(scope, findings), _GOES_ON, is_due)
    asked = asked.where(findings.c.severity.in_([each.value for each in receiver.told_severities(now)]))
    if receiver.detectors:
        asked = asked.where(findings.c.detector.in_(receiver.detectors))
    rows = await c.rows(asked.order_by(_RANK, findings.c.opened_at, findings.c.id).limit(most))
    return [_notice(row) for row in rows]


def _with_cluster(event: Any, at: Any, finding_id: Any, severity: Any) -> Select[Any]:  # noqa: ANN401 - columns of any type
    cluster = and_(registrations.c.tenant_id == findings.c.tenant_id, registrations.c.id == findings.c.registration_id)
    return (
        select(
            event.label("event"),
            at.label("at"),
            finding_id.label("finding_id"),
            severity.label("severity"),
            findings.c.registration_id.label("cluster_id"),
            registrations.c.name.label("cluster"),
            *(findings.c[name] for name in _CONTENT),
        )
        .select_from(findings)
        .outerjoin(registrations, cluster)
    )


def _notice(row: Row[Any]) -> Notice:
    values = dict(row._mapping)
    values["event"], values["severity"] = NoticeEvent(row.event), FindingSeverity(row.severity)
    return Notice(**values)


async def over(c: ReadConnection, scope: Scope, receiver: Receiver, now: datetime, *, most: int) -> list[Notice]:
    """What it was told and is over for as long as it waits, while the same trouble is not there again."""
    live = findings.alias("live")
    again = and_(
        owned(scope, live),
        live.c.state != FindingState.RESOLVED.value,
        live.c.detector == _TOLD.c.detector,
        live.c.fingerprint == _TOLD.c.fingerprint,
    )
    asked = _with_cluster(
        literal(NoticeEvent.RESOLVED.value), findings.c.resolved_at, findings.c.id, _TOLD.c.severity
    ).join(_TOLD, owned(scope, _TOLD) & (_TOLD.c.finding_id == findings.c.id))
    asked = asked.where(
        owned(scope, findings),
        _TOLD.c.receiver == receiver.name,
        ~_TOLD.c.is_refused,
        findings.c.resolved_at <= now - receiver.wait,
        ~select(live.c.id).where(again).exists(),
    )
    rows = await c.rows(asked.order_by(findings.c.resolved_at, findings.c.id).limit(most))
    return [_notice(row) for row in rows]


async def record(
    c: WriteConnection, scope: Scope, receiver: str, notices: Sequence[Notice], now: datetime, *, is_refused: bool
) -> None:
    """It was told of these; of what is over there is nothing more to tell."""
    ended = [each.finding_id for each in notices if each.event is NoticeEvent.RESOLVED]
    if ended:
        mine = owned(scope, _TOLD) & (_TOLD.c.receiver == receiver)
        await c.execute(delete(_TOLD).where(mine, one_of(_TOLD.c.finding_id, ended)))
    rows = [
        {
            "receiver": receiver,
            "detector": each.detector,
            "fingerprint": each.fingerprint,
            "finding_id": each.finding_id,
            "severity": each.severity.value,
            "told_at": now,
            "is_refused": is_refused,
        }
        for each in notices
        if each.event is not NoticeEvent.RESOLVED
    ]
    if rows:
        statement = insert_owned(scope, _TOLD)
        values = {name: statement.excluded[name] for name in ("finding_id", "severity", "told_at", "is_refused")}
        await c.execute(statement.on_conflict_do_update(constraint=_TOLD.primary_key, set_=values), rows)


async def forget(c: WriteConnection, scope: Scope, names: Sequence[str]) -> None:
    """What was told to others than these, what retention has deleted, and what was refused and is over."""
    matters = (findings.c.state != FindingState.RESOLVED.value) | ~_TOLD.c.is_refused
    there = select(findings.c.id).where(owned(scope, findings), findings.c.id == _TOLD.c.finding_id, matters).exists()
    stale = ~one_of(_TOLD.c.receiver, names) | ~there
    await c.execute(delete(_TOLD).where(owned(scope, _TOLD), stale))
    mine = owned(scope, finding_receivers)
    await c.execute(delete(finding_receivers).where(mine, ~one_of(finding_receivers.c.receiver, names)))


async def deliveries(c: ReadConnection, scope: Scope, names: Sequence[str]) -> dict[str, Delivery]:
    """How each of these takes what it is told."""
    known = {each.receiver: each for each in await all_deliveries(c, scope)}
    return {name: known.get(name, Delivery(receiver=name)) for name in names}


async def all_deliveries(c: ReadConnection, scope: Scope) -> list[Delivery]:
    """How each that the hub tried to tell something takes it, by name."""
    table = finding_receivers
    columns = [table.c[name] for name in Delivery.__dataclass_fields__]
    rows = await c.rows(select(*columns).where(owned(scope, table)).order_by(table.c.receiver))
    return [Delivery(**row._mapping) for row in rows]


async def keep(c: WriteConnection, scope: Scope, delivery: Delivery) -> None:
    """How it takes it now."""
    values = asdict(delivery)
    statement = upsert(finding_receivers).values(tenant_id=scope.tenant_id, **values)
    await c.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "receiver"], set_=values))


async def told_counts(c: ReadConnection, scope: Scope, names: Sequence[str]) -> dict[str, int]:
    """By receiver how many findings it was told of that it was not told are over."""
    asked = select(_TOLD.c.receiver, func.count().label("findings")).where(
        owned(scope, _TOLD), one_of(_TOLD.c.receiver, names), ~_TOLD.c.is_refused
    )
    return {row.receiver: row.findings for row in await c.rows(asked.group_by(_TOLD.c.receiver))}
