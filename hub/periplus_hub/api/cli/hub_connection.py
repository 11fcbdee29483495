"""How an administrative command finds its hub: flags, then environment, then the embedded hub's data folder."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.cli.output import tell, tell_json
from periplus_hub.api.cli.rich_text import Text
from periplus_hub.api.cli.sign_ins import file_of
from periplus_hub.api.cli.tables import print_table, standard_output
from periplus_hub.api.hub_client import HubCallError, HubClient
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.folders import default_data_dir

DEFAULT_URL = "http://127.0.0.1:7980"

UrlOption = Annotated[str | None, typer.Option("--url", help=f"The hub. Default: PERIPLUS_URL, else {DEFAULT_URL}.")]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        help="File with the API token. Default: PERIPLUS_TOKEN, else what 'periplus login' got, else the embedded "
        "hub's admin-token file."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

EndedOption = Annotated[bool, typer.Option("--ended", help="Also what ended.")]


_OTHER_FOLDER: Final = "Where a hub keeps its data elsewhere, PERIPLUS_DATA_DIR has to name the same folder here."


def address_of(url: str | None) -> str:
    """The hub's URL."""
    return url or os.environ.get("PERIPLUS_URL") or DEFAULT_URL


def find_token(token_file: Path | None) -> str:
    """The API token; leaves with a remedy when there is none."""
    source, path = _token_source(token_file)
    if path is None:
        return os.environ["PERIPLUS_TOKEN"].strip()
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        remedy = (
            f"Set PERIPLUS_TOKEN or give --token-file, or run 'periplus login'. {'' if token_file else _OTHER_FOLDER}"
        )
        fail(f"no API token: {source} cannot be read: {reason}", remedy.strip())


def _token_source(token_file: Path | None) -> tuple[str, Path | None]:
    """What to call where the token is from, and its file; None is the variable."""
    if token_file is not None:
        return str(token_file), token_file
    if os.environ.get("PERIPLUS_TOKEN"):
        return "PERIPLUS_TOKEN", None
    named = os.environ.get("PERIPLUS_DATA_DIR")
    path = Path(named or default_data_dir()) / "admin-token"
    return f"{path} (in {'PERIPLUS_DATA_DIR' if named else 'the default data folder'})", path


def _signed_in(address: str, token_file: Path | None) -> str | None:
    """The token of who signed in there, unless another is given; leaves where the sign-in has ended."""
    if token_file is not None or os.environ.get("PERIPLUS_TOKEN") or not os.path.lexists(file_of(address)):
        return None
    # Only here: what a sign-in is renewed with takes a while to load.
    from periplus_hub.api.cli.signed_in import token_of  # noqa: PLC0415 - as said above

    try:
        return token_of(address)
    except Refusal as refusal:
        fail(refusal.message, refusal.remedy)


@contextlib.contextmanager
def hub(url: str | None, token_file: Path | None) -> Iterator[HubClient]:
    """A client; every refusal of the hub ends the command with its message and remedy."""
    address = address_of(url)
    mine = _signed_in(address, token_file)
    try:
        with HubClient(address, mine or find_token(token_file), ca_file=os.environ.get("PERIPLUS_CA_FILE")) as client:
            yield client
    except HubCallError as error:
        if error.code != "unauthenticated":
            fail(error.message, error.remedy)
        if mine is not None:
            fail(f"the hub does not accept your sign-in: {error.said or error.message}", "Run 'periplus login'.")
        source, path = _token_source(token_file)
        remedy = error.remedy if path in {None, token_file} else f"{error.remedy} {_OTHER_FOLDER}"
        fail(f"{error.message}, which is from {source}", remedy)


@dataclass(frozen=True)
class Listing:
    """Rows for a person; documents for a program."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    documents: list[dict[str, Any]]
    empty: str
    numbers: int = 0
    """So many columns at the end are numbers."""

    def show(self, *, as_json: bool) -> None:
        """Print to standard output."""
        if as_json:
            tell_json(document(self.documents))
        elif not self.rows:
            tell(self.empty)
        else:
            rows = [tuple(Text(cell) for cell in row) for row in self.rows]
            print_table(self.columns, rows, standard_output(), numbers=self.numbers)
