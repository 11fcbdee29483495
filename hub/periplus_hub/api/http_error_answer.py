"""The answer to what never becomes a request: a problem, written by the protocol itself."""

from collections.abc import Mapping
from typing import Final

from periplus_hub.api.http_head import Trouble
from periplus_hub.api.http_middleware import HEADERS
from periplus_hub.api.problems import plain_problem
from periplus_hub.kit.ids import new_id

_CLOSE: Final = {"Connection": "close"}


def error_answer(trouble: Trouble, *, to_head: bool = False) -> bytes:
    """A whole answer after which the connection ends; one to HEAD has no body."""
    response = plain_problem(trouble.status, trouble.detail, trouble.remedy)
    ours: Mapping[str, str] = HEADERS | _CLOSE | {"X-Request-ID": str(new_id())}
    lines = [f"HTTP/1.1 {trouble.status.value} {trouble.status.phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    lines += [f"{name.lower()}: {value}".encode() for name, value in ours.items()]
    return b"\r\n".join([*lines, b"", b"" if to_head else bytes(response.body)])
