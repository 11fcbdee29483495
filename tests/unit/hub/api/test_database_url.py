"""The database's address holds a password, and a mistyped one is the moment it might be shown."""

from typing import Any

import pytest

from periplus_hub.api.config import ConfigError, load_config

SECRET = "CANARY"


@pytest.mark.promise("settings-are-checked")
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://periplus:{SECRET}/x@127.0.0.1:5432/periplus",
        f"postgresql://periplus:{SECRET}#x@127.0.0.1:5432/periplus",
        f"postgresql://periplus:{SECRET}?x@127.0.0.1:5432/periplus",
        f"postgresql://periplus:[{SECRET}/x@127.0.0.1:5432/periplus",
        f"postgresql://periplus:{SECRET}@127.0.0.1:54e2/periplus",
        f"postgresql://periplus:{SECRET}@127.0.0.1:5432,other:x/periplus",
        f"postgresql://periplus:{SECRET}@[::1/periplus",
        f"mysql://periplus:{SECRET}@127.0.0.1/periplus",
    ],
)
def test_one_that_cannot_be_read_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"database_url": url})
    told = f"{caught.value!r} {caught.value}"
    assert "--database-url" in told
    assert SECRET not in told
    assert caught.value.__cause__ is None, "it would be shown in a traceback, with the value"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1/periplus",
        f"postgresql://periplus:{SECRET}%2F%23@db.example:5432/periplus?sslmode=require",
        f"postgresql://periplus:{SECRET}@one:5432,two:5433/periplus?target_session_attrs=read-write",
        f"postgresql://periplus:{SECRET}@[::1]:5432,[fe80::1%25eth0]/periplus",
        f"postgres://periplus:{SECRET}@x@%2Frun%2Fpostgresql/periplus",
        "postgresql:///periplus?host=/run/postgresql",
    ],
)
def test_what_the_driver_understands_is_taken(url: str) -> None:
    flags: dict[str, Any] = {"database_url": url}
    assert load_config(None, flags).database_url is not None
