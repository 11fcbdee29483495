"""Every command of docs/start, run in the order of the page: from nothing to two joined clusters."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.reader import Reader, reader_at_home, serves_hub
from tests.support.shown_commands import ROOT, lines_shown

PAGE = ROOT / "docs" / "start" / "index.md"
BY_HAND = ("git clone", "make setup")
"""Done already, or these tests would not run."""


def severities(shown: str) -> set[str]:
    document: Any = json.loads(shown)
    groups = document if isinstance(document, list) else document["overlapGroups"]
    return {group["severity"] for group in groups}


@pytest.mark.promise("the-start-page-works")
async def test_the_page_takes_a_reader_from_nothing_to_joined_clusters(open_folder: Path) -> None:
    lines = iter([line for line in lines_shown(PAGE.read_text()) if not line.startswith(BY_HAND)])
    async with reader_at_home(open_folder / "reader") as reader:
        ready: dict[str, str] = {}
        for line in lines:
            if line.startswith("periplus hub serve"):
                ready = await serves_hub(reader, line)
            elif line.startswith("periplus-spoke run"):
                await reader.leaves_running(line.replace("http://127.0.0.1:7946", ready["spokes_url"]))
                await reader.sees("periplus clusters list", lambda shown: "pending" in shown)
            elif line.startswith("periplus clusters approve"):
                await reader.types(line)
                await second_cluster_joins(reader, ready["spokes_url"])
                await reader.sees("periplus overlaps --json", lambda shown: "latent" in severities(shown))
            else:
                await reader.types(line)
        await reader.sees("periplus overlaps --json", lambda shown: "conflict" in severities(shown))
        await what_the_page_only_mentions(reader)


async def second_cluster_joins(reader: Reader, spokes_url: str) -> None:
    await reader.types("periplus join-token create --cluster-name my-other-cluster --auto-approve --out other-token")
    await reader.leaves_running(
        f"periplus-spoke run --hub {spokes_url} --join-token-file other-token --state-dir other"
        " --cluster-name my-other-cluster --context my-other-cluster"
    )


async def what_the_page_only_mentions(reader: Reader) -> None:
    for listing in ("clusters list", "domains list"):
        named = {each["name"] for each in json.loads(await reader.types(f"periplus {listing} --json"))}
        assert named >= ({"my-cluster"} if listing == "clusters list" else {"aws-backbone", "on-prem"})
    await reader.types("periplus clusters revoke my-other-cluster --yes")
    listed = json.loads(await reader.types("periplus clusters list --json"))
    assert {each["name"]: each["registration"] for each in listed} == {
        "my-cluster": "active",
        "my-other-cluster": "revoked",
    }
