"""`periplus ranges import|export`: many ranges at once, as CSV. The group is in `ranges_command`."""

import codecs
import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_hub.addresses.ranges.engine.csv_text import COLUMNS, write_csv
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say, say_labelled, tell, tell_text
from periplus_hub.api.cli.ranges_command import DomainOption, all_ranges
from periplus_hub.api.hub_client import HubClient

IMPORT: Final = """
mutation ImportRanges($input: ImportRangesInput!) {
  importRanges(input: $input) {
    __typename
    ... on RangeImport {
      applied added changed same troubles { line message remedy } changes { cidr domainName isNew }
    }
    ... on Problem { message remedy }
  }
}
"""
_PIECE: Final = 8_000
_PLAIN: Final = ("name", "owner", "note", "expiresAt")
"""Members of a range that are cells as they are, in the order of COLUMNS."""
MAX_SENT: Final = 24_000
"""A question to the hub has 32 KiB."""
_MARKS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""UTF-32 first: its mark begins with that of UTF-16."""
_SHOWN: Final = 100


def import_csv(
    file: Annotated[
        Path, typer.Argument(help=f"A CSV file with the columns {', '.join(COLUMNS)}; the last four may be missing.")
    ],
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Enter the ranges; without it, only say what would change.")
    ] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Enter the ranges of a CSV file: all of them, or none when one has a fault. What the file does not name stays."""
    text = _text_of(file)
    if sent_size(text) > MAX_SENT:
        lines = max(1, len(text.splitlines()) * MAX_SENT // sent_size(text))
        fail(
            f"{file} is more than one import takes",
            f"Divide it into files of at most {lines} lines, each with the heading.",
        )
    with hub(url, token_file) as client:
        done = import_text(client, text, {"source": "CSV", "apply": apply})
    if done["troubles"]:
        for each in done["troubles"][:_SHOWN]:
            say(f"{file}:{each['line']}: {each['message']}. {each['remedy']}")
        fail(f"nothing is entered: {file} has {_number(len(done['troubles']), 'fault')}")
    tell_changes([done], applied=apply)


def export_csv(*, domain: DomainOption = None, url: UrlOption = None, token_file: TokenFileOption = None) -> None:
    """Print the entered ranges as CSV, as 'periplus ranges import' reads it."""
    with hub(url, token_file) as client:
        known = all_ranges(client, domain)
    rows = [
        (each["cidr"], each["networkDomain"]["name"], word(each["rangeUse"]), *(each[name] or "" for name in _PLAIN))
        for each in known
    ]
    tell_text(write_csv(rows))


def import_text(client: HubClient, text: str, how: dict[str, Any]) -> dict[str, Any]:
    """The hub's answer to one import."""
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    return queries.outcome(client.ask(IMPORT, {"input": {"text": pieces, **how}}), "importRanges")


def sent_size(text: str) -> int:
    """How many bytes a text takes on its way to the hub."""
    return len(json.dumps(text))


def tell_changes(done: list[dict[str, Any]], *, applied: bool) -> None:
    """What imports changed, or would."""
    changes = [change for each in done for change in each["changes"]]
    for each in changes[:_SHOWN]:
        tell(f"{'+' if each['isNew'] else '~'} {each['cidr']} in {each['domainName']}")
    if len(changes) > _SHOWN:
        tell(f"and {len(changes) - _SHOWN:,} more")
    added, changed, same = (sum(each[name] for each in done) for name in ("added", "changed", "same"))
    verb = "are" if applied else "would be"
    tell(f"{added:,} {verb} new, {changed:,} {verb} changed, {same:,} are there just so")
    if not applied and (added or changed):
        say_labelled("note", "nothing is entered yet: say --apply")


def _text_of(file: Path) -> str:
    """Leaves for what cannot be read as UTF-8."""
    try:
        content = file.read_bytes() if file.stat().st_size <= 4 * MAX_SENT else None
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", "Check the path.")
    if content is None:
        fail(f"{file} is more than one import takes", "Divide it into several files, each with the heading.")
    found = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if found is not None:
        fail(f"{file}:1: this is {found}", "Save it as UTF-8.", Exit.FAILED)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fail(f"{file}:{line}: byte {content[error.start]:#04x} is no UTF-8", "Save it as UTF-8.")


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
