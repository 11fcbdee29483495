"""`periplus ranges import|export`: many ranges at once, as CSV. The group is in `ranges_command`."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_hub.addresses.ranges.engine.csv_text import COLUMNS, MAX_TROUBLES, write_csv
from periplus_hub.api.cli import queries
from periplus_hub.api.cli.exit_codes import Exit, fail
from periplus_hub.api.cli.hub_connection import JsonOption, TokenFileOption, UrlOption, hub
from periplus_hub.api.cli.json_documents import word
from periplus_hub.api.cli.output import say, say_labelled, tell, tell_json, tell_text
from periplus_hub.api.cli.ranges_command import DomainOption, all_ranges
from periplus_hub.api.hub_client import HubClient

IMPORT: Final = """
mutation ImportRanges($input: ImportRangesInput!) {
  importRanges(input: $input) {
    __typename
    ... on RangeImport {
      applied awaits added changed same troubles { line message remedy } changes { cidr domainName isNew }
    }
    ... on Problem { message remedy }
  }
}
"""
_PIECE: Final = 2_000
"""Characters of a text; the hub takes four times as many, but each may be twelve on its way."""
_PLAIN: Final = ("name", "owner", "note", "expiresAt")
"""Members of a range that are cells as they are, in the order of COLUMNS."""
_MAX_SENT: Final = 24_000
"""A question to the hub has 32 KiB."""
_MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""What the hub takes as one import."""
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
    as_json: JsonOption = False,
) -> None:
    """Enter the ranges of a CSV file: all of them, or none when one has a fault. What the file does not name stays."""
    text = _text_of(file)
    with hub(url, token_file) as client:
        done = import_text(client, text, {"source": "CSV", "apply": apply})
    if as_json:
        tell_json({name: value for name, value in queries.told(done).items() if name != "awaits"})
    if found := done["troubles"]:
        for each in found:
            say(f"{file}:{each['line']}: {each['message']}. {each['remedy']}")
        at_least = "at least " if len(found) >= MAX_TROUBLES else ""
        fail(f"nothing is entered: {file} has {at_least}{_number(len(found), 'fault')}")
    if not as_json:
        tell_changes(done)


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
    """The hub's answer to one import, sent in as many questions as it takes."""
    parts = list(_parts(text))
    awaits, done = None, dict[str, Any]()
    for number, part in enumerate(parts, start=1):
        asked = {"text": part, "continues": awaits, "more": number < len(parts), **how}
        done = queries.outcome(client.ask(IMPORT, {"input": asked}), "importRanges")
        awaits = done["awaits"]
    return done


def _parts(text: str) -> Iterator[list[str]]:
    """Pieces of the text, as many at once as one question takes; one part without any for no text."""
    part: list[str] = []
    size = 0
    for at in range(0, len(text), _PIECE):
        piece = text[at : at + _PIECE]
        sent = len(json.dumps(piece))
        if size + sent > _MAX_SENT:
            yield part
            part, size = [], 0
        part.append(piece)
        size += sent
    yield part


def tell_changes(done: dict[str, Any]) -> None:
    """What an import changed, or would."""
    for each in done["changes"][:_SHOWN]:
        tell(f"{'+' if each['isNew'] else '~'} {each['cidr']} in {each['domainName']}")
    added, changed, same = (done[name] for name in ("added", "changed", "same"))
    if added + changed > _SHOWN:
        tell(f"and {added + changed - _SHOWN:,} more")
    verb = "are" if done["applied"] else "would be"
    tell(f"{added:,} {verb} new, {changed:,} {verb} changed, {same:,} are there just so")
    if not done["applied"] and (added or changed):
        say_labelled("note", "nothing is entered yet: say --apply")


def _text_of(file: Path) -> str:
    """Leaves for what cannot be read as UTF-8."""
    try:
        content = file.read_bytes() if file.stat().st_size <= _MAX_FILE_BYTES else None
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", "Check the path.")
    if content is None:
        told = f"{file} is larger than {_MAX_FILE_BYTES >> 20} MiB, the most that one import takes"
        fail(told, "Divide it into several files, each with the heading.")
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
