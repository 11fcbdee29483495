"""`periplus doctor`: on the hub's machine, with the hub's settings."""

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_command import ConfigOption, DataDirOption
from periplus_hub.api.cli.hub_connection import JsonOption
from periplus_hub.api.cli.output import tell, tell_json


def doctor(*, data_dir: DataDirOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check hub, stores, spokes, clocks, tokens and certificates; a line for each, with what to do.

    Ends with 0 when all is well, with 2 when something is at fault, and with 1 when somebody should look or not all
    could be asked. Changes and starts nothing.
    """
    import uvloop  # noqa: PLC0415 - as in `hub_command`

    from periplus_hub.api.config import ConfigError, load_config  # noqa: PLC0415 - as above
    from periplus_hub.api.doctor.checks import exit_code  # noqa: PLC0415 - as above
    from periplus_hub.api.doctor.examine import examine  # noqa: PLC0415 - as above
    from periplus_hub.kit import logs  # noqa: PLC0415 - as above

    try:
        settings = load_config(config, {"data_dir": data_dir})
    except ConfigError as error:
        fail(error.message, error.remedy, Exit.USAGE)
    logs.configure("error", settings.log_format)
    checks = uvloop.run(examine(settings))
    code = exit_code(checks)
    if as_json:
        shown = [
            {"name": each.name, "state": each.state.value, "found": each.found, "remedy": each.remedy or None}
            for each in checks
        ]
        tell_json({"exitCode": code, "checks": shown})
    else:
        width = max(len(each.name) for each in checks)
        for each in checks:
            remedy = f" - {each.remedy}" if each.remedy else ""
            tell(f"{each.state.value:<8} {each.name:<{width}}  {each.found}{remedy}")
    raise typer.Exit(code)
