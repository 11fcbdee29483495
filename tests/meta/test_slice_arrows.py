import pytest

from tests.meta.gates.slice_arrows import uphill_imports
from tests.meta.gates.source import PACKAGES, hold, parse


def test_split_modules_keep_the_order_of_their_slice() -> None:
    hold(uphill_imports, *PACKAGES)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("model", "from periplus_hub.fleet.tables import registrations"),
        ("model_domains", "from periplus_hub.fleet import service_enrolment"),
        ("repository_domains", "from periplus_hub.fleet.service_enrolment import enrol"),
        ("service_enrolment", "def late():\n    import periplus_hub.fleet.routes"),
        ("graphql", "from periplus_hub.fleet.routes import router"),
    ],
)
def test_an_import_uphill_is_found(file: str, text: str) -> None:
    assert len(list(uphill_imports(parse(text, f"hub/periplus_hub/fleet/{file}.py")))) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("ipam/repository", "from periplus_hub.addresses.overlaps.service_members import members"),
        ("overlaps/engine/register", "from periplus_hub.addresses.overlaps import repository_groups"),
        ("overlaps/engine/service_x/a", "import periplus_hub.addresses.overlaps.tables"),
        ("overlaps/model", "from periplus_hub.addresses.overlaps.engine import severity"),
        ("overlaps/jobs", "from periplus_hub.addresses.ipam.graphql_types import Pool"),
    ],
)
def test_packages_of_a_slice_stand_on_the_same_floors(file: str, text: str) -> None:
    assert len(list(uphill_imports(parse(text, f"hub/periplus_hub/addresses/{file}.py")))) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("service_enrolment", "from periplus_hub.fleet.repository_domains import by_ids"),
        ("service", "from periplus_hub.fleet import service_enrolment, model"),
        ("model", "from periplus_hub.fleet import config"),
        ("service", "from periplus_hub.access.graphql import x"),
        ("problems", "from periplus_hub.fleet.service import x"),
    ],
)
def test_downhill_sideways_and_other_slices_are_not_its_business(file: str, text: str) -> None:
    assert list(uphill_imports(parse(text, f"hub/periplus_hub/fleet/{file}.py"))) == []
