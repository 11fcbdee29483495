"""Checks of what the database knows of spokes, tokens and receivers of findings, of every tenant."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from periplus_contract.limits import SKEW_WARNING_S
from periplus_hub.access.model import ApiToken, Tenant
from periplus_hub.access.repository import system_tenants, tokens
from periplus_hub.access.scope import system_scope
from periplus_hub.api.doctor.checks import Check, State, unknown
from periplus_hub.api.doctor.machine import SOON
from periplus_hub.findings.model_receivers import Delivery
from periplus_hub.findings.repository_notices import all_deliveries
from periplus_hub.fleet.model import CONNECTED_WITHIN, Liveness, Registration
from periplus_hub.fleet.model import State as Membership
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.kit.db import Database
from periplus_hub.kit.some_names import some
from periplus_hub.kit.tenancy import EVERY_TENANT

NAMES: Final = ("spokes", "spoke-clocks", "spoke-versions", "tokens", "receivers")
_MINORS: Final = 2
"""How many minor versions a spoke may be behind its hub."""


@dataclass(frozen=True, slots=True)
class Members:
    """Active clusters, tokens that hold and how receivers take what they are told, by names that tell them apart."""

    clusters: Sequence[tuple[str, Registration]]
    tokens: Sequence[tuple[str, ApiToken]]
    deliveries: Sequence[tuple[str, Delivery]]


async def members(db: Database, now: datetime) -> Members:
    """Of all tenants."""
    async with db.read(EVERY_TENANT) as c:
        tenants = await system_tenants(c)
    clusters: list[tuple[str, Registration]] = []
    held: list[tuple[str, ApiToken]] = []
    told: list[tuple[str, Delivery]] = []
    for tenant in tenants:
        scope = system_scope(tenant.id, "doctor")
        async with db.read(scope) as c:
            found = await all_registrations(c, scope, [Membership.ACTIVE])
            of_tenant = await tokens(c, scope)
            receivers = await all_deliveries(c, scope)
        clusters += [(_called(tenant, tenants, each.name), each) for each in found]
        held += [(_called(tenant, tenants, each.name), each) for each in of_tenant if each.holds(now)]
        told += [(_called(tenant, tenants, each.receiver), each) for each in receivers]
    return Members(clusters, held, told)


def fleet(found: Members, hub_version: str, now: datetime) -> list[Check]:
    """Every check of them."""
    return [
        spokes(found.clusters, now),
        clocks(found.clusters),
        versions(found.clusters, hub_version),
        expiring(found.tokens, now),
        receiving(found.deliveries),
    ]


def spokes(clusters: Sequence[tuple[str, Registration]], now: datetime) -> Check:
    """Who is silent."""
    silent = [name for name, each in clusters if each.liveness(now) is not Liveness.CONNECTED]
    if silent:
        found = f"{len(silent):,} of {len(clusters):,} are silent for {CONNECTED_WITHIN.seconds} s: {some(silent, 5)}"
        remedy = "Look at their pods and logs, and whether they reach the hub: 'periplus-spoke check'."
        return Check("spokes", State.WARNING, found, remedy)
    return Check("spokes", State.OK, f"all {len(clusters):,} were heard" if clusters else "there are none yet")


def clocks(clusters: Sequence[tuple[str, Registration]]) -> Check:
    """Whose clock is off the hub's; where nobody spoke, nobody knows."""
    off = [
        f"{name} ({each.clock_skew_ms / 1_000:+,.0f} s)"
        for name, each in clusters
        if each.clock_skew_ms is not None and abs(each.clock_skew_ms) > SKEW_WARNING_S * 1_000
    ]
    if off:
        remedy = "Synchronise the clocks of their nodes, or the hub's (NTP)."
        return Check("spoke-clocks", State.WARNING, f"more than {SKEW_WARNING_S} s off: {some(off, 5)}", remedy)
    if silent := [name for name, each in clusters if each.clock_skew_ms is None]:
        return unknown("spoke-clocks", f"not known of {some(silent, 5)}", "Look why they never spoke.")
    return Check("spoke-clocks", State.OK, f"all are within {SKEW_WARNING_S} s of the hub's")


def versions(clusters: Sequence[tuple[str, Registration]], hub_version: str) -> Check:
    """Which spokes this hub was not made for."""
    mine = _minor(hub_version)
    known = [(name, each.spoke_version, _minor(each.spoke_version)) for name, each in clusters]
    later = [f"{name} ({version})" for name, version, minor in known if minor and mine and minor > mine]
    if later:
        found = f"later than the hub's {hub_version}: {some(later, 5)}"
        return Check("spoke-versions", State.WARNING, found, "Upgrade the hub: it goes first.")
    old = [f"{name} ({version})" for name, version, minor in known if minor and mine and _behind(minor, mine)]
    if old:
        found = f"more than {_MINORS} minor versions behind the hub's {hub_version}: {some(old, 5)}"
        return Check("spoke-versions", State.WARNING, found, "Upgrade these spokes.")
    if unsaid := [name for name, _, minor in known if minor is None or mine is None]:
        return unknown("spoke-versions", f"not known of {some(unsaid, 5)}", "Look why they did not say it.")
    return Check("spoke-versions", State.OK, f"all go with the hub's {hub_version}")


def expiring(held: Sequence[tuple[str, ApiToken]], now: datetime) -> Check:
    """Tokens that end soon, and nobody may have noticed."""
    soon = [
        f"{name} ({each.expires_at:%Y-%m-%d})"
        for name, each in held
        if each.expires_at is not None and each.expires_at - now < SOON
    ]
    if soon:
        found = f"these API tokens expire within {SOON.days} days: {some(soon, 5)}"
        return Check("tokens", State.WARNING, found, "Make others with 'periplus api-token create'.")
    return Check("tokens", State.OK, f"no API token expires within {SOON.days} days")


def receiving(told: Sequence[tuple[str, Delivery]]) -> Check:
    """Who takes no findings: people who wait to be told hear nothing."""
    since = [(name, each.failing_since) for name, each in told if each.failing_since is not None]
    failing = [f"{name} (since {at:%Y-%m-%d %H:%M} UTC)" for name, at in since]
    if failing:
        remedy = "See why with 'periplus notify list', and try it with 'periplus notify test'."
        return Check("receivers", State.WARNING, f"these do not take what they are told: {some(failing, 5)}", remedy)
    return Check("receivers", State.OK, "no receiver of findings fails")


def _called(tenant: Tenant, tenants: Sequence[Tenant], name: str) -> str:
    return name if len(tenants) == 1 else f"{tenant.name}/{name}"


def _minor(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None


def _behind(minor: tuple[int, int], mine: tuple[int, int]) -> bool:
    return minor[0] < mine[0] or mine[1] - minor[1] > _MINORS
