"""What people do to the fleet. Each call checks its permission and writes its audit event with the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from periplus_contract import limits
from periplus_contract.names import ALLOWED, MAX_CLUSTER_NAME, why_no_name
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.fleet import repository, secrets
from periplus_hub.fleet import repository_domains as store
from periplus_hub.fleet.model import JoinToken, Mode, NetworkDomain, NewJoinToken, Registration, State
from periplus_hub.fleet.repository_changes import record_change, record_domain_change
from periplus_hub.fleet.repository_enrolment import system_token_by_public_id
from periplus_hub.fleet.repository_names import domain_alike, domain_called
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.node_ids import node_id

MAX_NAME: Final = 100
MAX_NOTE: Final = 500
MAX_MOVED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How who joins with a token is taken in: name and domain are its own wish and business where they are None."""

    cluster_name: str | None = None
    domain_id: UUID | None = None
    auto_approve: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTerms:
    """The same as people write it: with the domain's name, and what it is, where it is to be made."""

    cluster_name: str | None = None
    domain: str | None = None
    domain_description: str | None = None
    auto_approve: bool = False


async def create_join_token(
    c: WriteConnection,
    scope: Scope,
    clock: Clock,
    *,
    cluster_name: str | None = None,
    domain_id: UUID | None = None,
    auto_approve: bool = False,
) -> NewJoinToken:
    """A token for one enrolment within the hour; a name or a domain that is given here is the cluster's."""
    minted = secrets.mint(secrets.JOIN_PREFIX)
    terms = Terms(cluster_name=cluster_name, domain_id=domain_id, auto_approve=auto_approve)
    token = await _add_join_token(c, scope, clock, minted, terms)
    return NewJoinToken(token, minted.text)


async def admit_join_token(c: WriteConnection, scope: Scope, clock: Clock, text: str, named: NamedTerms) -> None:
    """Know a token that was minted elsewhere. One whose public id is known already is left as it is."""
    public_id, secret = secrets.parse(text) or ("", "")
    if len(secret) < secrets.LEAST_SECRET:
        raise Invalid(
            f"a join token is not 'id.secret' with a secret of at least {secrets.LEAST_SECRET} characters",
            "Take both from a good source, like: openssl rand -hex 32.",
        )
    if await system_token_by_public_id(c, public_id) is None:
        minted = secrets.Minted(text, public_id, secrets.sha256(secret))
        domain = await _domain_of(c, scope, named)
        terms = Terms(cluster_name=named.cluster_name, domain_id=domain, auto_approve=named.auto_approve)
        await _add_join_token(c, scope, clock, minted, terms)


async def _domain_of(c: WriteConnection, scope: Scope, named: NamedTerms) -> UUID | None:
    name = named.domain
    if name is None:
        return None
    found = await domain_called(c, scope, name)
    if found is None and named.domain_description is not None:
        return (await create_domain(c, scope, name, named.domain_description)).id
    if found is None:
        raise NotFound(
            f"there is no network domain {name!r} for a join token to name",
            f"Start the hub once without this token, make the domain with 'periplus domains create {name}', and hand "
            "the token over again.",
        )
    return found


async def _add_join_token(
    c: WriteConnection, scope: Scope, clock: Clock, minted: secrets.Minted, terms: Terms
) -> JoinToken:
    scope.require(Permission.FLEET_APPROVE)
    now = clock.now()
    if terms.cluster_name is not None:
        _check_text("cluster name", terms.cluster_name, MAX_CLUSTER_NAME)
    if terms.domain_id is not None:
        scope.require(Permission.DOMAINS_WRITE)
        await _lock_domain(c, scope, terms.domain_id)
    token = JoinToken(
        id=new_id(),
        public_id=minted.public_id,
        cluster_name=terms.cluster_name,
        registration_id=None,
        domain_id=terms.domain_id,
        auto_approve=terms.auto_approve,
        created_by=scope.actor,
        created_at=now,
        expires_at=now + timedelta(seconds=limits.JOIN_TOKEN_LIFETIME_S),
        used_at=None,
        used_by_registration=None,
    )
    values = {name: getattr(token, name) for name in JoinToken.__dataclass_fields__}
    await store.add_join_token(c, scope, values | {"secret_sha256": minted.secret_sha256})
    made: dict[str, object] = {"public_id": minted.public_id, "cluster_name": terms.cluster_name}
    made |= {"auto_approve": terms.auto_approve, "domain": terms.domain_id and _domain(terms.domain_id)}
    await audit(c, scope, "fleet:join-token:create", "JoinToken", str(token.id), after=made)
    return token


async def withdraw_join_token(c: WriteConnection, scope: Scope, token_id: UUID) -> str:
    """Take back a token that was not used yet; nobody can join with it from now on. Returns its public id."""
    scope.require(Permission.FLEET_APPROVE)
    public_id = await store.delete_join_token(c, scope, token_id)
    if public_id is None:
        raise NotFound(
            f"there is no unused join token {token_id}",
            "Only unused ones can be withdrawn. If a cluster joined with it that should not have, revoke the cluster.",
        )
    await audit(c, scope, "fleet:join-token:withdraw", "JoinToken", str(token_id), before={"public_id": public_id})
    return public_id


async def approve(c: WriteConnection, scope: Scope, clock: Clock, registration_id: UUID) -> Registration:
    """Let a pending registration send; approving an active one changes nothing."""
    scope.require(Permission.FLEET_APPROVE)
    row = await _lock_one(c, scope, registration_id)
    if row.state == State.REVOKED.value:
        raise Conflict(f"{row.name!r} is revoked", "Enrol the cluster again with a new join token.")
    if row.state == State.PENDING.value:
        values = {"state": State.ACTIVE.value, "approved_at": clock.now(), "approved_by": scope.actor}
        await store.change_registrations(c, scope, [registration_id], values)
        await _audit_state(c, scope, "approve", row, State.ACTIVE)
        await record_change(c, scope, [registration_id], clock.now())
    return await _read_one(c, scope, registration_id)


async def revoke(c: WriteConnection, scope: Scope, clock: Clock, registration_id: UUID) -> Registration:
    """End a membership for good. Bites within seconds; what the cluster sent stays until retention.

    The domain that came with the cluster ends with it, so that its name is free when the cluster enrols again.
    """
    scope.require(Permission.FLEET_APPROVE)
    row = await _lock_one(c, scope, registration_id)
    if row.state != State.REVOKED.value:
        await store.revoke(c, scope, registration_id, clock.now())
        await store.end_vacated(c, scope, [row.domain_id], clock.now())
        await _audit_state(c, scope, "revoke", row, State.REVOKED)
        await record_change(c, scope, [registration_id], clock.now())
    return await _read_one(c, scope, registration_id)


async def _audit_state(c: WriteConnection, scope: Scope, verb: str, row: Row[Any], state: State) -> None:
    detail = {"name": row.name, "cluster_uid": row.cluster_uid}
    was, now_is = {"state": row.state}, {"state": state.value}
    about = ("Cluster", str(row.id))
    await audit(c, scope, f"fleet:registration:{verb}", *about, detail=detail, before=was, after=now_is)


async def create_domain(c: WriteConnection, scope: Scope, name: str, description: str = "") -> NetworkDomain:
    """A network domain that clusters can be moved into."""
    scope.require(Permission.DOMAINS_WRITE)
    await _check_domain_name(c, scope, name)
    _check_note(description)
    domain_id = new_id()
    await store.add_domain(c, scope, {"id": domain_id, "name": name, "description": description, "implicit": False})
    await audit(
        c,
        scope,
        "fleet:domain:create",
        "NetworkDomain",
        str(domain_id),
        after={"name": name, "description": description},
    )
    return (await repository.domains_by_ids(c, scope, [domain_id]))[domain_id]


async def change_domain(
    c: WriteConnection, scope: Scope, domain_id: UUID, *, name: str | None = None, description: str | None = None
) -> NetworkDomain:
    """Rename or describe a domain. One that came with a cluster becomes a domain of its own right by it."""
    scope.require(Permission.DOMAINS_WRITE)
    row = await _lock_domain(c, scope, domain_id)
    values: dict[str, object] = {"implicit": False}
    if name is not None and name != row.name:
        await _check_domain_name(c, scope, name, but=domain_id)
        values["name"] = name
    if description is not None:
        _check_note(description)
        values["description"] = description
    known = row._mapping
    changed = {column: value for column, value in values.items() if known[column] != value}
    if changed:
        await store.change_domain(c, scope, domain_id, changed)
        about, was = ("NetworkDomain", str(domain_id)), {column: known[column] for column in changed}
        await audit(c, scope, "fleet:domain:change", *about, detail={"name": row.name}, before=was, after=changed)
    return (await repository.domains_by_ids(c, scope, [domain_id]))[domain_id]


async def delete_domain(c: WriteConnection, scope: Scope, domain_id: UUID, *, now: datetime) -> None:
    """End an empty domain; its connections go with it. Revoked clusters do not hold it."""
    scope.require(Permission.DOMAINS_WRITE)
    row = await _lock_domain(c, scope, domain_id)
    if held := await store.clusters_in(c, scope, domain_id):
        raise Conflict(
            f"domain {row.name!r} still has {held} cluster{'' if held == 1 else 's'}",
            "Move them to another domain first.",
        )
    await store.end_domains(c, scope, [domain_id], now)
    was = {"name": row.name, "description": row.description}
    await audit(c, scope, "fleet:domain:delete", "NetworkDomain", str(domain_id), before=was)


async def move_clusters(
    c: WriteConnection, scope: Scope, domain_id: UUID, registration_ids: Sequence[UUID], *, now: datetime
) -> list[Registration]:
    """Move clusters into a domain.

    Domains that came with a cluster and are left empty end; which domain a cluster was in stays known.
    """
    rows = await _movable(c, scope, registration_ids)
    await _lock_domain(c, scope, domain_id)
    left = {each: row.domain_id for each, row in rows.items() if row.domain_id != domain_id}
    await store.change_registrations(c, scope, list(left), {"domain_id": domain_id})
    await store.note_moves(c, scope, left, now)
    await store.end_vacated(c, scope, list(set(left.values())), now)
    await _audit_moves(c, scope, ("NetworkDomain", str(domain_id)), left, dict.fromkeys(left, domain_id))
    return await _moved(c, scope, list(rows), list(left), now)


async def isolate_clusters(
    c: WriteConnection, scope: Scope, registration_ids: Sequence[UUID], *, now: datetime
) -> list[Registration]:
    """Give each cluster a domain of its own. One that is alone in the domain it came with stays there.

    What it leaves ends first, so that the name the domain shares with the cluster is free.
    """
    rows = await _movable(c, scope, registration_ids)
    alone = await store.implicit_with_one(c, scope, [row.domain_id for row in rows.values()])
    left = {each: row.domain_id for each, row in rows.items() if row.domain_id not in alone}
    own = {each: new_id() for each in left}
    for each, domain_id in own.items():
        await store.change_registrations(c, scope, [each], {"domain_id": domain_id})
    await store.note_moves(c, scope, left, now)
    await store.end_vacated(c, scope, list(set(left.values())), now)
    for each, domain_id in own.items():
        await store.add_implicit_domain(c, scope, domain_id, rows[each].name)
    await _audit_moves(c, scope, ("Cluster", str(next(iter(rows)))), left, own)
    return await _moved(c, scope, list(rows), list(left), now)


async def _movable(c: WriteConnection, scope: Scope, registration_ids: Sequence[UUID]) -> Mapping[UUID, Row[Any]]:
    """These clusters, locked, in the order asked for."""
    scope.require(Permission.DOMAINS_WRITE)
    ids = list(dict.fromkeys(registration_ids))
    if not 1 <= len(ids) <= MAX_MOVED:
        raise Invalid(f"{len(ids)} clusters cannot be moved at once", f"Move 1 to {MAX_MOVED}.")
    rows = await store.lock_registrations(c, scope, ids)
    for missing in [each for each in ids if each not in rows]:
        raise _no_registration(missing)
    if revoked := [row.name for row in rows.values() if row.state == State.REVOKED.value]:
        raise Conflict(f"{revoked[0]!r} is revoked", "Move the registration the cluster has now, or none.")
    return {each: rows[each] for each in ids}


async def _audit_moves(
    c: WriteConnection, scope: Scope, about: tuple[str, str], left: Mapping[UUID, UUID], entered: Mapping[UUID, UUID]
) -> None:
    """By cluster, the domain it left and the one it is in now."""
    if left:
        was, now_is = (
            {node_id("Cluster", each): _domain(domain) for each, domain in domains.items()}
            for domains in (left, entered)
        )
        await audit(c, scope, "fleet:domain:move", *about, before=was, after=now_is)


async def _moved(
    c: WriteConnection, scope: Scope, asked: Sequence[UUID], moved: Sequence[UUID], now: datetime
) -> list[Registration]:
    """Those asked about as they are now."""
    if moved:
        await record_change(c, scope, moved, now)
    found = await repository.registrations_by_ids(c, scope, asked)
    return [found[each] for each in asked]


async def connect(
    c: WriteConnection, scope: Scope, pair: tuple[UUID, UUID], mode: Mode, note: str = "", *, now: datetime
) -> None:
    """Say how two domains are connected; replaces what was said before. The same again is no change."""
    scope.require(Permission.DOMAINS_WRITE)
    if pair[0] == pair[1]:
        raise Invalid("a domain is not connected to itself", "Name two different domains.")
    _check_note(note)
    # In one order, so that two who connect the same domains the other way round do not wait for each other.
    for domain_id in sorted(pair):
        await _lock_domain(c, scope, domain_id)
    was = await store.connection(c, scope, pair)
    if not await store.put_connection(c, scope, pair, mode, note):
        return
    about, detail = ("NetworkDomain", str(pair[0])), {"domains": list(map(_domain, pair))}
    now_is = {"mode": mode.value, "note": note}
    await audit(c, scope, "fleet:domain:connect", *about, detail=detail, before=was, after=now_is)
    await record_domain_change(c, scope, pair, now)


async def disconnect(c: WriteConnection, scope: Scope, pair: tuple[UUID, UUID], *, now: datetime) -> None:
    """Take a connection back."""
    scope.require(Permission.DOMAINS_WRITE)
    was = await store.connection(c, scope, pair)
    if not await store.delete_connection(c, scope, pair):
        raise NotFound("these two domains are not connected", "List the connections to see which there are.")
    about, detail = ("NetworkDomain", str(pair[0])), {"domains": list(map(_domain, pair))}
    await audit(c, scope, "fleet:domain:disconnect", *about, detail=detail, before=was)
    await record_domain_change(c, scope, pair, now)


def _domain(domain_id: UUID) -> str:
    return node_id("NetworkDomain", domain_id)


async def _lock_one(c: WriteConnection, scope: Scope, registration_id: UUID) -> Row[Any]:
    row = (await store.lock_registrations(c, scope, [registration_id])).get(registration_id)
    if row is None:
        raise _no_registration(registration_id)
    return row


async def _read_one(c: WriteConnection, scope: Scope, registration_id: UUID) -> Registration:
    return (await repository.registrations_by_ids(c, scope, [registration_id]))[registration_id]


async def _lock_domain(c: WriteConnection, scope: Scope, domain_id: UUID) -> Row[Any]:
    row = await store.lock_domain(c, scope, domain_id)
    if row is None:
        raise NotFound(f"no network domain {domain_id}", "List the domains and take an id from there.")
    return row


def _no_registration(registration_id: UUID) -> NotFound:
    return NotFound(f"no registration {registration_id}", "List the clusters and take an id from there.")


async def _check_domain_name(c: WriteConnection, scope: Scope, name: str, *, but: UUID | None = None) -> None:
    _check_text("domain name", name, MAX_NAME)
    taken = await domain_alike(c, scope, name, but=but)
    if taken == name:
        raise Conflict(f"a network domain is already called {name!r}", "Choose another name.")
    if taken is not None:
        raise Conflict(f"{name!r} reads like the network domain {taken!r}", "Choose a name nobody can mistake.")


def _check_text(what: str, text: str, longest: int) -> None:
    if why := why_no_name(text, longest):
        raise Invalid(f"the {what} {text[:longest]!r} {why}", f"Choose another one, of {ALLOWED}.")


def _check_note(text: str) -> None:
    if len(text) > MAX_NOTE or "\0" in text:
        raise Invalid(f"a description has at most {MAX_NOTE} characters", "Shorten it.")
