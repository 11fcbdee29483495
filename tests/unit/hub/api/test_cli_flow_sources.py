"""One line for each cluster: where its flows come from, or the one command, and nothing that is not known."""

from dataclasses import replace

from periplus_hub.api.cli.flow_sources import flows_words, lines_of
from periplus_hub.api.cli.report import ClusterLine, ClusterState, FlowSourceLine, Report
from periplus_hub.api.cli.temporary_fleet import Target
from periplus_hub.api.cli.try_flows import Reading
from periplus_spoke.kit.flow_settings import SOURCES

from tests.unit.hub.api.test_cli_report import printed

AGENTS = FlowSourceLine(kind="conntrack", state="absent", where="", chosen=False, why="no agents", command="join")
RELAY = FlowSourceLine(
    kind="hubble", state="found", where="kube-system/hubble-relay:80", chosen=True, why="edges", command=""
)
UNREAD = FlowSourceLine(
    kind="hubble", state="unknown", where="", chosen=False, why="Services may not be listed", command=""
)
GOLDMANE = FlowSourceLine(
    kind="goldmane",
    state="found",
    where="c/goldmane:7443",
    chosen=False,
    why="Periplus does not read it yet",
    command="",
)


def test_spokes_of_a_trial_read_all_that_spokes_read_but_agents_of_nodes() -> None:
    options = Reading().equip(Target("east", "east", "config")).spoke_options
    named = options[options.index("--flow-sources") + 1].split(",")
    assert set(named) == set(SOURCES) - {"conntrack"}


def test_where_flows_come_from() -> None:
    istio = replace(RELAY, kind="istio", where="")
    assert flows_words([AGENTS, RELAY, istio], "") == "flows from hubble (kube-system/hubble-relay:80) and istio"


def test_the_one_command_where_there_are_none() -> None:
    assert flows_words([AGENTS], "join") == "no flows"


def test_what_may_be_there_unseen_is_not_said_to_be_absent() -> None:
    assert flows_words([AGENTS, UNREAD], "join") == "flows not known: Services may not be listed"
    assert flows_words([UNREAD], "") == "flows not known: Services may not be listed"
    assert flows_words([], "") == ""


def test_why_there_are_none_where_no_command_helps() -> None:
    past = replace(AGENTS, why="packets pass it by", command="")
    assert flows_words([past], "") == "no flows: packets pass it by"
    assert flows_words([past, GOLDMANE], "") == "no flows: goldmane: Periplus does not read it yet"


def test_the_report_has_one_line_for_each_cluster() -> None:
    command = "periplus join-token create --agents-of"
    lines = [
        ClusterLine(
            name="shop",
            context="",
            state=ClusterState.COMPLETE,
            flow_sources=(AGENTS,),
            flow_command=f"{command} shop",
        ),
        ClusterLine(name="lab", context="", state=ClusterState.COMPLETE, flow_sources=(RELAY,)),
        ClusterLine(
            name="shop-eu-central-1",
            context="",
            state=ClusterState.COMPLETE,
            flow_sources=(AGENTS,),
            flow_command=f"{command} shop-eu-central-1",
        ),
        ClusterLine(name="new", context="", state=ClusterState.UNREAD),
    ]
    text = printed(Report(clusters=tuple(lines), groups=()), width=80)
    told = [line.rstrip() for line in text.splitlines() if "flows" in line or "→" in line]
    assert told == [
        f"  shop: no flows → {command} shop",
        "  lab: flows from hubble (kube-system/hubble-relay:80)",
        "  shop-eu-central-1: no flows",
        f"    → {command} shop-eu-central-1",
    ]
    assert max(map(len, told)) <= 80
    found = Report(clusters=tuple(lines), groups=()).document()["clusters"][1]
    assert found["flowSources"][0]["where"] == "kube-system/hubble-relay:80"
    assert found["flowCommand"] == ""


def test_what_the_hub_answers() -> None:
    told = {"kind": "hubble", "state": "UNKNOWN", "where": None, "chosen": False, "why": None, "command": None}
    assert lines_of([told]) == (
        FlowSourceLine(kind="hubble", state="unknown", where="", chosen=False, why="", command=""),
    )
