"""Claims that an issuer signed: whatever they hold, they are about a person or are refused in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from periplus_hub.access.engine.claims import claim_at, person_of
from periplus_hub.access.model_people import Expected, Person, SignInRefusal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
EXPECTED = Expected(
    issuer="https://login.example.org",
    client_id="cli",
    audience="cli",
    name_claim="name",
    groups_claim="realm_access.roles",
    tolerance=timedelta(seconds=60),
)
GOOD = {"iss": EXPECTED.issuer, "aud": "cli", "sub": "ada", "exp": NOW_S + 300, "name": "Ada"}
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = some.sampled_from(["iss", "aud", "azp", "sub", "exp", "nbf", "iat", "name", "realm_access", "cnf"])


@given(some.dictionaries(NAMES, VALUES, max_size=4))
def test_nothing_but_a_refusal_or_a_person_comes_of_it(changed: dict[str, Any]) -> None:
    found = person_or_refusal(GOOD | changed)
    if isinstance(found, SignInRefusal):
        assert all((found.message, found.remedy, found.reason))
        return
    assert (found.issuer, found.subject) == (EXPECTED.issuer, (GOOD | changed)["sub"])
    assert found.actor.isprintable()


def person_or_refusal(claims: dict[str, Any]) -> Person | SignInRefusal:
    try:
        return person_of(claims, EXPECTED, NOW)
    except SignInRefusal as refusal:
        return refusal


@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("Ada Lovelace", "person:Ada Lovelace <ada@https://login.example.org>"),
        ("", "person:ada@https://login.example.org"),
        ("Ada <root@https://login.example.org>", "person:ada@https://login.example.org"),
        ("Ada\x1b[2J", "person:ada@https://login.example.org"),
        ("x" * 101, "person:ada@https://login.example.org"),
    ],
)
def test_nobody_can_be_called_what_they_are_not(name: str, actor: str) -> None:
    assert Person(EXPECTED.issuer, "ada", name, frozenset()).actor == actor


def test_dots_lead_into_objects_unless_the_claim_is_called_so() -> None:
    claims = {"a": {"b": 1}, "https://example.org/groups": 2, "a.c": 3}
    assert [claim_at(claims, name) for name in ("a.b", "https://example.org/groups", "a.c", "a.b.c", "x")] == [
        1, 2, 3, None, None,
    ]  # fmt: skip
