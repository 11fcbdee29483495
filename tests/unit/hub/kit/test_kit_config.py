from pathlib import Path

import pytest
from pydantic import Field, SecretStr, field_validator

from periplus_hub.kit.config import ConfigError, Settings, read_settings


class Example(Settings):
    api_port: int = Field(default=7980, ge=0, le=65_535)
    networks: list[str] = Field(default_factory=list)
    database_url: SecretStr | None = None


def read(
    flags: dict[str, object] | None = None, file: Path | None = None, environment: dict[str, str] | None = None
) -> Example:
    return read_settings(Example, flags or {}, file, environment or {}, others=frozenset({"PERIPLUS_TOKEN"}))


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("api_port = 1\n")
    assert read().api_port == 7980
    assert read(file=file).api_port == 1
    assert read(file=file, environment={"PERIPLUS_API_PORT": "2"}).api_port == 2
    assert read({"api_port": 3}, file, {"PERIPLUS_API_PORT": "2"}).api_port == 3


def test_a_flag_that_was_not_given_says_nothing() -> None:
    assert read({"api_port": None}, environment={"PERIPLUS_API_PORT": "2"}).api_port == 2


def test_lists_come_comma_separated() -> None:
    assert read(environment={"PERIPLUS_NETWORKS": "10.0.0.0/8, fd00::/8,"}).networks == ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.promise("settings-are-checked")
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PERIPLUS_API_PORT": "70000"}, ["PERIPLUS_API_PORT", "'70000'", "65535"]),
        ({"PERIPLUS_API_PORT": "many"}, ["PERIPLUS_API_PORT", "'many'", "integer"]),
        ({"PERIPLUS_APPI_PORT": "1"}, ["PERIPLUS_APPI_PORT", "no such setting", "do you mean api_port?"]),
    ],
)
def test_a_mistake_names_key_value_and_what_is_allowed(environment: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        read(environment=environment)
    assert all(word in refused.value.message for word in words)


@pytest.mark.promise("settings-are-checked")
def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        read({"api_port": -1}, environment={"PERIPLUS_NOPE": "1"})
    assert "--api-port" in refused.value.message
    assert "PERIPLUS_NOPE" in refused.value.message


@pytest.mark.promise("secrets-are-not-shown")
def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        read({"database_url": ["postgresql://u:hunter2@h/d"]})
    assert "hunter2" not in refused.value.message


def test_what_kubernetes_and_our_other_programs_set_is_left_alone() -> None:
    environment = {
        "PERIPLUS_TOKEN": "x",
        "PERIPLUS_HUB_SERVICE_HOST": "10.96.0.9",
        "PERIPLUS_HUB_SERVICE_PORT_PEOPLE": "7980",
        "PERIPLUS_HUB_PORT": "tcp://10.96.0.9:7980",
        "PERIPLUS_API_PORT": "tcp://10.96.0.9:7980",
        "PERIPLUS_HUB_PORT_7980_TCP_ADDR": "10.96.0.9",
        "HOME": "/",
    }
    assert read(environment=environment) == Example()


@pytest.mark.parametrize("content", ["api_port = ", "\x00", "[api]\nport = 1\n"])
def test_a_file_that_is_not_right_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"hub\.toml"):
        read(file=file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read(file=tmp_path / "gone.toml")


def test_no_name_is_of_two_slices() -> None:
    class One(Settings):
        one: int = 1

        @field_validator("one")
        @classmethod
        def _readable(cls, value: int) -> int:
            return value

    class Two(Settings):
        two: int = 2

        @field_validator("two")
        @classmethod
        def _readable(cls, value: int) -> int:
            return value

    with pytest.raises(TypeError, match="One and Two both have _readable"):
        type("Both", (One, Two), {})
