"""A report that is as expected has no difference; one that is not has one that names it."""

from typing import Any

import pytest

from tests.cases.case import ContextState, GroupLine, Owner, Phase
from tests.cases.judging import (
    context_differences,
    matches,
    owner_differences,
    phase_differences,
    read_differences,
)

NAMES = {"red": frozenset({"red"}), "tan": frozenset({"tan"})}


def member(cluster: str, kind: str, cidr: str, severity: str | None) -> dict[str, Any]:
    return {"cluster": cluster, "kind": kind, "cidr": cidr, "severity": severity}


def group(*members: dict[str, Any], **changed: Any) -> dict[str, Any]:
    whole = {"cidr": members[0]["cidr"], "severity": "latent", "members": list(members), "memberCount": len(members)}
    return whole | {"freeRanges": [], "breaks": [], "remedies": []} | changed


READ = [{"name": name, "context": name, "state": "complete", "message": "", "remedy": ""} for name in NAMES]


def report(*groups: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"clusters": READ, "overlapGroups": list(groups), "notes": []} | changed


BOTH = group(
    member("red", "pod", "10.1.0.0/24", "conflict"),
    member("tan", "node", "10.1.0.7/32", "latent"),
    member("red", "node", "10.1.0.9/32", None),
)


@pytest.mark.parametrize(
    "line",
    [
        GroupLine(),
        GroupLine(clusters=["red"]),
        GroupLine(clusters=["red", "tan"], kind="pod|node"),
        GroupLine(clusters=["red", "tan"], within="10.1.0.0/16", severity=["conflict"]),
        GroupLine(clusters=["tan"], kind="node", severity=["latent", "intended"]),
        GroupLine(clusters=["tan"], within="10.1.0.7/32"),
        GroupLine(severity="conflict"),
    ],
)
def test_a_line_matches_what_it_describes(line: GroupLine) -> None:
    assert matches(line, BOTH, NAMES)


@pytest.mark.parametrize(
    "line",
    [
        GroupLine(clusters=["red", "tan"], kind="pod"),
        GroupLine(clusters=["red"], kind="node"),  # that member overlaps nobody
        GroupLine(clusters=["red", "tan"], within="10.1.0.128/25"),
        GroupLine(clusters=["tan"], severity=["conflict"]),  # the conflict is red's
        GroupLine(clusters=["red", "tan"], severity=["latent"]),  # the worst of them counts
        GroupLine(within="fd00::/8"),
    ],
)
def test_a_line_matches_nothing_else(line: GroupLine) -> None:
    assert not matches(line, BOTH, NAMES)


def test_a_cluster_goes_by_each_name_that_the_report_has_for_it() -> None:
    line = GroupLine(clusters=["red", "tan"])
    assert not matches(line, BOTH, {"red": frozenset({"red"}), "tan": frozenset()})
    assert matches(line, BOTH, {"red": frozenset({"red", "other"}), "tan": frozenset({"tan"})})


def differences(phase: Phase, shown: dict[str, Any], said: str = "") -> list[str]:
    return phase_differences(phase, shown, said, NAMES)


def test_groups_are_demanded_and_forbidden() -> None:
    line = GroupLine(clusters=["red", "tan"], kind="pod|node", within="10.1.0.0/16", severity=["conflict"])
    assert differences(Phase(groups=[line]), report(BOTH)) == []
    assert differences(Phase(no_groups=[line]), report()) == []
    [missing] = differences(Phase(groups=[line]), report())
    assert missing.startswith("no group with pod|node of red and tan in 10.1.0.0/16, conflict")
    [forbidden] = differences(Phase(no_groups=[line]), report(BOTH))
    assert "10.1.0.0/24 latent (red pod 10.1.0.0/24 conflict" in forbidden


def test_members_that_are_not_listed_are_no_proof_of_absence() -> None:
    cut = BOTH | {"memberCount": 400}
    assert differences(Phase(no_groups=[GroupLine(clusters=["red"], kind="service")]), report(BOTH)) == []
    [unknown] = differences(Phase(no_groups=[GroupLine(clusters=["red"], kind="service")]), report(cut))
    assert "cannot be seen" in unknown


def test_a_cluster_that_was_not_read_is_no_proof_of_absence() -> None:
    unread = report(clusters=[READ[0], READ[1] | {"state": "unread"}])
    assert differences(Phase(no_groups=[GroupLine(clusters=["red"])]), unread) == []
    for line in (GroupLine(clusters=["red", "tan"]), GroupLine()):
        assert differences(Phase(no_groups=[line]), unread) == ["what overlaps with tan is not known: it was not read"]
    assert differences(Phase(no_groups=[GroupLine(clusters=["tan"])]), report(clusters=READ[:1])) != []


@pytest.mark.parametrize("place", ["breaks", "remedies"])
def test_what_is_said_is_looked_for_in_messages_and_remedies(place: str) -> None:
    said = report(BOTH | {place: ["Give it another Node range."]})
    assert differences(Phase(says=["node range"]), said) == []
    assert differences(Phase(says_not=["node range"]), said) == ["says 'node range': Give it another Node range."]


def test_names_of_things_say_nothing() -> None:
    shown = report(BOTH, clusters=[{"name": "red", "state": "complete", "message": "", "cnis": ["pod-net"]}])
    assert differences(Phase(says=["pod"]), shown) == ["says nowhere 'pod'"]
    assert differences(Phase(says=["pod"]), shown, said="read another pod range") == []


def test_free_ranges_may_not_overlap_one_another_nor_what_is_named() -> None:
    first, second = BOTH | {"freeRanges": ["10.0.0.0/16"]}, BOTH | {"freeRanges": ["10.1.0.0/16"]}
    nested = BOTH | {"freeRanges": ["10.0.8.0/24"]}
    assert differences(Phase(free_disjoint=True), report(first, second)) == []
    [clash] = differences(Phase(free_disjoint=True), report(first, nested))
    assert "10.0.0.0/16 for 10.1.0.0/24 and 10.0.8.0/24" in clash
    assert differences(Phase(free_disjoint=True), report(BOTH)) == ["no range is called free"]
    assert differences(Phase(free_not=["10.2.0.0/16"]), report(first, second)) == []
    [taken] = differences(Phase(free_not="10.0.0.0/8"), report(first))
    assert "10.0.0.0/16 is called free" in taken


def test_the_move_of_a_cluster_counts_once_whatever_groups_name_it() -> None:
    move = {"cluster": "tan", "kind": "pod", "cidr": "10.9.0.0/16", "why": ""}
    first = BOTH | {"moves": [move], "freeRanges": ["10.9.0.0/16"]}
    assert differences(Phase(free_disjoint=True), report(first, BOTH | {"moves": [move]})) == []
    for clash in ({"cluster": "red"}, {"kind": "service"}, {"cidr": "10.9.4.0/24", "kind": "node"}):
        assert differences(Phase(free_disjoint=True), report(first, BOTH | {"moves": [move | clash]}))
    nowhere = BOTH | {"moves": [move | {"cidr": None}]}
    assert differences(Phase(free_disjoint=True), report(nowhere)) == ["no range is called free"]


def line_of(state: str, message: str = "") -> dict[str, Any]:
    return {"name": "a-1", "context": "a", "state": state, "message": message, "remedy": ""}


@pytest.mark.parametrize(
    ("word", "state", "is_fine"),
    [
        ("settled", "complete", True),
        ("settled", "incomplete", False),
        ("partial", "incomplete", True),
        ("failed", "unread", True),
        ("failed", "complete", False),
        ("pending", "pending", True),
        ("complete", "complete", True),
    ],
)
def test_the_state_of_a_context(word: str, state: str, is_fine: bool) -> None:
    found = context_differences("a", ContextState(state=[word]), report(clusters=[line_of(state)]), "")
    assert bool(found) is not is_fine


def test_a_context_may_say_why_instead() -> None:
    expected = ContextState(state=["settled"], or_says="socks")
    assert context_differences("a", expected, report(clusters=[line_of("unread", "No SOCKS here")]), "") == []
    assert context_differences("a", expected, report(clusters=[line_of("unread", "Gone")]), "socks")
    assert context_differences("a", expected, None, "error: socks5 is not supported") == []
    [absent] = context_differences("a", ContextState(state=["failed"]), report(), "")
    assert "not in the report" in absent


def test_how_many_were_read() -> None:
    shown = report(clusters=[line_of("complete"), line_of("incomplete"), line_of("unread")])
    assert read_differences(2, shown) == []
    assert read_differences(3, shown)


def owner(name: str, kind: str = "SERVICE") -> dict[str, Any]:
    return {"kind": kind, "namespace": "default", "name": name, "cluster": {"name": "red"}}


def test_whose_an_address_is() -> None:
    one = {"owners": [owner("web")], "reason": None}
    two = {"owners": [owner("web"), owner("n1", "NODE")], "reason": "two"}
    nobody = {"owners": [], "reason": "nobody"}
    for answer, fine in ((one, "owned"), (one, "web"), (one, "default/web"), (two, "ambiguous"), (nobody, "unknown")):
        assert owner_differences(Owner(ip="10.0.0.1", answer=fine), answer) == []
    for answer, wrong in ((one, "ambiguous"), (two, "web"), (two, "owned"), (nobody, "web")):
        assert owner_differences(Owner(ip="10.0.0.1", answer=wrong), answer)
    assert owner_differences(Owner(ip="10.0.0.1", among="n1"), two) == []
    [missing] = owner_differences(Owner(ip="10.0.0.1", among=["n1", "n2"]), two)
    assert missing.startswith("n2 is not among")
