"""Whatever a cluster says, a terminal shows it and does not obey it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.text import json_text, visible

EVERY_CHARACTER = [chr(number) for number in range(0x110000) if not 0xD800 <= number <= 0xDFFF]
UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("prod-eu (a) arn:aws:eks:eu-west-1:1:cluster/p@q", "prod-eu (a) arn:aws:eks:eu-west-1:1:cluster/p@q"),
        ("Zürich 東京 שלום 🚢", "Zürich 東京 שלום 🚢"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m\x7f\0", r"\x9b31m\x7f\x00"),
        ("\x1b]8;;https://evil\x07here\x1b]8;;\x1b\\", r"\x1b]8;;https://evil\x07here\x1b]8;;\x1b" + "\\"),
        ("a\r\n\tb\x85\u2028\u2029", r"a\r\n\tb\x85\u2028\u2029"),
        ("\u202elive\u2066\u200b\u200d\ufeff", r"\u202elive\u2066\u200b\u200d\ufeff"),
        ("a\u00a0b\u3164\ufe0f\u034f\u2800", r"a\xa0b\u3164\ufe0f\u034f\u2800"),
        ("\U000e0041\U000e0100", r"\U000e0041\U000e0100"),
        ("[red]x[/red] :smile:", "[red]x[/red] :smile:"),
    ],
)
def test_what_is_not_seen_is_spelt(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_no_character_of_unicode_is_left_unseen() -> None:
    shown = visible("".join(EVERY_CHARACTER))
    assert {unicodedata.category(each) for each in shown}.isdisjoint(UNSEEN)
    assert shown.isprintable()


def test_a_lone_surrogate_is_spelt() -> None:
    assert visible("\ud83d") == r"\ud83d"


@given(st.text())
def test_json_is_plain_ascii_and_says_exactly_what_was_said(text: str) -> None:
    printed = json_text({text: [text]})
    assert printed.isascii()
    assert printed.isprintable()
    assert json.loads(printed) == {text: [text]}


def test_json_has_the_one_control_character_it_could_hold_escaped() -> None:
    assert json_text("\x7f") == r'"\u007f"'
