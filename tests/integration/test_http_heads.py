"""What RFC 9112 forbids in a head is refused at each listener, in one way: a problem, and the end of the connection."""

from collections.abc import AsyncIterator

import pytest

from tests.support.doors import doors, parsed
from tests.support.hub_process import talk

GET = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
CHUNKS = b"\r\n1\r\na\r\n0\r\n\r\n"
TE = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture
async def urls() -> AsyncIterator[dict[str, str]]:
    async with doors() as found:
        yield {name: listener.url for name, listener in found.items()}


REFUSED = {
    "no host": (b"GET /echo HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /echo HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "two hosts in 1.0": (b"GET /echo HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n", 400),
    "empty host": (b"GET /echo HTTP/1.1\r\nHost: \r\n\r\n", 400),
    "host with a path": (b"GET /echo HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "host with a user": (b"GET /echo HTTP/1.1\r\nHost: u@x\r\n\r\n", 400),
    "host with a blank": (b"GET /echo HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
    "host with a list": (b"GET /echo HTTP/1.1\r\nHost: x, y\r\n\r\n", 400),
    "host with high bytes": (b"GET /echo HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400),
    "host with a quote": (b'GET /echo HTTP/1.1\r\nHost: x"\r\n\r\n', 400),
    "host with half an escape": (b"GET /echo HTTP/1.1\r\nHost: x%2\r\n\r\n", 400),
    "host with a bad port": (b"GET /echo HTTP/1.1\r\nHost: x:y\r\n\r\n", 400),
    "host with a port too large": (b"GET /echo HTTP/1.1\r\nHost: x:65536\r\n\r\n", 400),
    "host with two ports": (b"GET /echo HTTP/1.1\r\nHost: x:1:2\r\n\r\n", 400),
    "host with no v6": (b"GET /echo HTTP/1.1\r\nHost: [1:2]\r\n\r\n", 400),
    "host v6 without brackets": (b"GET /echo HTTP/1.1\r\nHost: ::1\r\n\r\n", 400),
    "another host in the target that is none": (b"GET http://x y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target without a host": (b"GET http:///echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a user": (b"GET http://u@x/echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target of another scheme": (b"GET ftp://x/echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a fragment": (b"GET /echo#a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target that is a star": (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target that is no path": (b"GET echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with high bytes": (b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "0.9 by name": (b"GET /echo HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    "0.9 as it was": (b"GET /echo\r\n\r\n", 505),
    "1.2": (b"GET /echo HTTP/1.2\r\nHost: x\r\n\r\n", 505),
    "2.0": (b"GET /echo HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "3.0": (b"GET /echo HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no method": (b"BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "method in small letters": (b"get /echo HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "connect": (b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 501),
    "connect to a path": (b"CONNECT /echo HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "trace": (b"TRACE /echo HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "a method of WebDAV": (b"PROPFIND /echo HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "coding in 1.0": (b"POST /echo HTTP/1.0\r\nHost: x\r\n" + TE + CHUNKS, 400),
    "length and coding": (POST + b"Content-Length: 1\r\n" + TE + CHUNKS, 400),
    "coding and length": (POST + TE + b"Content-Length: 1\r\n" + CHUNKS, 400),
    "gzip": (POST + b"Transfer-Encoding: gzip\r\n" + CHUNKS, 400),
    "identity": (POST + b"Transfer-Encoding: identity\r\n" + CHUNKS, 400),
    "no coding": (POST + b"Transfer-Encoding:\r\n" + CHUNKS, 400),
    "gzip, then chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS, 501),
    "gzip, then chunked, in two lines": (POST + b"Transfer-Encoding: gzip\r\n" + TE + CHUNKS, 501),
    "chunked, then gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n" + CHUNKS, 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n" + CHUNKS, 400),
    "chunked in two lines": (POST + TE + TE + CHUNKS, 400),
    "chunked in a list of two": (POST + b"Transfer-Encoding: ,chunked\r\n" + CHUNKS, 400),
    "chunked with a parameter": (POST + b"Transfer-Encoding: chunked;a=b\r\n" + CHUNKS, 400),
    "not quite chunked": (POST + b"Transfer-Encoding: xchunked\r\n" + CHUNKS, 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", 400),
    "length with a sign": (POST + b"Content-Length: +1\r\n\r\na", 400),
    "no length": (POST + b"Content-Length:\r\n\r\n", 400),
    "length without end": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "a folded line": (b"GET /echo HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "a blank before the colon": (b"GET /echo HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a blank line that is not quite": (b"GET /echo HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "lines without CR": (b"GET /echo HTTP/1.1\nHost: x\n\n", 400),
    "a NUL": (b"GET /echo HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400),
    "a chunk with a bare LF": (POST + TE + b"\r\n1\na\r\n0\r\n\r\n", 400),
    "a chunk with a sign": (POST + TE + b"\r\n0x1\r\na\r\n0\r\n\r\n", 400),
    "a body beside websocket": (
        POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nGET /",
        400,
    ),
    "chunks beside websocket": (POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + TE + CHUNKS, 400),
    "a body beside h2c": (POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nGET /", 400),
}


@pytest.mark.parametrize("listener", ["spokes", "api", "metrics"])
@pytest.mark.promise("requests-are-read-one-way")
async def test_what_two_readers_could_read_differently_is_refused(urls: dict[str, str], listener: str) -> None:
    wrong = {}
    for name, (sent, expected) in REFUSED.items():
        status, headers, problem = parsed(await talk(urls[listener], sent + GET))
        names = {"content-type", "x-content-type-options", "x-request-id", "cache-control"}
        whole = headers["connection"] == "close" and names <= headers.keys() and problem["remedy"]
        if not whole or (status, problem["status"], problem["type"]) != (expected, expected, "about:blank"):
            wrong[name] = (status, headers, problem)
    assert wrong == {}


TAKEN = {
    "a name": b"GET /echo HTTP/1.1\r\nHost: hub.example.org\r\n",
    "a name with a port": b"GET /echo HTTP/1.1\r\nHost: hub:7980\r\n",
    "a port left out": b"GET /echo HTTP/1.1\r\nHost: hub:\r\n",
    "v4": b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:1\r\n",
    "v6": b"GET /echo HTTP/1.1\r\nHost: [::1]:7980\r\n",
    "no host in 1.0": b"GET /echo HTTP/1.0\r\n",
    "empty lines before": b"\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n",
    "a whole URL": b"GET http://y:1/echo HTTP/1.1\r\nHost: x\r\n",
    "another protocol, offered": b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
    "websocket in 1.0": b"GET /echo HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    "no body, said": POST + b"Content-Length: 0\r\n",
}


async def test_what_is_in_order_is_answered(urls: dict[str, str]) -> None:
    answers = {
        name: parsed(await talk(urls["api"], head + b"Connection: close\r\n\r\n"))[0] for name, head in TAKEN.items()
    }
    assert answers == dict.fromkeys(TAKEN, 200)
    chunked = POST + b"Connection: close\r\nTransfer-Encoding: Chunked \r\n" + CHUNKS
    assert parsed(await talk(urls["api"], chunked))[2]["bytes"] == 1


async def test_the_host_of_a_whole_url_stands_above_the_header(urls: dict[str, str]) -> None:
    sent = b"GET http://y:1/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert parsed(await talk(urls["api"], sent))[2]["host"] == "y:1"


async def test_what_follows_a_protocol_that_was_only_offered_is_the_next_request(urls: dict[str, str]) -> None:
    offer = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert (await talk(urls["api"], offer + GET)).count(b" 200 OK") == 2


async def test_a_refused_request_is_not_answered_in_the_place_of_the_one_before(urls: dict[str, str]) -> None:
    first = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await talk(urls["api"], first + b"GET /echo HTTP/1.1\r\n\r\n" + GET)
    status, headers, _ = parsed(answer)
    assert (status, headers["connection"]) == (200, "close")


async def test_a_refused_head_request_has_no_body(urls: dict[str, str]) -> None:
    answer = await talk(urls["api"], b"HEAD /echo HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")
