"""`periplus preflight`: what is typed, and what people and CI servers read."""

import io
import sys
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer

from periplus_hub.api.cli import main
from periplus_hub.api.cli.junit import junit
from periplus_hub.api.cli.preflight_command import planned_cluster
from periplus_hub.api.cli.preflight_text import print_preflight
from periplus_hub.api.cli.rich_text import Console


def rule(name: str, verdict: str, **more: Any) -> dict[str, Any]:
    base = {"asks": f"{name}?", "source": "https://example.org", "because": [], "lacks": [], "trusts": [], "ranges": []}
    return {"name": name, "verdict": verdict, "rangeCount": len(more.get("ranges", ())), **base, **more}


def way(target: str, verdict: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"target": target, "name": target.title(), "verdict": verdict, "waysOut": [], "rules": list(rules)}


USE = {"clusterName": "a", "kinds": ["pod", "node"]}
ENTERED = {
    "cidr": "10.0.0.0/15", "what": "vpc", "name": "prod", "owner": "net team", "note": "ask first",
    "networkDomain": "eu",
}  # fmt: skip
RANGE = {"cidr": "10.0.0.0/16", "clusterCount": 3, "uses": [USE], "entered": []}
LACKS = "b is <silent> & its ]]> last words were \x1b[31m"
WAYS = [
    way("mesh", "fail", rule("pods", "fail", because=["It breaks."], ranges=[RANGE], lacks=[LACKS])),
    way("routes", "unknown", rule("routed", "unknown", lacks=[LACKS, "c waits"]), rule("seen", "pass")),
    way("proxy", "pass", rule("none", "pass", trusts=["Somebody said so."])),
]
NOT_LOOKED_AT = ["Firewalls & versions."]


def printed(*ways: dict[str, Any], **more: Any) -> str:
    out = io.StringIO()
    some = {"count": 2, "names": ["a", "b"]}
    found = {"asOf": "2026-01-02T03:04:05Z", "verdict": "fail", "clusters": some, "notKnownWhole": some, "ways": ways}
    found["notLookedAt"] = NOT_LOOKED_AT
    print_preflight(found | more, Console(file=out, width=120, color_system=None, highlight=False))
    return out.getvalue()


def test_a_junit_file_has_a_case_for_each_rule_and_holds_any_text() -> None:
    root = ET.fromstring(junit({"ways": WAYS, "notLookedAt": NOT_LOOKED_AT}))
    assert root.attrib == {"name": "periplus preflight", "tests": "4", "failures": "1", "skipped": "1"}
    cases = {case.attrib["name"]: [each.tag for each in case] for case in root.iter("testcase")}
    assert cases == {"pods": ["failure"], "routed": ["skipped"], "seen": [], "none": ["system-out"]}
    assert [each.attrib["value"] for each in root.iter("property")] == NOT_LOOKED_AT * 3
    failure = next(root.iter("failure"))
    assert (failure.text or "").splitlines() == [
        "It breaks.",
        "b is <silent> & its ]]> last words were \\x1b[31m",
        "10.0.0.0/16: a (pod, node) · and 2 more",
        "https://example.org",
    ]


def test_people_see_every_way_then_what_is_in_the_way_and_each_lack_once() -> None:
    text = printed(*WAYS)
    assert "Proxy pass –" in " ".join(text.split())
    assert "in the way 10.0.0.0/16: a (pod, node) · and 2 more" in text
    assert text.count("last words") == 1
    assert "c waits" in text
    assert "as above" in text
    assert "2 clusters (a, b): 1 fail, 1 unknown, 1 pass" in text
    assert "not known whole: 2 clusters: a, b" in text
    assert "\x1b" not in text


def test_one_way_that_passes_shows_its_rules() -> None:
    text = printed(WAYS[2])
    assert "✓ none? [none]" in text
    assert "trusting   Somebody said so." in text


def test_no_verdict_is_shown_without_what_was_not_looked_at() -> None:
    assert "not looked at: Firewalls & versions." in printed(WAYS[2])


def test_a_range_that_people_entered_is_told_in_their_words() -> None:
    text = printed(
        way("mesh", "fail", rule("entered", "fail", ranges=[RANGE | {"clusterCount": 1, "entered": [ENTERED]}]))
    )
    told = "in the way 10.0.0.0/15 vpc prod of net team in eu (ask first) · a (pod, node)"
    assert told in " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        ("eu:new:pod=10.1.0.0/16", {"name": "eu:new", "pods": ["10.1.0.0/16"]}),
        ("new", {"name": "new"}),
        ("new:", {"name": "new"}),
        ("n:domain=a:b,loadbalancer=10.1.0.0/24", {"name": "n", "domain": "a:b", "loadBalancers": ["10.1.0.0/24"]}),
        ("n:node=fd00::/64,pod=10.1.0.0/16,pod=10.2.0.0/16", {
            "name": "n", "nodes": ["fd00::/64"], "pods": ["10.1.0.0/16", "10.2.0.0/16"],
        }),
    ],
)  # fmt: skip
def test_a_plan_is_a_name_and_ranges(text: str, planned: dict[str, Any]) -> None:
    assert planned_cluster(text) == planned


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":pod=10.1.0.0/16",
        "n:lb=10.1.0.0/16",
        "n:pod=10.1.0.1/16",
        "n:domain=a,domain=b",
        "n:pod=10.1.0.0/16,domain=",
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(typer.Exit) as refused:
        planned_cluster(text)
    assert refused.value.exit_code == 64


def test_the_ways_to_choose_from_are_listed_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["periplus", "preflight"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 64
    assert "\n  submariner,\n" in capsys.readouterr().err
