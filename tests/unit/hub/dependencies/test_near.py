"""What may have been meant by a name that nothing has."""

import pytest

from periplus_hub.dependencies.engine.near import Near, nearest


def near(name: str, cluster: str = "prod-1", namespace: str = "shop", kind: str = "Deployment") -> Near:
    return Near(cluster=cluster, namespace=namespace, kind=kind, name=name, alike=name)


KNOWN = [near("checkout"), near("cart"), near("payments"), near("checkout", kind="Service"), near("web", "prod-2")]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("chekout", ["shop/checkout@prod-1"]),
        ("Cart", ["shop/cart@prod-1"]),
        ("web", ["shop/web@prod-2"]),
        ("db", []),
        ("", []),
        ("c" * 10_000, []),
    ],
)
def test_the_likeliest_are_named_once(asked: str, found: list[str]) -> None:
    assert nearest(asked, KNOWN, with_kind=False) == found


def test_kinds_are_named_where_one_was_asked_for() -> None:
    found = nearest("checkout", KNOWN, with_kind=True)
    assert found == ["Deployment shop/checkout@prod-1", "Service shop/checkout@prod-1"]


def test_of_many_few_are_named_and_the_first_first() -> None:
    many = [near("web", f"cluster-{number}") for number in range(100)]
    assert nearest("web", many, with_kind=False) == [f"shop/web@cluster-{number}" for number in range(3)]


def test_a_namespace_is_named_as_a_place() -> None:
    place = Near(cluster="prod-1", namespace="shop", kind="", name="", alike="shop")
    assert nearest("shp", [place], with_kind=False) == ["shop/@prod-1"]
