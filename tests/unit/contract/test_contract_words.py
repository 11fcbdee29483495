"""Versions, tables, problems and messages hold what both sides build on."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract import limits, messages, problems
from periplus_contract.tables import TABLES, Kind, table
from periplus_contract.version import CONTRACT, Version, accepts, best_common


@given(st.integers(0, 999), st.integers(0, 999))
def test_versions_read_back(major: int, minor: int) -> None:
    assert Version.parse(str(Version(major, minor))) == (major, minor)


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "1.0.0", "v1.0", "1.x", "-1.0", "1. 0", "\u0661.\u0660"])
def test_what_is_no_version_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="contract version"):
        Version.parse(text)


def test_the_hub_takes_its_window_of_minors_and_newer_ones() -> None:
    newest, oldest = Version(2, 5), Version(2, 3)
    taken = {minor for minor in range(9) if accepts(Version(2, minor), newest=newest, oldest=oldest)}
    assert taken == {3, 4, 5, 6, 7, 8}
    assert not accepts(Version(1, 9), newest=newest, oldest=oldest)
    assert not accepts(Version(3, 0), newest=newest, oldest=oldest)


def test_negotiation_finds_the_highest_both_speak() -> None:
    assert best_common(Version(1, 0), Version(1, 2), mine=Version(1, 1)) == Version(1, 1)
    assert best_common(Version(1, 0), Version(1, 2), mine=Version(1, 7)) == Version(1, 2)
    assert best_common(Version(1, 3), Version(1, 5), mine=Version(1, 2)) is None
    assert best_common(Version(2, 0), Version(2, 0), mine=Version(1, 9)) is None
    assert accepts(CONTRACT)


def test_every_kind_is_listed_and_names_are_unique() -> None:
    assert TABLES.keys() == set(Kind)
    for tables in TABLES.values():
        assert len({known.name for known in tables}) == len(tables)
        for known in tables:
            assert len(set(known.column_names)) == len(known.columns)


def test_inventory_rows_all_say_what_happened_to_which_object_when() -> None:
    for known in TABLES[Kind.INVENTORY]:
        required = [column.name for column in known.columns if not column.nullable]
        assert required == ["op", "uid", "observed_at"], known.name


def test_tables_are_found_by_kind_and_name() -> None:
    found = table(Kind.INVENTORY, "pods")
    assert found is not None
    assert found.name == "pods"
    assert table(Kind.IPAM, "pods") is None


def test_problem_types_are_distinct_and_help() -> None:
    assert len({problem.uri for problem in problems.ALL}) == len(problems.ALL)
    for problem in problems.ALL:
        assert problems.by_uri(problem.uri) is problem
        assert problem.remedy.endswith(".")
        assert 400 <= problem.status < 600
    assert problems.by_uri("about:blank") is None


def test_only_transient_problems_are_retried_as_they_are() -> None:
    retried = {problem.slug for problem in problems.ALL if problem.verdict is problems.Verdict.RETRY}
    assert retried == {"slow-down", "overloaded", "node-has-agent"}


def test_the_proof_is_bound_to_hub_registration_and_challenge() -> None:
    one = messages.proof_bytes("hub", "registration", "nonce")
    assert one.startswith(messages.PROOF_CONTEXT)
    others = [("hub2", "registration", "nonce"), ("hub", "r2", "nonce"), ("hub", "registration", "n2")]
    assert all(messages.proof_bytes(*other) != one for other in others)


def test_messages_ignore_unknown_fields_and_refuse_missing_ones() -> None:
    known = msgspec.json.encode(messages.Challenge(nonce="n"))
    extended = msgspec.json.encode(msgspec.json.decode(known) | {"later": True})
    assert msgspec.json.decode(extended, type=messages.Challenge).nonce == "n"
    with pytest.raises(msgspec.ValidationError, match="nonce"):
        msgspec.json.decode(b"{}", type=messages.Challenge)


def test_limits_leave_room_for_a_full_header() -> None:
    assert limits.MAX_HEADER_BYTES < limits.MAX_COMPRESSED_BYTES < limits.MAX_INFLATED_BYTES
