"""The client over real connections: plain, encrypted, with a name of its own, and to servers that misbehave."""

import asyncio
from pathlib import Path

import pytest

from periplus_spoke.grpc.address import Address, Tls
from periplus_spoke.grpc.channel import CallFailed, Channel

from tests.support.certificates import Authority, self_signed
from tests.support.fake_relay import GET_FLOWS, GET_NODES, FakeRelay, fake_relay, frame

NAME = "ui.hubble-relay.cilium.io"


async def flows(channel: Channel, most: int = 1_000_000) -> list[bytes]:
    found: list[bytes] = []
    call = channel.call(GET_FLOWS, b"request")
    async for message in call.messages():
        found.append(message)
        if len(found) == most:
            break
    call.cancel()
    return found


async def opened(relay: FakeRelay, tls: Tls | None = None) -> Channel:
    return await Channel.open(Address("127.0.0.1", relay.port, tls))


async def followed(relay: FakeRelay) -> list[bytes]:
    channel = await opened(relay)
    try:
        return await flows(channel)
    finally:
        await channel.close()


async def test_one_answer_and_many() -> None:
    relay = FakeRelay(nodes=b"status", flows=[frame(b"one"), frame(b""), frame(b"three")], grpc_status=("0", ""))
    async with fake_relay(relay):
        channel = await opened(relay)
        assert await channel.unary(GET_NODES, b"") == b"status"
        assert await flows(channel) == [b"one", b"", b"three"]
        await channel.close()
    assert relay.requests == [b"request"]
    assert relay.headers[0] == {
        ":method": "POST",
        ":scheme": "http",
        ":path": GET_NODES,
        ":authority": f"127.0.0.1:{relay.port}",
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "periplus-spoke",
    }


async def test_two_calls_at_a_time() -> None:
    async with fake_relay(FakeRelay(flows=[frame(b"one")])) as relay:
        channel = await opened(relay)
        following = asyncio.create_task(flows(channel, most=2))
        await relay.asked.wait()
        assert await channel.unary(GET_NODES, b"") == relay.nodes
        await relay.say(b"two")
        assert await following == [b"one", b"two"]
        await channel.close()


async def test_more_than_any_window_arrives_whole_and_in_order() -> None:
    sent = [bytes([number % 256]) * (number * 37 % 60_000) for number in range(120)]
    async with fake_relay(FakeRelay(flows=[b"".join(map(frame, sent))])) as relay:
        channel = await opened(relay)
        assert await flows(channel, most=len(sent)) == sent
        await channel.close()


async def test_a_reader_that_does_not_read_makes_the_server_wait() -> None:
    message = b"x" * 10_000
    async with fake_relay(FakeRelay(flows=[frame(message) * 1_000])) as relay:
        channel = await opened(relay)
        call = channel.call(GET_FLOWS, b"")
        await relay.asked.wait()
        # Only what was asked after the stream stood still is answered while nobody reads it.
        assert await channel.unary(GET_NODES, b"") == relay.nodes
        assert sum(map(len, call._waiting)) <= 262_144
        assert relay.connections[0].waiting[1]
        count = 0
        async for each in call.messages():
            assert each == message
            count += 1
            if count == 1_000:
                break
        await channel.close()


async def test_a_message_larger_than_any_is_passed_over() -> None:
    async with fake_relay(FakeRelay(flows=[frame(b"x" * 2_000_000), frame(b"next")])) as relay:
        channel = await opened(relay)
        call = channel.call(GET_FLOWS, b"")
        assert await anext(call.messages()) == b"next"
        assert (call.take_passed_over(), call.take_passed_over()) == (1, 0)
        await channel.close()


@pytest.mark.parametrize(
    ("relay", "said"),
    [
        (FakeRelay(grpc_status=("14", "no peers%20yet")), "unavailable: no peers yet"),
        (FakeRelay(grpc_status=("12", "unknown service")), "unimplemented"),
        (FakeRelay(grpc_status=("99", "")), "error 99"),
        (FakeRelay(http_status="503", grpc_status=("0", "")), "HTTP status 503"),
        (FakeRelay(flows=[frame(b"x", compressed=1)]), "compresses"),
        (FakeRelay(raw=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "does not speak HTTP/2"),
        (FakeRelay(raw=b"\0"), "closed the connection"),
        # An empty SETTINGS, and then the header of 16 MiB that never come.
        (FakeRelay(raw=bytes(3) + b"\4" + bytes(5) + b"\xff\xff\xff" + bytes(6), ends=False), "does not speak HTTP/2"),
    ],
)
async def test_what_a_server_says_instead_is_told(relay: FakeRelay, said: str) -> None:
    async with fake_relay(relay):
        with pytest.raises(CallFailed, match=said):
            await followed(relay)


async def test_an_answer_without_end_to_a_question_that_has_one_is_left() -> None:
    async with fake_relay(FakeRelay(flows=[frame(b"x"), frame(b"y")])) as relay:
        channel = await opened(relay)
        with pytest.raises(CallFailed, match="more than one"):
            await channel.unary(GET_FLOWS, b"")
        await channel.close()


async def test_a_question_that_is_answered_by_nothing_has_failed() -> None:
    async with fake_relay(FakeRelay(grpc_status=("0", ""))) as relay:
        channel = await opened(relay)
        with pytest.raises(CallFailed, match="without a message"):
            await channel.unary(GET_FLOWS, b"")
        await channel.close()


async def test_a_fault_while_it_reads_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_relay(FakeRelay()) as relay:
        channel = await opened(relay)
        following = asyncio.create_task(flows(channel))
        await relay.asked.wait()

        def fault(self: object, data: bytes) -> None:
            del self, data
            raise ZeroDivisionError

        monkeypatch.setattr("h2.connection.H2Connection.receive_data", fault)
        relay.connections[0].writer.write(b"x")
        with pytest.raises(CallFailed, match="cannot be read"):
            await following
        await channel.close()


async def test_a_connection_that_falls_ends_its_calls_and_takes_no_more() -> None:
    async with fake_relay(FakeRelay()) as relay:
        channel = await opened(relay)
        following = asyncio.create_task(flows(channel))
        await relay.asked.wait()
        relay.abort()
        with pytest.raises(CallFailed):
            await following
        with pytest.raises(CallFailed):
            channel.call(GET_FLOWS, b"")
        await channel.close()


async def test_who_stops_listening_says_so() -> None:
    async with fake_relay(FakeRelay(flows=[frame(b"one"), frame(b"two")])) as relay:
        channel = await opened(relay)
        assert await flows(channel, most=1) == [b"one"]
        assert await channel.unary(GET_NODES, b"") == relay.nodes
        assert relay.connections[0].reset == [1]
        await channel.close()


async def test_the_servers_certificate_may_have_another_name_than_its_host(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "*.hubble-relay.cilium.io")
    async with fake_relay(FakeRelay(), certificate) as relay:
        channel = await opened(relay, Tls(ca=certificate[0], server_name=NAME))
        assert await channel.unary(GET_NODES, b"") == relay.nodes
        await channel.close()
        assert (relay.headers[0][":scheme"], relay.headers[0][":authority"]) == ("https", f"{NAME}:{relay.port}")
        with pytest.raises(OSError, match="certificate"):
            await opened(relay, Tls(ca=certificate[0]))
        with pytest.raises(OSError, match="certificate"):
            await opened(relay, Tls(server_name=NAME))


async def test_a_certificate_of_ones_own_where_it_is_asked_for(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path / "ca.crt")
    for name in ("server", "client"):
        authority.issue(tmp_path / name, name)
    ca, server = tmp_path / "ca.crt", (tmp_path / "server.crt", tmp_path / "server.key")
    async with fake_relay(FakeRelay(), server, clients=ca) as relay:
        channel = await opened(relay, Tls(ca, "", tmp_path / "client.crt", tmp_path / "client.key"))
        assert await channel.unary(GET_NODES, b"") == relay.nodes
        await channel.close()
        with pytest.raises((OSError, CallFailed)):
            await _asked(relay, Tls(ca))


async def _asked(relay: FakeRelay, tls: Tls) -> bytes:
    channel = await opened(relay, tls)
    try:
        return await channel.unary(GET_NODES, b"")
    finally:
        await channel.close()


async def test_a_server_answers_for_itself_whatever_it_says() -> None:
    for relay in (FakeRelay(answers_nodes=False), FakeRelay(http_status="404")):
        async with fake_relay(relay):
            channel = await opened(relay)
            await channel.answers()
            relay.answers = False
            asking = asyncio.create_task(channel.answers())
            await asyncio.sleep(0)
            relay.abort()
            with pytest.raises(CallFailed):
                await asking
            await channel.close()


async def test_the_one_answer_of_a_call_may_be_large() -> None:
    async with fake_relay(FakeRelay(nodes=b"n" * 2_000_000)) as relay:
        channel = await opened(relay)
        assert await channel.unary(GET_NODES, b"") == relay.nodes
        await channel.close()


async def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    for missing in (Tls(ca=tmp_path / "gone"), Tls(certificate=tmp_path / "gone", key=tmp_path / "key")):
        with pytest.raises(OSError, match=r"/gone.*: No such file"):
            await Channel.open(Address("127.0.0.1", 1, missing))
    (tmp_path / "empty").write_text("")
    with pytest.raises(OSError, match="/empty: "):
        await Channel.open(Address("127.0.0.1", 1, Tls(ca=tmp_path / "empty")))


async def test_plain_text_to_a_server_that_encrypts_and_the_other_way_round(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "127.0.0.1")
    async with fake_relay(FakeRelay(), certificate) as relay:
        with pytest.raises((CallFailed, OSError)):
            await _plain(relay)
    async with fake_relay(FakeRelay()) as relay:
        with pytest.raises(OSError, match="SSL"):
            await opened(relay, Tls(ca=certificate[0]))


async def _plain(relay: FakeRelay) -> bytes:
    channel = await opened(relay)
    try:
        return await channel.unary(GET_NODES, b"")
    finally:
        await channel.close()
