from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy.dialects import postgresql

from periplus_hub.access.scope import (
    PERMISSIONS,
    Permission,
    Role,
    Scope,
    insert_owned,
    owned,
    role_scope,
    system_scope,
)
from periplus_hub.access.tables import api_tokens, tenants
from periplus_hub.kit.errors import Forbidden

SCOPE = role_scope(UUID(int=7), "token:ci", Role.VIEWER)


def test_every_role_may_what_the_one_before_it_may() -> None:
    rights = [PERMISSIONS[role] for role in Role]
    assert all(less < more for less, more in pairwise(rights))
    assert rights[-1] == set(Permission)


@pytest.mark.parametrize("permission", Permission)
def test_what_is_not_allowed_is_refused_with_the_least_role_that_is(permission: Permission) -> None:
    for role in Role:
        scope = role_scope(UUID(int=7), "token:ci", role)
        if scope.allows(permission):
            scope.require(permission)
            continue
        with pytest.raises(Forbidden) as refused:
            scope.require(permission)
        least = next(each for each in Role if permission in PERMISSIONS[each])
        assert f"'{permission.value}'" in refused.value.message
        assert least.value in refused.value.remedy


def test_an_operator_runs_the_fleet_and_a_viewer_asks() -> None:
    assert Permission.FLEET_APPROVE in PERMISSIONS[Role.OPERATOR]
    assert Permission.TOKENS_WRITE not in PERMISSIONS[Role.OPERATOR]
    assert Permission.DOMAINS_WRITE not in PERMISSIONS[Role.ANALYST]
    assert PERMISSIONS[Role.VIEWER] == {Permission.READ, Permission.ADHOC}


def test_the_hub_itself_may_everything_under_its_own_name() -> None:
    assert system_scope(UUID(int=7), "system:jobs") == Scope(
        UUID(int=7), "system:jobs", Role.ADMIN, frozenset(Permission)
    )


def test_a_table_without_tenants_cannot_be_scoped() -> None:
    with pytest.raises(TypeError, match="has no tenant"):
        owned(SCOPE, tenants)


@pytest.mark.parametrize(
    "values", [{"name": "a"}, {"name": "a", "tenant_id": UUID(int=666)}, [{"name": "a"}, {"name": "b"}]]
)
def test_rows_are_inserted_for_the_asking_tenant_whatever_they_say(values: dict[str, object]) -> None:
    row = {"id": UUID(int=1)}
    given = [row | each for each in values] if isinstance(values, list) else row | values
    compiled = insert_owned(SCOPE, api_tokens, given).compile(dialect=postgresql.dialect())
    tenants_written = {value for key, value in compiled.params.items() if key.startswith("tenant_id")}
    assert tenants_written == {SCOPE.tenant_id}
