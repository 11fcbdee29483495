"""How an administrative command finds its hub: flags, then environment, then the embedded hub's data folder."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from periplus_hub.api.cli.exits import fail
from periplus_hub.api.client import HubCallError, HubClient
from periplus_hub.kit.folders import default_data_dir

DEFAULT_URL = "http://127.0.0.1:7980"

UrlOption = Annotated[str | None, typer.Option("--url", help=f"The hub. Default: PERIPLUS_URL, else {DEFAULT_URL}.")]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(help="File with the API token. Default: PERIPLUS_TOKEN, else the embedded hub's admin-token file."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


def find_token(token_file: Path | None) -> str:
    """The API token; leaves with a remedy when there is none."""
    if token_file is None and (token := os.environ.get("PERIPLUS_TOKEN")):
        return token.strip()
    data_dir = os.environ.get("PERIPLUS_DATA_DIR") or default_data_dir()
    path = token_file or Path(data_dir) / "admin-token"
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        fail(f"no API token: {path} cannot be read", "Set PERIPLUS_TOKEN or give --token-file.")


@contextlib.contextmanager
def hub(url: str | None, token_file: Path | None) -> Iterator[HubClient]:
    """A client; every refusal of the hub ends the command with its message and remedy."""
    address = url or os.environ.get("PERIPLUS_URL") or DEFAULT_URL
    try:
        with HubClient(address, find_token(token_file), ca_file=os.environ.get("PERIPLUS_CA_FILE")) as client:
            yield client
    except HubCallError as error:
        fail(error.message, error.remedy)


@dataclass(frozen=True)
class Listing:
    """Rows for a person; documents for a program."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    documents: list[dict[str, Any]]
    empty: str

    def show(self, *, as_json: bool) -> None:
        """Print to standard output."""
        if as_json:
            typer.echo(json.dumps(self.documents, indent=2))
        elif not self.rows:
            typer.echo(self.empty)
        else:
            table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
            for index, column in enumerate(self.columns):
                table.add_column(column.upper(), overflow="fold", no_wrap=index == 0)
            for row in self.rows:
                table.add_row(*(Text(cell) for cell in row))
            Console(highlight=False).print(table)
