"""The compilers that clients are made with take the committed schema, and would take none that is less than Relay's."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.graphql_examples import EXAMPLES, FOLDER
from tests.support.node_tools import Node, NodeError, find_node

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tests" / "graphql-clients"


@pytest.fixture(scope="module")
def node() -> Node:
    return find_node()


@pytest.fixture
def project(node: Node, tmp_path: Path) -> Path:
    """A copy of the npm project with its packages and the committed schema."""
    folder = tmp_path / "client"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("node_modules", "generated"))
    (folder / "node_modules").symlink_to(node.packages(PROJECT))
    (folder / "generated").mkdir()
    shutil.copy(ROOT / "hub" / "schema.graphql", folder)
    return folder


def relay(node: Node, project: Path) -> str:
    return node.run(["node", "node_modules/relay-compiler/cli.js"], project)


@pytest.mark.promise("clients-can-be-generated")
def test_relay_compiles_lists_both_ways_nodes_mutations_and_subscriptions(node: Node, project: Path) -> None:
    relay(node, project)
    made = {path.name.partition(".")[0] for path in (project / "generated").iterdir()}
    assert made >= {"fleetPageQuery", "fleetClustersNextQuery", "fleetPodsWindowQuery", "fleetClusterQuery"}
    assert made >= {"fleetAcceptMutation", "fleetChangesSubscription"}


@pytest.mark.parametrize("name", ["hasPreviousPage", "startCursor", "before"])
def test_relay_refuses_a_schema_that_lacks_any_of_it(node: Node, project: Path, name: str) -> None:
    schema = project / "schema.graphql"
    whole = schema.read_text(encoding="utf-8")
    assert f" {name}: " in whole
    schema.write_text(whole.replace(f" {name}: ", " other: "), encoding="utf-8")
    with pytest.raises(NodeError, match=name):
        relay(node, project)


@pytest.mark.promise("clients-can-be-generated")
def test_codegen_makes_types_of_every_documented_operation(node: Node, project: Path) -> None:
    node.run(["node", "codegen.mjs", str(FOLDER)], project)
    made = (project / "generated" / "operations.ts").read_text(encoding="utf-8")
    assert len(re.findall(r"^export type \w+(?:Query|Mutation|Subscription) = ", made, re.MULTILINE)) == len(EXAMPLES)
