"""Rows are held against the rest of their batch: references against rows, windows against the header's."""

from array import array
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract import batch as contract
from periplus_contract.batch import FlowsMark, Header
from periplus_contract.rejections import Reason
from periplus_contract.tables import FLOWS, PEERS, Kind
from periplus_hub.ingest.decode import decode
from periplus_hub.ingest.kinds import ORDERS
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal
from periplus_spoke.conversion.records import Cell, SectionRows

from tests.support.golden import START_S, flows, none_of, peers, seal, unread


def decoded(given_peers: SectionRows, given_flows: SectionRows) -> DecodedBatch:
    return decode(unread(seal(Kind.FLOWS, [given_peers, given_flows], FlowsMark(), window_s=60)))


def changed(section: SectionRows, **columns: Any) -> SectionRows:
    return msgspec.structs.replace(section, columns={**section.columns, **columns})


def reasons(batch: DecodedBatch) -> dict[tuple[str, str], int]:
    return {(entry.table, entry.reason): entry.rows for entry in batch.rejected}


def ends(batch: DecodedBatch) -> list[tuple[int, int]]:
    """Both ends of each row, by the low half of their address."""
    lows = batch.tables["peers"]["address_low"].to_pylist()
    rows = batch.tables["flows"].to_pylist()
    return [(lows[row["src"]], lows[row["dst"]]) for row in rows]


def test_a_row_that_refers_to_no_row_is_set_aside() -> None:
    batch = decoded(peers(), changed(flows(), src=[0, 5, -1, 4]))
    assert reasons(batch) == {("flows", Reason.DANGLING_REFERENCE): 2}
    assert batch.tables["flows"]["src"].to_pylist() == [0, 4]


def test_without_the_section_it_refers_to_every_row_is_set_aside() -> None:
    batch = decode(unread(seal(Kind.FLOWS, [flows()], FlowsMark(), window_s=60)))
    assert reasons(batch) == {("flows", Reason.DANGLING_REFERENCE): 4}


def test_rows_keep_their_ends_when_a_peer_is_set_aside() -> None:
    whole = peers()
    namespaces = list(whole.columns["namespace"])
    namespaces[1] = "a\0b"
    batch = decoded(changed(whole, namespace=namespaces), changed(flows(), src=[0, 2, 1, 4], dst=[3, 2, 0, 4]))
    assert reasons(batch) == {("peers", Reason.BAD_TEXT): 1, ("flows", Reason.DANGLING_REFERENCE): 1}
    lows = list(whole.columns["address_low"])
    assert ends(batch) == [(lows[0], lows[3]), (lows[2], lows[2]), (lows[4], lows[4])]


@pytest.mark.parametrize(
    "host",
    [
        *("Pay.example.com", "pay.example.com.", "pay.example.com:443", ".example.com", "a..b", "*.example.com"),
        *("10.0.0.1", "::1", "", "pay example.com", "pay.example.com\n", "p\u00e4y.example.com", "-a.example.com"),
        *(f"{'a' * 64}.example.com", ".".join(["a" * 60] * 5)),
    ],
)
def test_a_peer_with_a_host_that_is_no_name_is_set_aside(host: str) -> None:
    whole = peers()
    hosts = [*whole.columns["host"]]
    batch = decoded(changed(whole, host=[*hosts[:4], host]), flows())
    assert reasons(batch) == {("peers", Reason.BAD_HOST): 1, ("flows", Reason.DANGLING_REFERENCE): 1}
    assert batch.tables["peers"]["host"].to_pylist() == hosts[:4]


@pytest.mark.parametrize("host", ["pay", "a.b", "_dns._tcp.example.com", "xn--pay-qla.example.com", "a1.2b", "x" * 253])
def test_names_as_dns_has_them_are_taken(host: str) -> None:
    whole = peers()
    assert reasons(decoded(changed(whole, host=[*[*whole.columns["host"]][:4], host]), flows())) == {}


def test_a_hub_of_an_older_minor_takes_what_is_sent_with_hosts_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    older = PEERS._replace(columns=PEERS.columns[:-1])
    sealed = unread(seal(Kind.FLOWS, [peers(), flows()], FlowsMark(), window_s=60))
    whole = decode(sealed)
    monkeypatch.setattr("periplus_hub.ingest.decode.table", lambda kind, name: older if name == "peers" else FLOWS)
    found = decode(sealed)
    assert found.rejected == ()
    assert found.tables["peers"] == whole.tables["peers"].drop_columns(["host"])
    assert found.tables["flows"] == whole.tables["flows"]


@given(st.data())
def test_whatever_is_set_aside_the_rest_keeps_its_ends(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    good = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    pairs = data.draw(st.lists(st.tuples(st.integers(-1, count), st.integers(-1, count)), min_size=1, max_size=12))
    given_peers = SectionRows(
        table=PEERS,
        columns={
            "address_high": array("q", [0] * count),
            "address_low": array("q", range(count)),
            "namespace": ["" if each else "a\0b" for each in good],
            "kind": [""] * count,
            "workload": [""] * count,
        },
        rows=count,
    )
    columns: dict[str, list[Cell]] = {name: [values[0]] * len(pairs) for name, values in flows().columns.items()}
    columns["src"], columns["dst"] = [src for src, _ in pairs], [dst for _, dst in pairs]
    batch = decoded(given_peers, SectionRows(table=FLOWS, columns=columns, rows=len(pairs)))
    stands = [pair for pair in pairs if all(0 <= each < count and good[each] for each in pair)]
    assert ends(batch) == stands
    assert batch.rejected_rows == good.count(False) + len(pairs) - len(stands)


@pytest.mark.parametrize(("start", "length"), [(-1, 60), (0, 61), (59, 2), (60, 1), (-60, 60)])
def test_a_row_of_another_window_than_its_batch_is_set_aside(start: int, length: int) -> None:
    starts, lengths = [START_S, START_S + start, START_S, START_S], [60, length, 1, 60]
    batch = decoded(peers(), changed(flows(), window_start=starts, window_s=lengths))
    assert reasons(batch) == {("flows", Reason.OUTSIDE_WINDOW): 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("bytes_tx", -1),
        ("bytes_rx", 2**53 + 1),
        ("dst_port", 65_536),
        ("protocol", 256),
        ("reporter", 0),
        ("reporter", 4),
        ("collector", 0),
        ("sampling", 0),
        ("window_s", 0),
        ("window_start", -1),
        ("rtt_count", -1),
    ],
)
def test_a_number_that_no_flow_can_have_is_set_aside(column: str, value: int) -> None:
    values = list(flows().columns[column])
    values[1] = value
    assert reasons(decoded(peers(), changed(flows(), **{column: values}))) == {("flows", Reason.OUT_OF_RANGE): 1}


def test_a_measure_that_is_not_known_stays_null() -> None:
    batch = decoded(peers(), flows())
    assert batch.rejected == ()
    rows = batch.tables["flows"].to_pylist()
    assert [row["bytes_tx"] for row in rows] == [2**40, None, 0, 7]
    assert [row["connections_opened"] for row in rows] == [2, 1, 40, 3]


def test_a_quiet_window_is_a_batch_without_rows() -> None:
    batch = decoded(none_of(PEERS), none_of(FLOWS))
    assert (batch.rejected, batch.tables["flows"].num_rows) == ((), 0)


def header(mark: FlowsMark | None) -> Header:
    found, _ = contract.unseal(seal(Kind.FLOWS, [], mark))
    return found


@pytest.mark.parametrize(
    "mark",
    [
        None,
        FlowsMark(observed=-1),
        FlowsMark(unmeasured=2**53 + 1),
        FlowsMark(lost={"overrun": -1}),
        FlowsMark(lost={f"reason-{number}": 1 for number in range(33)}),
        FlowsMark(lost={"x" * 65: 1}),
        FlowsMark(conditions=("x" * 65,)),
        FlowsMark(conditions=("a\0",)),
        FlowsMark(node="n" * 600),
    ],
)
def test_what_a_batch_says_of_its_completeness_must_be_summable(mark: FlowsMark | None) -> None:
    with pytest.raises(SpokeRequestRefusal):
        ORDERS[Kind.FLOWS].check(header(mark))


def test_any_words_of_later_minors_are_taken() -> None:
    ORDERS[Kind.FLOWS].check(header(FlowsMark(node="n", lost={"of_a_later_minor": 7}, conditions=("too",))))
