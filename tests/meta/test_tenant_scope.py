import pytest

from tests.meta.gates.source import PACKAGES, hold, parse
from tests.meta.gates.tenant_scope import handwritten_predicates, unscoped

REPOSITORY = "hub/periplus_hub/fleet/repository.py"


def test_every_public_repository_function_takes_a_scope() -> None:
    hold(unscoped, *PACKAGES)


def test_tenant_predicates_are_written_by_the_scope_alone() -> None:
    hold(handwritten_predicates, *PACKAGES)


@pytest.mark.parametrize(
    "text",
    [
        "async def by_ids(c: ReadConnection, scope: Scope, ids: list[UUID]): ...",
        "async def add(c: db.WriteConnection, scope: access.Scope): ...",
        "def listed(scope: Scope, page: Page): ...",
        "async def of_tenant(c: ReadConnection, tenant_id: UUID): ...",
        "async def system_oldest(c: ReadConnection): ...",
        "def _row(row): ...",
        "class Pods:\n    def __init__(self, db): ...\n    async def get(self, c: ReadConnection, scope: Scope): ...",
        "class Merge:\n    def __init__(self, raw: Raw, scope: Scope): ...\n    async def stage(self, rows): ...",
    ],
)
def test_scoped_private_and_system_functions_pass(text: str) -> None:
    assert list(unscoped(parse(text, REPOSITORY))) == []


@pytest.mark.parametrize(
    "text",
    [
        "async def by_ids(c: ReadConnection, ids: list[UUID]): ...",
        "async def by_ids(c: ReadConnection, ids: list[UUID], scope: Scope): ...",
        "async def by_ids(c: ReadConnection, *, scope: Scope): ...",
        "def everything(): ...",
        "def one(tenant_id): ...",
        "class Pods:\n    async def get(self, c: ReadConnection): ...",
        "async def all(c: ReadConnection, scope: Scope):\n    return await c.rows(select(pods))",
        "class Merge:\n    def __init__(self, raw: Raw): ...\n    async def stage(self, rows): ...",
    ],
)
def test_a_missing_or_misplaced_scope_is_found(text: str) -> None:
    assert len(list(unscoped(parse(text, REPOSITORY)))) == 1


@pytest.mark.parametrize(
    "name", ["repository.py", "repository_domains.py", "repository/domains.py", "placement/repository/a/b.py"]
)
def test_repositories_may_be_split(name: str) -> None:
    assert len(list(unscoped(parse("def all(): ...", f"hub/periplus_hub/fleet/{name}")))) == 1


def test_other_modules_are_not_repositories() -> None:
    assert list(unscoped(parse("def all(): ...", "hub/periplus_hub/fleet/service.py"))) == []


def test_a_handwritten_predicate_is_found_and_a_join_is_not() -> None:
    assert len(list(handwritten_predicates(parse("q.where(pods.c.tenant_id == tenant)", REPOSITORY)))) == 1
    assert len(list(handwritten_predicates(parse("q.where(pods.c.tenant_id.in_([tenant]))", REPOSITORY)))) == 1
    assert len(list(handwritten_predicates(parse("q.where(pods.c['tenant_id'] == tenant)", REPOSITORY)))) == 1
    assert list(handwritten_predicates(parse("a.join(b, a.c.tenant_id == b.c.tenant_id)", REPOSITORY))) == []
    scope = parse("table.c.tenant_id == scope.tenant_id", "hub/periplus_hub/access/scope.py")
    assert list(handwritten_predicates(scope)) == []
