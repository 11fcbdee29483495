import resource
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from periplus_hub.api import open_files
from periplus_hub.api.config import HubConfig
from periplus_hub.kit.errors import Refusal

UNLIMITED = resource.RLIM_INFINITY


class Limits:
    """The process's limit of open files, as the system would keep it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.soft, self.hard = soft, hard
        monkeypatch.setattr(resource, "getrlimit", lambda _: (self.soft, self.hard))
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, _: int, limits: tuple[int, int]) -> None:
        self.soft, self.hard = limits


def config(tmp_path: Path, **settings: int) -> HubConfig:
    return HubConfig.model_validate({"data_dir": tmp_path} | settings)


@pytest.mark.parametrize("hard", [1_048_576, UNLIMITED])
def test_the_soft_limit_is_raised_to_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    limits = Limits(monkeypatch, 1_024, hard)
    assert open_files.make_room(config(tmp_path)).connections == 2_000
    assert limits.soft == 4_000 + 64 + 34 + 256
    assert limits.hard == hard


@pytest.mark.parametrize("soft", [1_048_576, UNLIMITED])
def test_a_limit_that_is_high_enough_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    limits = Limits(monkeypatch, soft, soft)
    assert open_files.make_room(config(tmp_path)).connections == 2_000
    assert limits.soft == soft


def test_what_was_not_asked_for_becomes_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, 512, 1_024)
    with capture_logs() as logged:
        assert open_files.make_room(config(tmp_path)).connections == 335
    assert limits.soft == 1_024
    assert [line["event"] for line in logged] == ["fewer_connections"]


@pytest.mark.parametrize(("hard", "settings"), [(1_024, {"connections": 400}), (400, {})])
def test_a_start_that_cannot_hold_its_connections_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard: int, settings: dict[str, int]
) -> None:
    Limits(monkeypatch, hard, hard)
    with pytest.raises(Refusal) as refused:
        open_files.make_room(config(tmp_path, **settings))
    assert f"may open {hard} files" in refused.value.message
    assert "PERIPLUS_CONNECTIONS" in refused.value.remedy
