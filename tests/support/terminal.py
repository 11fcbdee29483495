"""Somebody who types commands about ranges to a real hub."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner, Result

from periplus_hub.api.cli import command_line


@dataclass
class Terminal:
    """Somebody who types."""

    env: dict[str, str]

    async def type(self, *arguments: str, code: int = 0) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=self.env)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    async def documents(self, *arguments: str) -> Any:
        """What a program is told."""
        return json.loads((await self.type(*arguments, "--json")).stdout)

    async def listed(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.documents("ranges", "list", *arguments)
        return found
