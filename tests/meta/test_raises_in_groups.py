import pytest

from tests.meta.gates.raises_in_groups import raises_in_groups
from tests.meta.gates.source import PACKAGES, hold, parse

_TRY = "try:\n    x()\nexcept* OSError as errors:\n    {}\n"


def test_the_packages_raise_after_the_group() -> None:
    hold(raises_in_groups, *PACKAGES)


@pytest.mark.parametrize(
    "handler", ["raise KeyError", "raise errors.exceptions[0] from None", "if y:\n        raise KeyError"]
)
def test_each_way_of_writing_it_is_found(handler: str) -> None:
    assert len(list(raises_in_groups(parse(_TRY.format(handler))))) == 1


@pytest.mark.parametrize(
    "handler", ["raise", "found = errors\nif found:\n    raise found", "def f():\n        raise KeyError"]
)
def test_the_group_itself_and_what_comes_later_are_fine(handler: str) -> None:
    assert list(raises_in_groups(parse(_TRY.format(handler)))) == []
