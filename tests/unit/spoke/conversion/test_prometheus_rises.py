"""Pages of metrics in columns, and by how much counters rose between two of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.prometheus.answers import MOST_SERIES, Sample
from periplus_spoke.conversion.prometheus.exposition import Reading, Series, read_page, series_of
from periplus_spoke.conversion.prometheus.rises import Answers, Rises, rises
from periplus_spoke.conversion.prometheus.rules import RULES

from tests.support.fake_exporter import page
from tests.support.real_prometheus import Line

BY_NAME = {rule.name: rule for rule in RULES}
LABELS = st.dictionaries(
    st.from_regex("[a-z_]{1,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=12),
    max_size=4,
)


def read(text: str, *metrics: str) -> Reading:
    return read_page(text.encode(), metrics or ("bytes_total",))


def values(reading: Reading) -> dict[str, float]:
    return dict(zip(reading.series, reading.values, strict=True))


def rose(found: Rises) -> dict[str, float]:
    return dict(zip(found.series, found.rose, strict=True))


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@given(LABELS, st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_labels_and_values_are_what_was_written(labels: dict[str, str], value: float) -> None:
    written = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
    reading = read(f"# a comment\nother 1\nbytes_total{{{written}}} {value!r} 1767225600000\n")
    assert list(reading.values) == [value]
    assert series_of(reading.series[0]) == Series("bytes_total", labels)


def test_what_is_written_otherwise_is_read_too() -> None:
    text = 'bytes_total 1\nbytes_total{a="}{ 7"} 2.5e3\nbytes_total{a = "x",} 3 \nbytes_total{b="1"}\t4\n'
    assert values(read(text)) == {
        "bytes_total": 1.0,
        'bytes_total{a="}{ 7"}': 2_500.0,
        'bytes_total{a = "x",}': 3.0,
        'bytes_total{b="1"}': 4.0,
    }
    assert series_of('bytes_total{a = "x",}').labels == {"a": "x"}


def test_counters_that_say_no_number_are_counted() -> None:
    reading = read('bytes_total{a="1"} NaN\nbytes_total{a="2"} +Inf\nbytes_total{a="3"} -1\nbytes_total{a="4"} x\n')
    assert (values(reading), reading.unreadable) == ({}, 4)


def test_series_beyond_a_limit_are_counted_and_not_read() -> None:
    text = "".join(f'bytes_total{{a="{number}"}} 1\n' for number in range(MOST_SERIES + 3))
    reading = read(text)
    assert (len(reading.series), reading.unread) == (MOST_SERIES, 3)


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=8))
def test_what_rose_over_all_windows_is_what_the_process_counted(steps: list[int]) -> None:
    totals = [float(sum(steps[: number + 1])) for number in range(len(steps))]
    readings = [read(page({"bytes_total": [({"a": "1"}, each)]})) for each in totals]
    told = [sum(rises(*pair).rose) for pair in pairwise(readings)]
    assert sum(told) == totals[-1] - totals[0]


def test_nothing_is_told_of_what_was_not_read_before() -> None:
    now = read(page({"bytes_total": [({}, 7.0)]}))
    assert rose(rises(None, now)) == {}
    assert rose(rises(read(page({})), now)) == {"bytes_total{}": 7.0}
    assert rose(rises(read(page({}, None)), read(page({"bytes_total": [({}, 7.0)]}, None)))) == {}
    assert rose(rises(read(page({"bytes_total": [({}, 6.0)]}, 1.0)), now)) == {"bytes_total{}": -1.0}


def answered(source: str, *lines: Line) -> list[list[Sample]]:
    """Answers to the questions of a rule about counters that began at 0."""
    rule = BY_NAME[source]
    text = "".join(line.text() for line in lines)
    started = "process_start_time_seconds 5\n"
    metrics = [counter.metric for counter in rule.counters]
    rising = rises(read_page(started.encode(), metrics), read_page((started + text).encode(), metrics))
    answers = Answers(rule, [rising])
    return [list(answers.to(counter).samples) for counter in rule.counters]


def test_series_count_where_prometheus_would_have_counted_them() -> None:
    name = "hubble_policy_verdicts_total"
    verdict = {"direction": "ingress", "match": "none", "destination_workload": "db"}
    opened, audited, denied = answered(
        "cilium-mesh",
        Line(name, verdict | {"action": "forwarded", "pod": "a"}, 3),
        Line(name, verdict | {"action": "redirected", "pod": "b"}, 2),
        Line(name, verdict | {"action": "dropped"}, 9),
        Line(name, verdict | {"action": "forwarded", "match": "l7/dns"}, 100),
        Line(name, verdict | {"action": "forwarded", "direction": "unknown"}, 100),
        Line(f"{name}_too", verdict | {"action": "forwarded"}, 100),
    )
    assert [sample.value for sample in opened] == [5]
    assert opened[0].labels["destination_workload"] == "db"
    assert audited == []
    assert [sample.value for sample in denied] == [9]


def test_a_label_that_is_missing_is_empty() -> None:
    name = "netobserv_workload_ingress_bytes_total"
    found = answered("netobserv", Line(name, {"DstK8S_OwnerName": "db"}, 3), Line(name, {"SrcK8S_OwnerName": "web"}, 9))
    assert [[sample.value for sample in samples] for samples in found] == [[], [], [3], []]


def test_a_label_that_is_too_long_names_nobody() -> None:
    rule = BY_NAME["retina"]
    line = Line("networkobservability_adv_forward_bytes", {"direction": "egress", "cluster": "c" * 1_000}, 9)
    started = "process_start_time_seconds 5\n"
    metrics = [counter.metric for counter in rule.counters]
    rising = rises(read_page(started.encode(), metrics), read_page((started + line.text()).encode(), metrics))
    answer = Answers(rule, [rising]).to(rule.counters[0])
    assert (answer.samples, answer.unreadable) == ((), 1)
