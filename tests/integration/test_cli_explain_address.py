"""`periplus explain-address` against a hub."""

from pathlib import Path

from periplus_hub.api.start_process import start

from tests.support.batches import pod
from tests.support.flow_desk import flow_desk
from tests.support.hub_process import config_for, hub
from tests.support.terminal import Terminal


async def test_every_lookup_is_printed_and_told_to_programs(database_url: str, tmp_path: Path) -> None:
    async with flow_desk(database_url, tmp_path) as desk:
        unread = await desk.terminal.type("explain-address", "10.2.0.1", "--cluster", "prod-1")
        assert "Nothing known had it in this hour." in unread.stdout
        assert "what has it may be of a cluster that is not known whole: prod-1" in unread.stderr
        assert (await desk.terminal.documents("explain-address", "10.2.0.1"))["notKnownWhole"] == ["prod-1"]
        held = pod("api", "10.2.0.1", desk.spoke.at, workload_kind="Deployment", workload_name="api")
        await desk.member.send(desk.spoke.snapshot({"pods": [held]}))
        shown = (await desk.terminal.type("explain-address", "10.2.0.1", "--cluster", "prod-1")).stdout
        assert ": deployment shop/api@prod-1 (own-pod)" in shown
        lines = [line.split() for line in shown.splitlines()]
        assert ["own-pod", "decides", "deployment", "shop/api@prod-1"] in lines
        assert ["own-node", "nobody"] in lines
        assert shown.splitlines()[-1].endswith("the lookup that decided finds it")
        told = await desk.terminal.documents("explain-address", "10.2.0.1")
        assert [view["rule"] for view in told["views"]] == ["own-pod", "domain-pod"]
        assert told["views"][0]["ranks"][0]["outcome"] == "decided"
        nobody = await desk.terminal.type("explain-address", "198.51.100.7", "--cluster", "prod-1")
        assert "external 198.51.100.0/24 (outside)" in nobody.stdout
        assert "Nothing known had it in this hour." in nobody.stdout
        mapped = await desk.terminal.type("explain-address", "::ffff:10.2.0.1", "--cluster", "prod-1")
        assert mapped.stdout.splitlines()[1:] == shown.splitlines()[1:]
        assert mapped.stdout.startswith("10.2.0.1 at ")
        for words in (("10.2.0.0/16",), ("10.2.0.1", "--at", "soon")):
            await desk.terminal.type("explain-address", *words, code=64)
        future = await desk.terminal.type("explain-address", "10.2.0.1", "--at", "2999-01-01T00:00:00Z", code=1)
        assert "the future is not known" in future.stderr


async def test_nobody_to_look_is_no_answer(database_url: str, tmp_path: Path) -> None:
    config = config_for(database_url, tmp_path, all_in_one=True)
    async with hub(config) as ready:
        token = str(await start("admin_token", config))
        terminal = Terminal({"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "200"})
        nobody = await terminal.type("explain-address", "10.2.0.1", code=1)
        assert "no cluster was a member of the fleet at " in nobody.stderr
        assert nobody.stdout == ""
