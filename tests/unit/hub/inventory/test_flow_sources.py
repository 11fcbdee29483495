"""The order of sources, the one command, and what agents of nodes change that a spoke does not see."""

from dataclasses import replace
from uuid import UUID

from periplus_hub.inventory.model_flow_sources import FlowSource, completed, one_command

NOBODY = UUID(int=0)


def source(kind: str, state: str = "absent", use: str | None = None, command: str | None = None) -> FlowSource:
    return FlowSource(
        registration_id=NOBODY, uid=kind, kind=kind, state=state, place=None, use=use, why=None, command=command
    )


AGENTS = source("conntrack", command="periplus join-token create --agents-of CLUSTER")
HUBBLE = source("hubble", command="cilium hubble enable")
ISTIO = source("istio", "found", "chosen")
MESH = source("cilium-mesh", "found", "chosen")


def test_the_command_has_the_name_as_a_shell_takes_it() -> None:
    (found,) = completed([AGENTS], "a b", 0)
    assert found.command == "periplus join-token create --agents-of 'a b'"


def test_what_is_there_and_lacks_a_setting_comes_before_what_is_to_be_installed() -> None:
    lacking = replace(ISTIO, use="unreadable", command="periplus-spoke run --prometheus-urls http://p")
    assert one_command([AGENTS, HUBBLE, lacking]) == lacking.command
    assert one_command([AGENTS, HUBBLE]) == AGENTS.command
    assert one_command([AGENTS, ISTIO]) is None
    assert one_command([source("goldmane", "found", "unreadable")]) is None


def test_agents_that_joined_are_a_source_though_the_spoke_sees_none() -> None:
    agents, *metrics = completed([ISTIO, MESH, AGENTS], "shop", 3)
    assert (agents.state, agents.is_chosen, agents.why, agents.command) == (
        "found",
        True,
        "3 agents of nodes joined",
        None,
    )
    assert [each.why is not None and "count the same again" in each.why for each in metrics] == [True, True]


def test_agents_change_nothing_of_hubble() -> None:
    hubble = source("hubble", "found", "chosen")
    assert hubble in completed([hubble, AGENTS], "shop", 1)


def test_a_kind_of_a_later_contract_is_last() -> None:
    found = completed([source("a-later-one"), HUBBLE, AGENTS], "shop", 0)
    assert [each.kind for each in found] == ["conntrack", "hubble", "a-later-one"]
