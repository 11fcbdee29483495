"""Verdicts as a JUnit file, which every CI server shows. Pure."""

from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from periplus_contract.text import visible

_OUTCOMES: Final = {"fail": "failure", "unknown": "skipped"}


def junit(ways: Sequence[dict[str, Any]]) -> bytes:
    """One suite for each way of joining, one case for each of its rules; what is unknown is a skipped case."""
    rules = [rule for way in ways for rule in way["rules"]]
    suites = Element("testsuites", {"name": "periplus preflight", **_counts(rules)})
    for way in ways:
        suite = SubElement(suites, "testsuite", {"name": way["target"], **_counts(way["rules"])})
        for rule in way["rules"]:
            case = SubElement(suite, "testcase", classname=f"periplus.preflight.{way['target']}", name=rule["name"])
            outcome = _OUTCOMES.get(rule["verdict"])
            if outcome is not None:
                told = [*rule["because"], *rule["lacks"]]
                found = SubElement(case, outcome, message=_text(rule["asks"]))
                found.text = _text("\n".join([*told, *(_range(each) for each in rule["ranges"]), rule["source"]]))
    indent(suites)
    document: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return document


def _counts(rules: Sequence[dict[str, Any]]) -> dict[str, str]:
    verdicts = [rule["verdict"] for rule in rules]
    numbers = {"tests": len(verdicts), "failures": verdicts.count("fail"), "skipped": verdicts.count("unknown")}
    return {name: str(number) for name, number in numbers.items()}


def _range(found: dict[str, Any]) -> str:
    uses = ", ".join(f"{use['clusterName']} ({', '.join(use['kinds'])})" for use in found["uses"])
    more = found["clusterCount"] - len(found["uses"])
    return f"{found['cidr']}: {uses}{f' and {more:,} more' if more else ''}"


def _text(text: str) -> str:
    """Without what XML cannot hold; lines stay lines."""
    return "\n".join(map(visible, text.split("\n")))
