"""Whose rows a query may see: the one choke point. Tenant predicates are written here and nowhere else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Table
from sqlalchemy.dialects.postgresql import Insert, insert

from periplus_hub.kit.errors import Forbidden


class Permission(StrEnum):
    """What an asker may do."""

    READ = "read"
    DOMAINS_WRITE = "domains:write"
    OVERLAPS_ACCEPT = "overlaps:accept"
    ADDRESSES_RESERVE = "addresses:reserve"
    RANGES_WRITE = "ranges:write"
    FLEET_APPROVE = "fleet:approve"
    TOKENS_WRITE = "tokens:write"
    FINDINGS_WRITE = "findings:write"
    NOTIFICATIONS_TEST = "notifications:test"
    ADHOC = "adhoc"


class Role(StrEnum):
    """Each role may do what the one before it may, and more."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    OPERATOR = "operator"
    ADMIN = "admin"


_VIEWER: Final = frozenset({Permission.READ, Permission.ADHOC})
_ANALYST: Final = _VIEWER | {Permission.FINDINGS_WRITE}
_OPERATOR: Final = _ANALYST | {
    Permission.DOMAINS_WRITE,
    Permission.OVERLAPS_ACCEPT,
    Permission.ADDRESSES_RESERVE,
    Permission.RANGES_WRITE,
    Permission.FLEET_APPROVE,
    Permission.NOTIFICATIONS_TEST,
}
PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEWER,
    Role.ANALYST: _ANALYST,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}


def _unheard(_permission: Permission) -> None:
    """The hub itself acts: nothing is forbidden to it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, for which tenant, with which rights. `actor` is what the audit log names."""

    tenant_id: UUID
    actor: str
    role: Role
    permissions: frozenset[Permission]
    forbidden: Callable[[Permission], None] = field(default=_unheard, compare=False, repr=False)
    """Told of what the asker wanted and may not."""

    def allows(self, permission: Permission) -> bool:
        """Whether the asker may."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise Forbidden unless the asker may."""
        if not self.allows(permission):
            self.forbidden(permission)
            raise Forbidden(
                f"{self.actor} is {self.role.value} and may not do what needs '{permission.value}'",
                f"Ask for the role {_least(permission).value}: a token with it, or a group that gives it.",
            )


def role_scope(tenant_id: UUID, actor: str, role: Role) -> Scope:
    """A scope with all the rights of a role."""
    return Scope(tenant_id, actor, role, PERMISSIONS[role])


def system_scope(tenant_id: UUID, actor: str) -> Scope:
    """For jobs and spokes: the hub itself acts, named `actor`."""
    return Scope(tenant_id, actor, Role.ADMIN, frozenset(Permission))


def owned(scope: Scope, table: FromClause) -> ColumnElement[bool]:
    """The condition that `table`'s rows belong to the scope's tenant."""
    # Loud, because the alternative is a query over all tenants. Row security would still hide the others' rows; this is
    # the first of the two fences and does not count on the second.
    if "tenant_id" not in table.c:
        raise TypeError(f"{table} has no tenant")
    condition: ColumnElement[bool] = table.c.tenant_id == scope.tenant_id
    return condition


def insert_owned(
    scope: Scope, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
) -> Insert:
    """An INSERT of one row or many, `tenant_id` preset, open for ON CONFLICT and RETURNING.

    Without `values` it is open for `.values(…)`, or takes its rows as the parameters of `execute(statement, [{…}, …])`.
    """
    # Last in the merges below: values that name another tenant lose.
    preset = {"tenant_id": scope.tenant_id}
    if values is None:
        return insert(table).values(preset)
    if isinstance(values, Mapping):
        return insert(table).values({**values, **preset})
    return insert(table).values([{**each, **preset} for each in values])


def _least(permission: Permission) -> Role:
    return next(role for role in Role if permission in PERMISSIONS[role])
