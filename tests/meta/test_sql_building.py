import pytest

from tests.meta.gates.source import PACKAGES, hold, parse
from tests.meta.gates.sql_building import sql_outside_repositories

SERVICE = "hub/periplus_hub/fleet/service.py"


def test_only_repositories_tables_and_the_kit_build_sql() -> None:
    hold(sql_outside_repositories, *PACKAGES)


@pytest.mark.parametrize(
    "text",
    [
        "from sqlalchemy import select",
        "from sqlalchemy import Uuid, update as change",
        "from sqlalchemy.dialects.postgresql import insert",
        "import sqlalchemy as sa\nsa.text('x')",
        "await raw.execute('DELETE FROM pods')",
        "query = '''\n  SELECT a, b\n  FROM pods'''",
        "await raw.execute('SELECT pg_advisory_lock(1)')",
        "s = 'INSERT INTO pods VALUES ($1)'",
        "s = f'SELECT {columns} FROM pods'",
        "s = 'UPDATE pods AS p SET a = 1'",
        "s = '-- all of them\\nSELECT a FROM pods'",
        "s = 'TRUNCATE pods'",
        "await raw.fetch('select a from pods')",
        "await raw.execute(f'vacuum {table}')",
    ],
)
def test_builders_and_statements_as_text_are_found(text: str) -> None:
    assert len(list(sql_outside_repositories(parse(text, SERVICE)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "from sqlalchemy import Uuid",
        "from periplus_hub.fleet.repository import insert",
        "help_text = 'Select a cluster from the list'",
        "help_text = 'Delete from here'",
    ],
)
def test_types_other_functions_and_prose_are_fine(text: str) -> None:
    assert list(sql_outside_repositories(parse(text, SERVICE))) == []


@pytest.mark.parametrize(
    "path",
    [
        "hub/periplus_hub/fleet/repository.py",
        "hub/periplus_hub/fleet/repository_domains.py",
        "hub/periplus_hub/inventory/repository/pods.py",
        "hub/periplus_hub/addresses/overlaps/repository_groups.py",
        "hub/periplus_hub/fleet/tables.py",
        "hub/periplus_hub/kit/db.py",
        "hub/periplus_hub/access/scope.py",
    ],
)
def test_where_sql_belongs_it_may_stand(path: str) -> None:
    assert list(sql_outside_repositories(parse("from sqlalchemy import select", path))) == []


@pytest.mark.parametrize("path", ["fleet/engine/tables.py", "fleet/service/repository.py", "fleet/tabular.py"])
def test_a_folder_or_a_name_that_looks_like_it_is_no_way_out(path: str) -> None:
    found = list(sql_outside_repositories(parse("from sqlalchemy import select", f"hub/periplus_hub/{path}")))
    assert len(found) == 1
