import pytest

from tests.meta.gates.source import ALL_PYTHON, hold, parse
from tests.meta.gates.suppressions import unexplained_suppressions


def test_every_silenced_check_is_explained() -> None:
    hold(unexplained_suppressions, *ALL_PYTHON)


# Put together here, so that neither ruff nor this gate takes the samples for the real thing.
SILENCE, IGNORE = "# no" + "qa", "# type" + ": ignore"


@pytest.mark.parametrize(
    "comment",
    [
        SILENCE,
        f"{SILENCE}: S608",
        f"{SILENCE}: S608 - ok",
        IGNORE,
        f"{IGNORE}[arg-type]",
        f"{IGNORE} because mypy is wrong here",
        f"{SILENCE}: S608  {IGNORE}[arg-type]",
        "# ruff" + ": noqa",
        "# mypy" + ": ignore-errors",
    ],
)
def test_a_bare_or_unreasoned_silencer_is_found(comment: str) -> None:
    assert len(list(unexplained_suppressions(parse(f"x = 1  {comment}\n")))) == 1


@pytest.mark.parametrize(
    "comment",
    [
        f"{SILENCE}: S608 - table names come from our own MetaData",
        f"{SILENCE}: BLE001, S110  # a broken observer must not stop the sender",
        f"{IGNORE}[arg-type]  # the stub lacks the None that the docs promise",
    ],
)
def test_a_code_with_a_reason_passes(comment: str) -> None:
    assert list(unexplained_suppressions(parse(f"x = 1  {comment}\n"))) == []


def test_text_that_speaks_about_silencers_is_not_one() -> None:
    assert list(unexplained_suppressions(parse(f"x = '{SILENCE}'\n"))) == []
