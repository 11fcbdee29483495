"""How statements about edges are asked: with spans where they are there, else with their hours."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import EdgeFilter
from periplus_hub.kit.column_store import ColumnStore, Outdated


async def ask_edges(
    scope: Scope, store: ColumnStore, asked: EdgeFilter, stated: Callable[[EdgeFilter], tuple[str, dict[str, Any]]]
) -> pa.Table:
    """What the statement about these edges finds, with its parameters. What spans say their hours say, too."""
    try:
        return await store.query(scope, *stated(asked))
    except Outdated:
        return await store.query(scope, *stated(replace(asked, spans=())))
