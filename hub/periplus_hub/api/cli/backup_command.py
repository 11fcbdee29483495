"""`periplus backup` and `periplus restore`: on the hub's machine, by the hub's account; the hub may run."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_command import ConfigOption, DataDirOption
from periplus_hub.api.cli.hub_connection import JsonOption
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.cli.output import say_labelled, tell, tell_json
from periplus_hub.api.cli.tables import when

WithoutFlowsOption = Annotated[
    bool, typer.Option("--without-flows", help="Leave the flow store out: it is backed up elsewhere, or not needed.")
]


def backup(
    folder: Annotated[Path, typer.Argument(help="The folder to make; with --verify, the backup to look at.")],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Make nothing: check that the backup is whole and undamaged.")
    ] = False,
    without_flows: WithoutFlowsOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back up PostgreSQL and the flow store into a new folder, while the hub runs."""
    if verify:
        _show(folder, _verified(folder), as_json=as_json, done="is whole and undamaged")
        return

    async def work(settings: Any) -> Any:  # noqa: ANN401 - what is loaded late has no name here
        from periplus_hub.api.backup_process import back_up  # noqa: PLC0415 - as in `hub_command`

        return await back_up(settings, folder.absolute(), with_flows=not without_flows)

    _show(folder, _run(work, data_dir, config), as_json=as_json, done="is taken")


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup of 'periplus backup'.")],
    *,
    without_flows: WithoutFlowsOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into an empty data folder, or into empty stores of yours. No hub may run there meanwhile."""

    async def work(settings: Any) -> Any:  # noqa: ANN401 - as above
        from periplus_hub.api import backup_process  # noqa: PLC0415 - as in `hub_command`

        return await backup_process.restore(settings, folder.absolute(), with_flows=not without_flows)

    manifest = _run(work, data_dir, config)
    _show(folder, manifest, as_json=as_json, done="is restored")
    if manifest.flows == "left-out" and not as_json:
        say_labelled("note", "flows were not restored: hours from before are answered as lost")


def _verified(folder: Path) -> Any:  # noqa: ANN401 - as above
    from periplus_hub.backups.sums import verified  # noqa: PLC0415 - as in `hub_command`
    from periplus_hub.kit.errors import Refusal  # noqa: PLC0415 - as above

    try:
        return verified(folder)
    except Refusal as error:
        fail(error.message, error.remedy)


def _run(work: Callable[[Any], Awaitable[Any]], data_dir: Path | None, config: Path | None) -> Any:  # noqa: ANN401 - as above
    import uvloop  # noqa: PLC0415 - as in `hub_command`

    from periplus_contract.log_lines import tell_of_the_rest  # noqa: PLC0415 - as above
    from periplus_contract.native_stderr import separate_native_stderr  # noqa: PLC0415 - as above
    from periplus_hub.api.config import ConfigError, load_config  # noqa: PLC0415 - as above
    from periplus_hub.kit import logs  # noqa: PLC0415 - as above
    from periplus_hub.kit.errors import Refusal  # noqa: PLC0415 - as above

    async def begin() -> Any:  # noqa: ANN401 - as above
        logs.configure("warning", settings.log_format)
        return await work(settings)

    try:
        settings = load_config(config, {"data_dir": data_dir})
        separate_native_stderr()
        tell_of_the_rest()
        return uvloop.run(begin())
    except ConfigError as error:
        fail(error.message, error.remedy, Exit.USAGE)
    except Refusal as error:
        fail(error.message, error.remedy)


def _show(folder: Path, manifest: Any, *, as_json: bool, done: str) -> None:  # noqa: ANN401 - as above
    if as_json:
        import msgspec  # noqa: PLC0415 - as above

        tell_json(document(msgspec.to_builtins(manifest)))
        return
    tell(f"{folder} {done}")
    tell(f"  PostgreSQL  as of {when(manifest.started_at.isoformat())}, {_mb(manifest.database_bytes)} in tables")
    tell(f"  flows       {_flows(manifest)}")
    tell(f"  files       {len(manifest.files) + 2}, {_mb(manifest.bytes)}")


def _flows(manifest: Any) -> str:  # noqa: ANN401 - as above
    how_many = f"{len(manifest.tenants)} tenant{'' if len(manifest.tenants) == 1 else 's'}"
    return {
        "none": "none",
        "left-out": "left out",
        "files": f"of {how_many}, {_mb(manifest.flow_bytes)}",
        "server": f"of {how_many}, at the ClickHouse server as {manifest.flow_place}: not looked at",
    }[str(manifest.flows)]


def _mb(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB"
