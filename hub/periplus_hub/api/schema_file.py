"""Writes hub/schema.graphql anew: `python -m periplus_hub.api.schema_file`."""

from pathlib import Path
from typing import Final

from periplus_hub.api.schema import schema_text

FILE: Final = Path(__file__).parents[2] / "schema.graphql"

if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
