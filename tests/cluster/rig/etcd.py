"""What an etcd holds, key by key, through the JSON gateway that it serves beside gRPC."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_TIMEOUT_S = 30.0
# etcd's way to say: from the first key to the last.
_FIRST, _LAST = b"\0", b"\0"


class KeyValue(NamedTuple):
    """One entry; the value of an object of Kubernetes is protobuf or JSON."""

    key: bytes
    value: bytes


class EtcdClient:
    """Reads and writes one etcd. Keeps no connection open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port

    def backup(self) -> list[KeyValue]:
        """All there is at one moment."""
        answer = self._ask("range", {"key": _text(_FIRST), "range_end": _text(_LAST)})
        return [KeyValue(_bytes(each["key"]), _bytes(each.get("value", ""))) for each in answer.get("kvs", ())]

    def restore(self, entries: Iterable[KeyValue]) -> None:
        """Puts a backup's entries beside what is there."""
        for entry in entries:
            self._ask("put", {"key": _text(entry.key), "value": _text(entry.value)})

    def _ask(self, question: str, body: dict[str, str]) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", f"/v3/kv/{question}", json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            message = f"etcd {question}: {answer.status} {text.decode(errors='replace')}"
            raise RuntimeError(message)
        return json.loads(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
