"""Registrations of one kube-system uid: one cluster, several, or not known."""

from datetime import timedelta
from uuid import UUID

from periplus_hub.findings import facts
from periplus_hub.findings.detectors.copied_cluster import CopiedCluster
from periplus_hub.findings.detectors.duplicate_identity import DuplicateIdentity
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import Machines, State

from tests.support.clock import START
from tests.unit.hub.findings.test_detectors import registration, seen

NAMES = "abcdefghijkl"


def found(
    *machines: tuple[str, ...], old: int = 0, ca: str = "", pending: int | None = None
) -> tuple[list[FindingDraft], list[FindingDraft]]:
    """What is said of duplicates and of copies; the first `old` were seen two days before the others."""
    ones = [
        registration(
            id=UUID(int=at), name=NAMES[at], api_ca_sha256=ca, state=State.PENDING if at == pending else State.ACTIVE
        )
        for at in range(len(machines))
    ]
    ages = [timedelta(days=-2 if at < old else 0) for at in range(len(machines))]
    known = {
        one.id: Machines(seen=frozenset(each), as_of=START + age)
        for one, each, age in zip(ones, machines, ages, strict=True)
    }
    all_facts = {facts.REGISTRATIONS: ones, facts.MACHINES: known if len(machines) > 1 else {}}
    said = [seen(detector, all_facts) for detector in (DuplicateIdentity(), CopiedCluster())]
    assert said[0] is not None
    assert said[1] is not None
    return said[0], said[1]


def test_one_registration_says_nothing() -> None:
    assert found(("n1",)) == ([], [])


def test_two_of_one_cluster_are_found_pending_or_not() -> None:
    for pending in (None, 1):
        ((draft,), copies) = found(("n1", "n2"), ("n2",), pending=pending)
        assert draft.title == "2 registrations are one cluster: a, b"
        assert draft.fingerprint == f"uid-1/{UUID(int=0)}"
        assert draft.evidence["clusters"] == [f"Cluster:{UUID(int=at)}" for at in range(2)]
        assert copies == []


def test_a_copy_is_found_with_what_can_be_done() -> None:
    (duplicates, (draft,)) = found(("n1",), ("m1",), ca="")
    assert duplicates == []
    assert draft.title == "2 clusters have one kube-system uid: a, b"
    assert (draft.severity, draft.fingerprint) == (FindingSeverity.WARNING, "uid-1")
    assert "refuses to delete kube-system" in draft.what_to_do
    assert "authority" not in draft.what_to_do
    assert draft.evidence["same_api_ca"] is False


def test_many_copies_are_one_finding_that_can_be_read() -> None:
    (_, (draft,)) = found(*[(f"n{number}",) for number in range(12)])
    assert draft.title == "12 clusters have one kube-system uid: a, b, c, d, e, f, g, h, i, j and 2 more"
    assert len(draft.registration_ids) == 12


def test_copies_with_one_authority_are_told_to_change_it() -> None:
    (_, (draft,)) = found(("n1",), ("m1",), ca="ca")
    assert "give all but one a new authority" in draft.what_to_do


def test_two_registrations_of_the_original_and_one_of_its_copy() -> None:
    ((same,), (copies,)) = found(("n1",), ("m1",), ("n1",))
    assert (same.evidence["names"], copies.evidence["names"]) == ("a, c", "a, b")


def test_without_nodes_it_is_not_known_and_said_so() -> None:
    for machines in [(("n1",), ()), ((), ())]:
        (duplicates, (draft,)) = found(*machines)
        assert duplicates == []
        assert draft.title == "It is not known whether these are one cluster: a, b"
        assert draft.fingerprint == "uid-1/unclear"


def test_one_without_nodes_beside_copies_is_told_of_by_itself() -> None:
    (_, (copies, unclear)) = found(("n1",), ("m1",), ())
    assert (copies.evidence["names"], unclear.evidence["names"]) == ("a, b", "a, b, c")
    assert unclear.evidence["without_nodes"] == "c"


def test_nodes_of_another_time_do_not_tell_clusters_apart() -> None:
    (_, (draft,)) = found(("n1",), ("m1",), old=1)
    assert draft.fingerprint == "uid-1/unclear"
    assert draft.evidence["without_nodes"] == "a"
