"""A hub that is handed its spokes' socket, or something that is none."""

import os
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette

from periplus_hub.api.config import HubConfig
from periplus_hub.api.listeners import bind
from periplus_hub.kit.errors import Refusal

from tests.support.clock import FakeClock


def test_a_listening_socket_is_used_as_it_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = os.dup(door.fileno())
        os.set_inheritable(number, True)
        [listener] = bind(HubConfig(data_dir=tmp_path, spokes_fd=number), {"spokes": Starlette()}, FakeClock())
        with listener.socket:
            assert listener.url == f"http://127.0.0.1:{door.getsockname()[1]}"
            assert not listener.socket.get_inheritable()


@pytest.mark.parametrize("kind", ["file", "unbound", "closed"])
def test_what_is_no_listening_socket_is_refused(tmp_path: Path, kind: str) -> None:
    with (tmp_path / "file").open("w") as file:
        number = {"file": file.fileno(), "unbound": -1, "closed": 1_000}[kind]
        if kind == "unbound":
            number = socket.socket().detach()
        check_refused(tmp_path, number)


def check_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(Refusal, match=f"spokes_fd = {number}") as refused:
        bind(HubConfig(data_dir=tmp_path, spokes_fd=number), {"spokes": Starlette()}, FakeClock())
    assert "PERIPLUS_SPOKES_FD" in refused.value.remedy


def test_a_socket_others_reach_needs_tls(tmp_path: Path) -> None:
    number = socket.create_server(("0.0.0.0", 0)).detach()
    with pytest.raises(Refusal, match="no TLS"):
        bind(HubConfig(data_dir=tmp_path, spokes_fd=number), {"spokes": Starlette()}, FakeClock())
