"""How the hub's migrations come into its packages: in a checkout they stand at the top, outside of the hub's folder."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MigrationsHook(BuildHookInterface[Any]):
    """Into the sdist and into a wheel of the checkout; a wheel made of the sdist finds them in the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """An editable install reads them where they are."""
        migrations = Path(self.root).parent / "migrations"
        if version != "editable" and migrations.is_dir():
            build_data["force_include"][str(migrations)] = "periplus_hub/migrations"
