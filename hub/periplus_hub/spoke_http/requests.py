"""What spokes send, read within limits: frameworks read any body whole."""

import asyncio
from typing import Final, TypeVar

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from periplus_contract import limits, problems
from periplus_contract.decode_errors import where_decoding_stopped
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

Message = TypeVar("Message", bound=msgspec.Struct)

READ_TIMEOUT_S: Final = 15.0
"""For the whole body: slow senders must not hold memory."""


async def read_message(request: Request, kind: type[Message]) -> Message:
    """A JSON message of the contract; raises SpokeRequestRefusal: malformed-message, too-large."""
    body = await read_bounded(request, limits.MAX_MESSAGE_BYTES)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SpokeRequestRefusal(
            problems.MALFORMED_MESSAGE,
            f"the {kind.__name__} is not as the contract says{where_decoding_stopped(error)}",
        ) from error


async def read_bounded(request: Request, most: int) -> bytes:
    """The body; raises SpokeRequestRefusal (too-large) as soon as more than `most` bytes are declared or seen."""
    # Before a byte is read; but a chunked body declares nothing, so `_read` counts as well.
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(int(declared), most)
    # A few bytes that unpack to gigabytes would pass every limit on what is read.
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise SpokeRequestRefusal(problems.MALFORMED_MESSAGE, f"content encoding {encoding[:32]!r} is not taken")
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await _read(request, most)
    except TimeoutError as error:
        detail = f"the body did not arrive within {READ_TIMEOUT_S:.0f} s"
        raise SpokeRequestRefusal(problems.SLOW_DOWN, detail, retry_after_s=1) from error
    except ClientDisconnect as error:
        raise SpokeRequestRefusal(
            problems.MALFORMED_MESSAGE, "the sender went away before the body was whole"
        ) from error


async def _read(request: Request, most: int) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(size, most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(size: int, most: int) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.TOO_LARGE, f"a body of {size} bytes exceeds {most}")
