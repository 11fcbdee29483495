import pytest

from tests.meta.gates.kinds import named_kinds
from tests.meta.gates.source import PACKAGES, hold, parse

APPLY = "hub/periplus_hub/ingest/service_apply.py"


def test_no_file_of_the_door_names_a_kind_but_the_one_that_lists_them() -> None:
    hold(named_kinds, *PACKAGES)


@pytest.mark.parametrize(
    "text",
    [
        "if batch.header.kind is not Kind.INVENTORY: ...",
        "mark = header.ipam",
        'parts = Table("ipam_parts")',
        '"""What a batch of flows needs."""',
        "x = 1  # as DNS does",
    ],
)
def test_a_named_kind_is_found(text: str) -> None:
    assert len(list(named_kinds(parse(text, APPLY)))) == 1


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Kind.INVENTORY", "hub/periplus_hub/ingest/kinds.py"),
        ("Kind.INVENTORY", "hub/periplus_hub/inventory/service.py"),
        ("from periplus_contract.batch import InventoryMark as ChainMark", APPLY),
        ("overflows = 1", APPLY),
    ],
)
def test_other_words_and_other_places_are_not_its_business(text: str, path: str) -> None:
    assert list(named_kinds(parse(text, path))) == []
