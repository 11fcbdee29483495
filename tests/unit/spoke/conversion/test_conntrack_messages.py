"""What the kernel tells of connections becomes columns, whatever shape its messages have."""

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.conntrack.layouts import FIELDS
from periplus_spoke.conversion.conntrack.messages import Decoder, Ending, Entries, dump_request

from tests.support.conntrack_bytes import Connection

_U64 = st.integers(0, 2**64 - 1)
_PORT = st.integers(0, 2**16 - 1)


@st.composite
def connections(draw: st.DrawFn) -> Connection:
    version = draw(st.sampled_from([4, 6]))
    src, dst, end = (str(draw(st.ip_addresses(v=version))) for _ in range(3))
    return Connection(
        src=src,
        dst=dst,
        end=end,
        src_port=draw(_PORT),
        dst_port=draw(_PORT),
        end_port=draw(_PORT),
        protocol=draw(st.sampled_from([6, 17, 132])),
        tcp_state=draw(st.none() | st.integers(0, 9)),
        id=draw(st.integers(0, 2**32 - 1)),
        zone=draw(_PORT),
        status=draw(st.integers(0, 2**32 - 1)),
        counters=draw(st.none() | st.tuples(_U64, _U64, _U64, _U64)),
        started_ns=draw(st.none() | _U64),
        mark=draw(st.none() | st.integers(0, 2**32 - 1)),
    )


def halves(text: str) -> tuple[int, int]:
    address = ip_address(text)
    return (0, int(address)) if address.version == 4 else divmod(int(address), 2**64)


def expected(one: Connection, *, is_destroyed: bool) -> dict[str, int]:
    src, dst, end = map(halves, (one.src, one.dst, one.end))
    packets_tx, bytes_tx, packets_rx, bytes_rx = one.counters or (0, 0, 0, 0)
    return {
        "is_destroyed": is_destroyed,
        "family": 2 if ip_address(one.src).version == 4 else 10,
        "id": one.id,
        "zone": one.zone,
        "status": one.status,
        "protocol": one.protocol,
        "tcp_state": one.tcp_state or 0,
        "is_counted": one.counters is not None,
        "src_high": src[0],
        "src_low": src[1],
        "src_port": one.src_port,
        "dst_high": dst[0],
        "dst_low": dst[1],
        "dst_port": one.dst_port,
        "end_high": end[0],
        "end_low": end[1],
        "end_port": one.end_port,
        "packets_tx": packets_tx,
        "bytes_tx": bytes_tx,
        "packets_rx": packets_rx,
        "bytes_rx": bytes_rx,
        "started_ns": one.started_ns or 0,
    }


@given(st.lists(st.tuples(connections(), st.booleans()), max_size=8))
def test_every_entry_of_a_buffer_is_read_whatever_came_before_it(told: list[tuple[Connection, bool]]) -> None:
    decoder = Decoder()
    for _ in range(2):  # the second time by the layouts that were learned the first time
        entries = Entries()
        buffer = b"".join(one.message(is_destroyed=destroyed) for one, destroyed in told)
        assert decoder.decode(memoryview(buffer), entries) == Ending()
        found = [dict(zip(FIELDS, row, strict=True)) for row in entries.rows(*FIELDS)]
        assert found == [expected(one, is_destroyed=destroyed) for one, destroyed in told]


@given(connections(), st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=4))
def test_damaged_bytes_are_counted_and_never_raise(one: Connection, damages: list[tuple[int, bytes]]) -> None:
    decoder, whole = Decoder(), bytearray(one.message() * 2)
    decoder.decode(memoryview(one.message()), Entries())
    for place, value in damages:
        start = place % len(whole)
        whole[start : start + len(value)] = value[: len(whole) - start]
    entries = Entries()
    ending = decoder.decode(memoryview(bytes(whole)), entries)
    # A damaged length may cut one message into several, none of them shorter than its header of 16 bytes.
    assert ending.unreadable + len(entries) <= len(whole) // 16 + 1
    assert len(entries) <= 2


def test_the_end_and_the_error_of_a_dump_are_told() -> None:
    done = struct.pack("=IHHIIi", 20, 3, 0x12, 1, 0, 0)
    assert Decoder().decode(memoryview(done), Entries()) == Ending(is_done=True, is_interrupted=True)
    refused = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -1) + dump_request(1)[:16]
    assert Decoder().decode(memoryview(refused), Entries()) == Ending(error=1)


def test_what_is_no_connection_is_counted() -> None:
    nothing = struct.pack("=IHHII", 20, 0x100, 0, 0, 0) + bytes(4)
    entries = Entries()
    assert Decoder().decode(memoryview(nothing + b"\1\2"), entries).unreadable == 2
    assert len(entries) == 0
