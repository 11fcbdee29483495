"""What the inventory remembers of a pod when the world around it goes first."""

from typing import Any

from periplus_contract.tables import PODS
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.conversion.objects import Pod, Thing
from periplus_spoke.conversion.rows import positions
from periplus_spoke.conversion.sources import Source
from periplus_spoke.conversion.text import LabelFilter

from tests.support.decoding import decode
from tests.support.kube_objects import owned_by, pod

OWNED = owned_by("ReplicaSet", "web-1", "rs")


def replica_set(**more: Any) -> Thing:
    meta = {"name": "web-1", "namespace": "default", "ownerReferences": owned_by("Deployment", "web", "d"), **more}
    return decode(Thing, {"metadata": meta}, "rs")


def seen(inventory: Inventory, at_us: int, phase: str = "Running") -> None:
    inventory.pod(decode(Pod, pod("a", ("10.0.0.1",), phase=phase, owners=OWNED), "a"), at_us)


def cells(inventory: Inventory, *names: str) -> tuple[Any, ...]:
    row = inventory.state.rows(PODS)["a"]
    return tuple(row[positions(PODS)[name]] for name in names)


def workload(inventory: Inventory) -> tuple[Any, ...]:
    return cells(inventory, "workload_kind", "workload_name")


def test_a_pod_keeps_its_workload_when_the_replicaset_is_deleted_first() -> None:
    inventory = Inventory(LabelFilter())
    inventory.middle(replica_set(), "ReplicaSet", "apps", 1)
    seen(inventory, 1)
    inventory.forget_middle("rs", 2)
    seen(inventory, 3, "Failed")
    assert workload(inventory) == ("Deployment", "web")


def test_a_workload_is_unknown_until_its_replicaset_is_read() -> None:
    inventory = Inventory(LabelFilter())
    seen(inventory, 1)
    assert workload(inventory) == (None, None)
    inventory.report("apps/replicasets", Source(state="failed"), 1)
    assert workload(inventory) == (None, None)
    inventory.middle(replica_set(), "ReplicaSet", "apps", 2)
    assert workload(inventory) == ("Deployment", "web")


def test_where_replicasets_may_not_be_read_they_are_the_nearest_there_is() -> None:
    inventory = Inventory(LabelFilter())
    seen(inventory, 1)
    inventory.report("apps/replicasets", Source(state="forbidden"), 1)
    assert workload(inventory) == ("ReplicaSet", "web-1")
    inventory.middle(replica_set(), "ReplicaSet", "apps", 2)
    seen(inventory, 3)
    assert workload(inventory) == ("Deployment", "web")


def test_the_first_time_a_pod_was_seen_finished_is_its_end() -> None:
    inventory = Inventory(LabelFilter())
    seen(inventory, 5)
    seen(inventory, 7, "Failed")
    seen(inventory, 9, "Failed")
    assert cells(inventory, "phase", "ended_at") == ("Failed", 7)
