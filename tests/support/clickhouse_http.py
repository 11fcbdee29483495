"""A server of the flow store for tests: the real engine, behind the HTTP protocol that a ClickHouse server speaks.

`server(folder)` is a process of its own with the engine in it, so that a hub in this process reaches it as it reaches a
server. What it does not have of a server: users, quotas, TLS, progress headers, cancelled queries, replicas.
"""

import contextlib
import gzip
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any, Final

_TRANSPORT: Final = frozenset(
    {"query", "database", "query_id", "session_id", "session_timeout", "session_check", "compress", "decompress"}
    | {"enable_http_compression", "wait_end_of_query", "default_format", "client_protocol_version", "role"}
    | {"buffer_size", "send_progress_in_http_headers", "http_headers_progress_interval_ms"}
    | {"cancel_http_readonly_queries_on_client_close"}
)
"""Of a request's words, those that say how it is carried; all others are settings."""
_INSERT: Final = re.compile(
    r"\s*INSERT\s+INTO\s+(?P<into>.*?)\s+FORMAT\s+(?P<format>\w+)\s*", re.IGNORECASE | re.DOTALL
)
_FORMAT: Final = re.compile(r"FORMAT\s+(\w+)\s*$", re.IGNORECASE)
_CONFIG: Final = """<clickhouse>
  <storage_configuration><disks><backups><type>local</type><path>{}/</path></backups></disks></storage_configuration>
  <backups><allowed_disk>backups</allowed_disk></backups>
</clickhouse>
"""
"""It has a disk for backups, beside its folder."""
_CODE: Final = re.compile(r"Code: (\d+)")


@dataclass(frozen=True)
class Server:
    """One that runs."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()


@contextmanager
def server(folder: Path, listener: socket.socket | None = None, *, readonly: bool = False) -> Iterator[Server]:
    """One with its data in `folder`, at a port of this machine that nobody else has, or where the listener is."""
    door = listener or port()
    command = [sys.executable, "-m", __name__, str(folder), str(door.fileno()), str(int(readonly))]
    process = subprocess.Popen(command, pass_fds=(door.fileno(),))
    url = url_of(door)
    if listener is None:
        door.close()
    try:
        yield Server(url, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def port() -> socket.socket:
    """A port of this machine that is kept while one server follows another. While none is there, nobody answers."""
    return socket.create_server(("127.0.0.1", 0))


def url_of(listener: socket.socket) -> str:
    """Where a server at this port is."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def hanging_up(listener: socket.socket) -> Iterator[None]:
    """Somebody at this port who ends each connection at once."""
    done = threading.Event()
    listener.setblocking(True)  # the server before, which shares it, had it otherwise

    def hang_up() -> None:
        while not done.is_set():
            listener.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        yield
    finally:
        done.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listener.getsockname()).close()
        thread.join()


class Front:
    """An ASGI application: each request has a connection of its own to the engine."""

    def __init__(self, folder: str, *, readonly: bool) -> None:
        """`folder` is the engine's; it lives as long as the first connection."""
        chdb: Any = importlib.import_module("chdb")  # here: the process that asks a server has no engine
        file = Path(f"{folder}.xml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_CONFIG.format(f"{folder}-backups"))
        self._connect: Callable[[], Any] = lambda: chdb.connect(f"{folder}?config-file={file}")
        self._first = self._connect()
        self._readonly = readonly

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        import anyio.to_thread  # noqa: PLC0415 - as above

        if scope["type"] != "http":
            return
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        status, headers, answer = await anyio.to_thread.run_sync(self._answer, scope, body)
        told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, scope: dict[str, Any], body: bytes) -> tuple[int, dict[str, str], bytes]:
        from urllib.parse import parse_qsl  # noqa: PLC0415 - as above

        if scope["path"] == "/ping":
            return 200, {}, b"Ok.\n"
        asked = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        told = {name: value.decode() for name, value in scope["headers"]}
        body = _plain(body, told.get(b"content-encoding", ""))
        if told.get(b"content-type", "").startswith("multipart/form-data"):
            asked, body = asked | _fields(told[b"content-type"], body), b""
        statement, data = asked.get("query", ""), body
        if not statement:
            statement, data = _split(data)
        headers = {"X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Query-Id": asked.get("query_id", "")}
        if found := _FORMAT.search(statement):
            headers["X-ClickHouse-Format"] = found[1]
        elif asked.get("default_format"):
            headers["X-ClickHouse-Format"] = asked["default_format"]
        headers["X-ClickHouse-Summary"] = "{}"
        try:
            return 200, headers, self._run(statement, data, asked)
        except Exception as error:  # noqa: BLE001 - whatever the engine says is the answer
            text = str(error)
            code = _CODE.search(text)
            return 500, {"X-ClickHouse-Exception-Code": code[1] if code else "0"}, text.encode()

    def _run(self, statement: str, data: bytes, asked: dict[str, str]) -> bytes:
        parameters = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
        connection = self._connect()
        try:
            if database := asked.get("database"):
                connection.query(f"USE `{database}`")
            if self._readonly:
                connection.query("SET readonly = 2")
            connection.query("SET join_use_nulls = 1")  # as a profile of a server's may have it
            for name, value in asked.items():
                if name not in _TRANSPORT and not name.startswith("param_"):
                    connection.query("SET " + name + " = '" + value.replace("\\", "\\\\").replace("'", "\\'") + "'")
            if data and (insert := _INSERT.fullmatch(statement)):
                with tempfile.NamedTemporaryFile(dir=_memory()) as file:
                    file.write(data)
                    file.flush()
                    into = f"INSERT INTO {insert['into']} FROM INFILE '{file.name}' FORMAT {insert['format']}"
                    return bytes(connection.query(into, params=parameters).bytes())
            kind = asked.get("default_format") or "TabSeparated"
            return bytes(connection.query(statement, kind, params=parameters).bytes())
        finally:
            connection.close()


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _plain(body: bytes, encoding: str) -> bytes:
    import lz4.frame  # noqa: PLC0415 - as above
    import zstandard  # noqa: PLC0415 - as above

    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if encoding == "lz4":
        return bytes(lz4.frame.decompress(body))
    return gzip.decompress(body) if encoding == "gzip" else body


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Of a form, in which a client sends what is too long for a URL."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    parts = [(each.get_param("name", header="content-disposition"), each) for each in form.iter_parts()]
    return {str(name): bytes(part.get_payload(decode=True)).decode() for name, part in parts}


def _split(body: bytes) -> tuple[str, bytes]:
    """A body may begin with its statement, of which the first line ends before rows."""
    line, _, rest = body.partition(b"\n")
    if _INSERT.fullmatch(text := line.decode(errors="replace")):
        return text, rest
    return body.decode(), b""


def _serve(folder: str, listener: str, readonly: str) -> None:
    import uvicorn  # noqa: PLC0415 - as above

    front = Front(folder, readonly=readonly == "1")
    config = uvicorn.Config(front, log_level="warning", lifespan="off")
    uvicorn.Server(config).run([socket.socket(fileno=int(listener))])


if __name__ == "__main__":
    _serve(*sys.argv[1:])
