"""`periplus hub serve|work|migrate|admin-token|tenants`: the hub's own processes.

The server is imported when it is started: `periplus --help` must not wait for a database driver.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing
from periplus_hub.api.cli.secret_output import handing_out
from periplus_hub.api.cli.tables import when

hub_commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run the hub: serve, work, migrate.")
tenants = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Tenants that share this hub; each sees only its own data."
)
hub_commands.add_typer(tenants, name="tenants")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file; flags and PERIPLUS_* win over it.")]
Action = Literal["serve", "work", "migrate", "admin_token", "add_tenant", "list_tenants"]
DataDirOption = Annotated[
    Path | None, typer.Option(help="Folder of the embedded PostgreSQL. Not used with PERIPLUS_DATABASE_URL.")
]
LogLevelOption = Annotated[str | None, typer.Option(help="Lowest level logged: debug, info, warning or error.")]
LogFormatOption = Annotated[
    str | None, typer.Option(help="json, text for people, or auto: text at a terminal, else json.")
]


def _run(action: Action, config_file: Path | None, flags: dict[str, Any], *arguments: str) -> str | None:
    from periplus_hub.api.config import ConfigError, load_config  # noqa: PLC0415 - as above
    from periplus_hub.api.start_process import run  # noqa: PLC0415 - see the module's docstring
    from periplus_hub.kit.errors import Refusal  # noqa: PLC0415 - as above

    try:
        return run(action, load_config(config_file, flags), *arguments)
    except ConfigError as error:
        fail(error.message, error.remedy, Exit.USAGE)
    except Refusal as error:
        fail(error.message, error.remedy)


@hub_commands.command("serve")
def serve(
    *,
    all_in_one: Annotated[
        bool | None,
        typer.Option("--all-in-one", help="Also do the work of 'hub work'. Default with the embedded PostgreSQL."),
    ] = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    spokes_host: Annotated[str | None, typer.Option(help="Address of the spoke listener.")] = None,
    spokes_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = None,
    api_host: Annotated[str | None, typer.Option(help="Address of the API listener.")] = None,
    api_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = None,
    metrics_host: Annotated[str | None, typer.Option(help="Address of the metrics and health listener.")] = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = None,
    spokes_fd: Annotated[
        int | None, typer.Option(min=3, help="Inherited listening socket for spokes, instead of host and port.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM certificate chain of the spoke and API listeners.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with the private key of the certificate.")] = None,
    allow_plain_http: Annotated[
        bool | None,
        typer.Option("--allow-plain-http", help="Serve without TLS beyond loopback: a proxy terminates TLS."),
    ] = None,
    join_tokens_file: Annotated[
        Path | None, typer.Option(help="JSON list of join tokens to know from the start.")
    ] = None,
    settle_after_s: Annotated[int | None, typer.Option(min=0, help="Age at which a batch counts as settled.")] = None,
    ephemeral: Annotated[
        bool | None, typer.Option("--ephemeral", help="The embedded PostgreSQL need not survive a power cut.")
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written with the chosen addresses once ready.")] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Take batches from spokes and answer people, until SIGTERM."""
    _run("serve", config, {key: value for key, value in locals().items() if key != "config"})


@hub_commands.command("work")
def work(
    *,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    metrics_host: Annotated[str | None, typer.Option(help="Address of the metrics and health listener.")] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0: any free one. Default: 7991, because 'serve' has 7990."),
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written with the chosen address once ready.")] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Run detectors, the overlap register and retention; one of several such processes leads."""
    flags = {key: value for key, value in locals().items() if key not in {"config", "metrics_port"}}
    _run("work", config, flags | {"work_metrics_port": metrics_port})


@hub_commands.command("migrate")
def migrate(*, data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Bring the database's schema up to date, and exit."""
    _run("migrate", config, {"data_dir": data_dir})


@hub_commands.command("admin-token")
def admin_token(
    *,
    tenant: Annotated[str, typer.Option(help="Tenant of the token.")] = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a new admin API token straight in the database, and print it once; the one before is revoked."""
    with handing_out(None) as hand_out:
        hand_out(_run("admin_token", config, {"data_dir": data_dir}, tenant) or "")


@tenants.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="The new tenant's name.")],
    *,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a tenant straight in the database, and print its first admin API token once."""
    with handing_out(None) as hand_out:
        hand_out(_run("add_tenant", config, {"data_dir": data_dir}, name) or "")


@tenants.command("list")
def list_tenants(*, data_dir: DataDirOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every tenant of this hub, oldest first."""
    documents = json.loads(_run("list_tenants", config, {"data_dir": data_dir}) or "[]")
    rows: list[tuple[str, ...]] = [(each["name"], when(each["createdAt"])) for each in documents]
    Listing(("name", "made"), rows, documents, "No tenants yet.").show(as_json=as_json)
