"""Verdicts as a JUnit file, which every CI server shows. Pure."""

from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from periplus_contract.text import visible

_OUTCOMES: Final = {"fail": "failure", "unknown": "skipped"}


def junit(document: dict[str, Any]) -> bytes:
    """Of a document of pre-flight: one suite for each way of joining, one case for each rule, skipped where unknown."""
    ways = document["ways"]
    rules = [rule for way in ways for rule in way["rules"]]
    suites = Element("testsuites", {"name": "periplus preflight", **_counts(rules)})
    for way in ways:
        suite = SubElement(suites, "testsuite", {"name": way["target"], **_counts(way["rules"])})
        properties = SubElement(suite, "properties")
        for text in document["notLookedAt"]:
            SubElement(properties, "property", name="not looked at", value=_text(text))
        for rule in way["rules"]:
            case = SubElement(suite, "testcase", classname=f"periplus.preflight.{way['target']}", name=rule["name"])
            outcome = _OUTCOMES.get(rule["verdict"])
            if outcome is not None:
                told = [*rule["because"], *rule["lacks"]]
                found = SubElement(case, outcome, message=_text(rule["asks"]))
                found.text = _text("\n".join([*told, *(range_line(each) for each in rule["ranges"]), rule["source"]]))
            if rule["trusts"]:
                SubElement(case, "system-out").text = _text("\n".join(rule["trusts"]))
    indent(suites)
    written: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _counts(rules: Sequence[dict[str, Any]]) -> dict[str, str]:
    verdicts = [rule["verdict"] for rule in rules]
    numbers = {"tests": len(verdicts), "failures": verdicts.count("fail"), "skipped": verdicts.count("unknown")}
    return {name: str(number) for name, number in numbers.items()}


def range_line(found: dict[str, Any], *, most: int | None = None) -> str:
    """A range in the way, whose it is by the word of people, and who uses it, at most so many."""
    uses = [f"{use['clusterName']} ({', '.join(use['kinds'])})" for use in found["uses"][:most]]
    more = found["clusterCount"] - len(uses)
    said = [_entered(each) for each in found["entered"]]
    told = " · ".join([*said, *uses, *([f"and {more:,} more"] if more else [])])
    return told if said else f"{found['cidr']}: {told}"


def _entered(found: dict[str, Any]) -> str:
    """As in "10.0.0.0/16 vpc prod-eu of network team in production (ask before you change it)"."""
    words = {"name": "{}", "owner": "of {}", "networkDomain": "in {}", "note": "({})"}
    said = [form.format(found[key]) for key, form in words.items() if found[key]]
    return " ".join([found["cidr"], found["what"], *said])


def _text(text: str) -> str:
    """Without what XML cannot hold; lines stay lines."""
    return "\n".join(map(visible, text.split("\n")))
