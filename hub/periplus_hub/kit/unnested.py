"""Many keys asked about in one statement: parallel arrays as rows."""

from typing import Any

from sqlalchemy import ARRAY, TableValuedAlias, bindparam, column, func


def unnested(**columns: Any) -> TableValuedAlias:
    """Rows of the bound arrays, as `asked`: column `seq` is `asked.c.seq`, and its parameter the list `seqs`."""
    parameters = [bindparam(f"{name}s", type_=ARRAY(kind)) for name, kind in columns.items()]
    names = [column(name, kind) for name, kind in columns.items()]
    return func.unnest(*parameters).table_valued(*names).render_derived(name="asked")
