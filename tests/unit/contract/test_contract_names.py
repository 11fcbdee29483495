"""Which names are refused, and which read the same."""

import pytest

from periplus_contract.names import are_alike, is_id, why_no_name

UUID = "0192d7a0-1111-7222-8333-444455556666"


@pytest.mark.parametrize(
    "name",
    [
        "prod",
        "kind-a",
        "kubernetes-admin@kubernetes",
        "arn:aws:eks:eu-west-1:123456789012:cluster/prod",
        "gke_project_europe-west1-b_prod",
        "default/api-crc-testing:6443/kube:admin",
        "docker desktop",
        "prod (/home/me/.kube/config)",
        f"cluster-{UUID}",
    ],
)
def test_names_that_clusters_have_are_taken(name: str) -> None:
    assert why_no_name(name, 253) == ""


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " prod",
            "prod ",
            "a  b",
            "-a",
            "@",
            "pr\u00f6d",
            "p\u0440od",
            "pro\u200bd",
            "pro\u0301d",
            "a\nb",
            "a\tb",
        ),
        *("\u202ea", "a'b", "a;b", "$(x)", "a|b", "a\\b", "a,b", "[red]a", "x" * 254),
        *(UUID, UUID.upper(), UUID.replace("-", ""), f"Cluster:{UUID}", f"cluster:{UUID}", f"urn:uuid:{UUID}"),
        *(f"Pod:{UUID}:pod-0", "ppj_0123456789ab", "ppt_abcdefgh"),
    ],
)
def test_names_that_deceive_are_refused(name: str) -> None:
    assert why_no_name(name, 253)


@pytest.mark.parametrize(
    ("a", "b"),
    [("prod", "PROD"), ("prod-1", "prod-l"), ("prod-1", "prod-I"), ("prod-10", "prod-1O"), ("farm", "farrn")],
)
def test_names_that_read_the_same_are_alike(a: str, b: str) -> None:
    assert are_alike(a, b)
    assert are_alike(b, a)


@pytest.mark.parametrize(("a", "b"), [("prod-il", "prod-li"), ("a-b", "a_b"), ("prod-1", "prod-2"), ("mail", "mall")])
def test_names_that_differ_are_not(a: str, b: str) -> None:
    assert not are_alike(a, b)


def test_an_id_is_known_by_its_form() -> None:
    assert is_id(f"Cluster:{UUID}")
    assert is_id(UUID)
    assert not is_id("prod")
    assert not is_id("arn:aws:eks:eu-west-1:123456789012:cluster/prod")
