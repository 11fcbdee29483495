"""`periplus ranges …`: the group."""

import typer

from periplus_hub.api.cli import ranges_command, ranges_files, ranges_netbox

ranges = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ranges that no API server tells of: VPCs, offices, VPNs, partners, clusters that are not built yet.",
)
ranges.command("add")(ranges_command.add)
ranges.command("list")(ranges_command.list_ranges)
ranges.command("remove")(ranges_command.remove)
ranges.command("import")(ranges_files.import_csv)
ranges.command("import-netbox")(ranges_netbox.import_netbox)
ranges.command("export")(ranges_files.export_csv)
