"""Pre-flight for people: every way with its verdict, then what is in the way and what to do."""

from collections.abc import Iterator
from typing import Any, Final

from periplus_hub.api.cli.junit import range_line
from periplus_hub.api.cli.report import counted, minute
from periplus_hub.api.cli.rich_text import Console, Text
from periplus_hub.api.cli.tables import print_labelled, print_table, print_text
from periplus_hub.kit.some_names import some

_STYLE: Final = {"fail": "bold red", "unknown": "bold magenta", "pass": "green"}
_MARK: Final = {"fail": "✗", "unknown": "?", "pass": "✓"}
_SHOWN: Final = 8
_USES: Final = 6
_LABEL: Final = len("      not known  ")


def print_preflight(found: dict[str, Any], console: Console) -> None:
    """A table of all ways, then each that does not pass."""
    ways, told = found["ways"], set[str]()
    console.print()
    if len(ways) > 1:
        print_table(("way of joining", "verdict", "because of"), list(map(_row, ways)), console)
        console.print()
    for way in ways:
        if len(ways) == 1 or way["verdict"] != "pass":
            _print_way(way, told, console)
            console.print()
    for line in _summary(found):
        print_text(line, console)


def _row(way: dict[str, Any]) -> tuple[Text, Text, Text]:
    worst = [rule["name"] for rule in way["rules"] if rule["verdict"] == way["verdict"] != "pass"]
    return Text(way["name"], style="bold"), _verdict(way["verdict"]), Text(", ".join(worst) or "–")


def _verdict(verdict: str) -> Text:
    return Text(verdict, style=_STYLE[verdict])


def _print_way(way: dict[str, Any], told: set[str], console: Console) -> None:
    """What is not known is mostly the same for every rule: what was told is not told again."""
    print_text(Text.assemble((way["name"], "bold"), ": ", _verdict(way["verdict"])), console)
    for rule in way["rules"]:
        mark = Text(f"  {_MARK[rule['verdict']]} ", style=_STYLE[rule["verdict"]])
        print_labelled(mark, Text.assemble(rule["asks"], (f" [{rule['name']}]", "dim")), console)
        _print_items((("trusting", "dim", text) for text in rule["trusts"]), console)
        if rule["verdict"] != "pass":
            _print_items(_details(rule, told), console)
            told.update(rule["lacks"])
    _print_items((("do", "green", text) for text in way["waysOut"]), console)


def _details(rule: dict[str, Any], told: set[str]) -> Iterator[tuple[str, str, str]]:
    fails = rule["verdict"] == "fail"
    for each in rule["ranges"][:_SHOWN]:
        yield "in the way" if fails else "perhaps", _STYLE[rule["verdict"]], range_line(each, most=_USES)
    more = rule["rangeCount"] - len(rule["ranges"][:_SHOWN])
    if more:
        yield "", "dim", f"and {counted(more, 'more range')}"
    for text in rule["because"]:
        yield "breaks", "red", text
    for text in rule["lacks"]:
        if text not in told:
            yield "not known", "magenta", text
    if told.intersection(rule["lacks"]):
        yield "not known", "magenta", "as above"
    yield "source", "dim", rule["source"]


def _print_items(items: Iterator[tuple[str, str, str]], console: Console) -> None:
    """Label, its style, and text; a label that repeats is said once."""
    before = None
    for label, style, text in items:
        shown = "" if label == before else f"      {label}"
        print_labelled(Text(f"{shown:<{_LABEL}}", style=style), Text(text), console)
        before = label


def _summary(found: dict[str, Any]) -> Iterator[Text]:
    clusters, unknown = found["clusters"], found["notKnownWhole"]
    counts = [f"{number} {verdict}" for verdict in _STYLE if (number := _count(found, verdict))]
    names = some(clusters["names"], _SHOWN) if clusters["count"] <= _SHOWN else ""
    yield Text(f"{counted(clusters['count'], 'cluster')}{f' ({names})' if names else ''}: {', '.join(counts)}", "bold")
    if unknown["count"]:
        more = unknown["count"] - len(unknown["names"])
        names = some(unknown["names"], _SHOWN) if not more else f"{some(unknown['names'][:_SHOWN], _SHOWN)} and others"
        yield Text.assemble(("not known whole: ", "bold magenta"), f"{counted(unknown['count'], 'cluster')}: {names}")
    for text in found.get("notJudged", ()):
        yield Text.assemble(("not judged: ", "bold magenta"), text)
    for text in found["notLookedAt"]:
        yield Text(f"not looked at: {text}", style="dim")
    yield Text(f"as of {minute(found['asOf'])}", style="dim")


def _count(found: dict[str, Any], verdict: str) -> int:
    return sum(way["verdict"] == verdict for way in found["ways"])
