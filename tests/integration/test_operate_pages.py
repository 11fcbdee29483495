"""Commands of docs/operate, as they stand there: a certificate of one's own authority, a backup and its restore."""

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube_objects import pod
from tests.support.reader import PATIENCE_S, Reader, reader_at_home, serves_hub
from tests.support.shown_commands import ROOT, lines_shown

OPERATE = ROOT / "docs" / "operate"
LATE = "10.8.0.77"
"""Of a pod that came after the backup."""
TLS = "A certificate of your own authority"


def lines_of(page: str, heading: str) -> list[str]:
    """The command lines below one heading of a page."""
    text = (OPERATE / page).read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return list(lines_shown(section))


async def test_the_certificates_of_the_page_are_trusted_by_people_and_spokes(open_folder: Path) -> None:
    lines = [line.replace("hub.example.org", "localhost") for line in lines_of("listeners.md", TLS)]
    async with reader_at_home(open_folder / "with-tls") as reader:
        reader.environment["PERIPLUS_SPOKE_LOG_FORMAT"] = "text"
        ready: dict[str, str] = {}
        for line in lines:
            if line.startswith("periplus hub serve"):
                ready = await serves_hub(reader, line)
            elif line.startswith("periplus-spoke run"):
                await joins(reader, line, ready)
            else:
                await reader.types(line.replace("https://localhost:7980", on_localhost(ready, "api_url")))
        assert ready["spokes_url"].startswith("https://")


def on_localhost(ready: dict[str, str], url: str) -> str:
    return ready.get(url, "").replace("127.0.0.1", "localhost")


async def joins(reader: Reader, line: str, ready: dict[str, str]) -> None:
    """The spoke of the page, with a token as the start page makes them; without `--hub-ca` it believes nobody."""
    token = "--cluster-name my-cluster --auto-approve --out join-token --token-file ~/periplus-data/admin-token"
    await reader.types(f"periplus join-token create {token}")
    spoke = line.replace("https://localhost:7946", on_localhost(ready, "spokes_url"))
    once = spoke.replace("periplus-spoke run", "periplus-spoke once --accepted")
    with pytest.raises(AssertionError, match=r"certificate of (.+) is not trusted"):
        await reader.types(f"{once} --timeout 3".replace("--hub-ca ca.crt", ""))
    await reader.types(once)


async def test_a_restored_copy_answers_as_before_and_spokes_tell_it_what_it_lacks(open_folder: Path) -> None:
    take, verify, restore, serve = lines_of("backup.md", "The embedded store")
    async with reader_at_home(open_folder / "with-backup") as reader:
        reader.environment |= {"PERIPLUS_SETTLE_AFTER_S": "0", "PERIPLUS_SPOKE_HEARTBEAT_INTERVAL_S": "0.5"}
        reader.environment["PERIPLUS_DATA_DIR"] = str(reader.home / "periplus-data")
        ready = await serves_hub(reader, "periplus hub serve --data-dir ~/periplus-data")
        for name in reader.clusters:
            await reader.types(f"periplus join-token create --cluster-name {name} --auto-approve --out {name}.token")
            await tells(reader, name, ready)
        await reader.sees("periplus overlaps --json", lambda shown: "10.8.0.0/24" in shown)
        await reader.types("periplus overlaps accept 10.8.0.0/24 --reason 'test labs'")
        before = await reader.sees("periplus overlaps --json", lambda shown: '"intended"' in shown)
        accepted = await reader.types("periplus overlaps accepted --json")
        await reader.types(take)
        assert "is whole and undamaged" in await reader.types(verify)

        for name, kube in reader.clusters.items():
            kube.put("/api/v1/pods", pod("late", (LATE,)))
            await tells(reader, name, ready)  # and, as it is settled, keeps nothing of it
        await ends(reader)

        assert "is restored" in await reader.types(restore)
        reader.environment["PERIPLUS_DATA_DIR"] = str(reader.home / "restored" / "periplus-data")
        ready = await serves_hub(reader, serve)
        after = await reader.types("periplus overlaps --json")
        assert without_times(after) == without_times(before)
        assert await reader.types("periplus overlaps accepted --json") == accepted
        with pytest.raises(AssertionError, match='"owners": \\[\\]'):
            await reader.types(f"periplus address {LATE} --json")
        for name in reader.clusters:
            await tells(reader, name, ready)
        assert owners(await reader.types(f"periplus address {LATE} --json")) == set(reader.clusters)


async def tells(reader: Reader, name: str, ready: dict[str, str]) -> None:
    """The cluster's spoke brings what it has, until it is settled, and ends."""
    await reader.types(
        f"periplus-spoke once --hub {ready['spokes_url']} --join-token-file {name}.token --state-dir {name}"
        f" --cluster-name {name} --context {name} --timeout {PATIENCE_S}"
    )


async def ends(reader: Reader) -> None:
    """The machine's hub is lost."""
    hub = reader.serving.pop()
    hub.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        assert await hub.wait() == 0


def without_times(shown: str) -> dict[str, Any]:
    """A report but for when it was made and when spokes were heard: on a slow machine they are stale before the end."""
    document: dict[str, Any] = json.loads(shown)
    of_now = dict.fromkeys(("lastHeard", "state", "reason", "message", "remedy"))
    clusters = [{**each, **of_now} for each in document["clusters"]]
    return {**document, "asOf": None, "unknown": None, "clusters": clusters}


def owners(shown: str) -> set[str]:
    return {each["cluster"]["name"] for each in json.loads(shown)["owners"]}
