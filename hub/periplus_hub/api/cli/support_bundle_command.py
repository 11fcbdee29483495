"""`periplus support-bundle`: on the hub's machine, with the hub's settings."""

from pathlib import Path
from typing import Annotated

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_command import ConfigOption, DataDirOption
from periplus_hub.api.cli.output import tell

OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to make: a .tar.gz.")]
LogOption = Annotated[Path | None, typer.Option("--log", help="The hub's log: its last 1,000 lines go in, too.")]
KeepOption = Annotated[bool, typer.Option("--keep-addresses", help="Show IP addresses as they are.")]


def support_bundle(
    *,
    out: OutOption,
    log: LogOption = None,
    keep_addresses: KeepOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Pack what somebody who helps has to see: versions, settings, checks, sizes, metrics. Without secrets.

    Addresses and names of clusters, tenants, domains, tokens and hosts are pseudonyms. Look at it before you send it.
    """
    import uvloop  # noqa: PLC0415 - as in `hub_command`

    from periplus_hub.api.config import ConfigError, load_config  # noqa: PLC0415 - as above
    from periplus_hub.api.support.bundle import pack  # noqa: PLC0415 - as above
    from periplus_hub.kit import logs  # noqa: PLC0415 - as above
    from periplus_hub.kit.errors import Refusal  # noqa: PLC0415 - as above

    try:
        settings = load_config(config, {"data_dir": data_dir})
        logs.configure("error", settings.log_format)
        names = uvloop.run(pack(settings, out, log, keep_addresses=keep_addresses))
    except ConfigError as error:
        fail(error.message, error.remedy, Exit.USAGE)
    except Refusal as error:
        fail(error.message, error.remedy)
    tell(f"written to {out}: {', '.join(names)}")
