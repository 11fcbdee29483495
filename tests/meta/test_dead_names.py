import pytest

from tests.meta.gates.dead_names import unnamed
from tests.meta.gates.source import ALL_PYTHON, PACKAGES, hold, parse, texts


def test_nothing_is_defined_that_nothing_names() -> None:
    hold(unnamed(text for _, text in texts(*ALL_PYTHON)), *PACKAGES)


@pytest.mark.parametrize(
    "text",
    ["_LEFT = 1", "_LEFT: Final = 1", "def _left() -> None: ...", "class Left: ...", "async def left() -> None: ..."],
)
def test_what_nothing_names_is_found(text: str) -> None:
    module = parse(text)
    assert len(list(unnamed([text])(module))) == 1


def test_a_private_name_of_another_module_is_another_one() -> None:
    one, other = parse("_LEFT = 1", "hub/one.py"), parse("_LEFT = 1\nprint(_LEFT)", "hub/other.py")
    gate = unnamed([one.text, other.text])
    assert (len(list(gate(one))), len(list(gate(other)))) == (1, 0)


@pytest.mark.parametrize(
    "text", ["@command\ndef typed() -> None: ...", "__version__ = '1'", "def _used() -> None: ...\n_used()"]
)
def test_what_is_registered_or_used_stays(text: str) -> None:
    module = parse(text)
    assert list(unnamed([text])(module)) == []


def test_words_of_the_contract_are_for_others_too() -> None:
    word, own = (parse(text, "contract/words.py") for text in ("LOST = 1", "_LOST = 1"))
    gate = unnamed([word.text, own.text])
    assert (len(list(gate(word))), len(list(gate(own)))) == (0, 1)
