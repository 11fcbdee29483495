"""Fixtures about who vouches for people."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from periplus_hub.kit import http_out

from tests.support.clock import FakeClock
from tests.support.issuer import Issuer, issuer


@pytest.fixture
def patient_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call in a process loads half of an HTTP client: on a busy machine the real deadline is too short."""
    monkeypatch.setattr(http_out, "TIMEOUT_S", 3_600.0)


@pytest.fixture
async def provider(tmp_path: Path, clock: FakeClock, patient_http: None) -> AsyncIterator[Issuer]:
    """An issuer over real sockets, whose time is that of the test."""
    async with issuer(tmp_path, clock.now) as found:
        yield found
