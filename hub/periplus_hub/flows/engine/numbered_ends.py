"""Everybody that an hour's rows are about, by number: rows are joined and merged as numbers, and named at the end.

A row of an end (`lookup`) is an address as seen from a cluster, or a workload that a source told. Several lookups may
be one end: the pods of a workload, or an address of it seen from two clusters.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine import localities
from periplus_hub.flows.engine.columns import END_PARTS, Flags, Ints, end_keys, halves, joined, plain, uuid_bytes
from periplus_hub.flows.engine.localities import UNKNOWN_LOCALITY
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.told_ends import is_unplaced
from periplus_hub.flows.model import MEASURES, NOBODY
from periplus_hub.flows.model_kinds import GATEWAY, NODE, SERVICE

TOLD_RULE: Final = "told"
PAIRED_RULE: Final = "paired"
BEHIND_PORT: Final = "-port"
"""Ends the rule of a destination that is behind a port of what the address was."""
NO_PLACE: Final = 0
"""Where an end is that is in no cluster."""
_LAST_PORT: Final = 2**16 - 1
PROTOCOLS: Final = {"TCP": 6, "UDP": 17, "SCTP": 132}
"""IANA's numbers of those that Services have."""
_OF_EDGE: Final = (
    *("measured", "unmeasured", "client_bytes", "server_bytes", "reporters", "windows", "sampling"),
    *("first_window", "last_window"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedEnds:
    """The ends of an hour, and how rows find them."""

    names: pa.Table
    """owner, namespace, kind, workload of each end, by its number."""
    place: Ints
    """For each end the number of its cluster; NO_PLACE where it is in none."""
    is_vague: Flags
    """Ends that stand for something behind them: nodes, services and gateways."""
    is_unplaced: Flags
    """Workloads that a source named in a cluster of which it is not known which it is."""
    rules: tuple[str, ...]
    localities: localities.Names
    lookups: pa.Table
    """Rows of the store's `rollup_ends`."""
    ports: pa.Table
    """Rows of the store's `rollup_ports`."""

    def rule_number(self, rule: str) -> int:
        """Of one that any row may get."""
        return self.rules.index(rule)


def is_own_name(asked: pa.Table) -> pa.ChunkedArray:
    """Which of an hour's lookups are workloads of the cluster that told them, by their names: nothing is resolved."""
    return pc.and_(pc.not_equal(asked.column("kind"), ""), pc.equal(asked.column("cluster"), ""))


def named(hour: int, edges: pa.Table, ends: NumberedEnds) -> pa.Table:
    """Rows of `edges_hourly` of edges by number. A measure that no row of the hour knows is 0, and not `measured`."""
    numbers, where = (
        dict(zip(("src", "dst"), halves(edges.column(name)), strict=True)) for name in ("ends", "localities")
    )
    how = np.asarray(edges.column("how").to_numpy())
    columns = {"registration": "owner", **{name: name for name in END_PARTS[1:]}}
    rules = pa.array(ends.rules, pa.string())
    nothing = np.zeros(edges.num_rows, dtype=np.uint64)
    return pa.table(
        {
            "hour": np.full(edges.num_rows, hour, dtype=np.uint32),
            **{
                f"{side}_{name}": ends.names.column(part).combine_chunks().take(pa.array(number))
                for side, number in numbers.items()
                for name, part in columns.items()
            },
            **{
                f"{side}_{name}": ends.localities.texts.column(name).combine_chunks().take(pa.array(number))
                for side, number in where.items()
                for name in ("region", "zone")
            },
            "dst_port": (how >> 16).astype(np.uint16),
            "protocol": (how >> 8 & 0xFF).astype(np.uint8),
            "verdict": (how & 0xFF).astype(np.uint8),
            **{f"{side}_rule": rules.take(edges.column(f"{side}_rule").combine_chunks()) for side in numbers},
            **{name: edges.column(name) if name in edges.column_names else nothing for name in MEASURES},
            **{name: edges.column(name) for name in _OF_EDGE},
        }
    )


def numbered_ends(asked: pa.Table, resolved: pa.Table, ports: pa.Table, owners: Owners) -> NumberedEnds:
    """`asked`: the hour's distinct lookups. `resolved`: whose those without a name were. `ports`: as the inventory."""
    found = _told(asked, resolved)
    reached = _reached(found, ports)
    names, number = _numbered([found.select(END_PARTS), reached.select(END_PARTS)])
    of_lookup, of_port = number[: found.num_rows], number[found.num_rows :]
    rules = _rules(found)
    kind = names.column("kind").combine_chunks()
    usual = owners.usual_locality(names)
    is_told = np.asarray(pc.equal(found.column("rule"), TOLD_RULE))
    locality = np.where(is_told, usual[of_lookup], np.asarray(found.column("locality")))
    place = _places(names.column("owner").combine_chunks())
    return NumberedEnds(
        names=names,
        place=place,
        is_vague=np.asarray(pc.is_in(kind, pa.array([SERVICE, NODE, GATEWAY]))),
        is_unplaced=np.asarray(is_unplaced(names)),
        rules=rules,
        localities=owners.localities.names,
        lookups=pa.table(
            {
                "lookup": found.column("lookup"),
                "since": found.column("since"),
                "end": of_lookup.astype(np.uint32),
                "place": place[of_lookup].astype(np.uint32),
                "locality": locality.astype(np.uint32),
                "behind": found.column("behind"),
                "rule": pc.index_in(found.column("rule"), pa.array(rules, pa.string())).cast(pa.uint8()),
            }
        ),
        ports=pa.table(
            {
                **{name: reached.column(name) for name in ("behind", "port", "protocol")},
                "to_end": of_port.astype(np.uint32),
                "to_locality": usual[of_port].astype(np.uint32),
                "to_port": reached.column("to_port"),
            }
        ),
    )


def _told(asked: pa.Table, resolved: pa.Table) -> pa.Table:
    """What sources told, and what addresses were resolved to, as rows of one table; `behind` groups ports."""
    told = asked.filter(is_own_name(asked))
    rows = pa.concat_tables(
        [
            pa.table(
                {
                    "lookup": told.column("lookup"),
                    "since": pa.array(np.zeros(told.num_rows, dtype=np.uint32)),
                    "owner": plain(told.column("registration").combine_chunks()),
                    **{name: told.column(name).cast(pa.string()) for name in END_PARTS[1:]},
                    "rule": pa.array([TOLD_RULE] * told.num_rows, pa.string()),
                    "locality": pa.array(np.full(told.num_rows, UNKNOWN_LOCALITY, dtype=np.int64)),
                }
            ),
            resolved.select(["lookup", "since", *END_PARTS, "rule", "locality"]),
        ]
    ).combine_chunks()
    return rows.append_column("behind", _groups(rows))


def _groups(rows: pa.Table) -> pa.Array:
    """A number for each service, and one for all nodes of a cluster, whose ports are the same; 0 for all others."""
    codes = pc.fill_null(_group_keys(rows).dictionary_encode().indices, -1)
    return pa.array((np.asarray(codes) + 1).astype(np.uint32))


def _group_keys(rows: pa.Table) -> pa.Array:
    """Null for what has no ports of others."""
    owner, namespace, kind, workload = (rows.column(name).combine_chunks() for name in END_PARTS)
    is_node = pc.equal(kind, NODE)
    parts = [owner, *(pc.if_else(is_node, "", each) for each in (namespace, workload)), kind]
    keys = joined(parts)
    return pc.if_else(pc.is_in(kind, pa.array([SERVICE, NODE])), keys, pa.scalar(None, pa.binary()))


def _reached(found: pa.Table, listed: pa.Table) -> pa.Table:
    """Ports of services and nodes that the hour's rows are about, with what stands behind them."""
    may_be = (pc.less_equal(listed.column(name), _LAST_PORT) for name in ("port", "to_port"))
    ports = listed.filter(pc.and_(*may_be))
    protocol = pc.index_in(ports.column("protocol"), pa.array(list(PROTOCOLS)))
    numbers = pa.array(list(PROTOCOLS.values()), pa.uint8()).take(protocol.combine_chunks())
    owner = uuid_bytes(ports.column("registration_id"))
    named = pa.table({"owner": owner, **{name: ports.column(name) for name in END_PARTS[1:]}})
    keys = _group_keys(found)
    groups = pc.index_in(_group_keys(named), keys.filter(pc.is_valid(keys)))
    behind = found.column("behind").combine_chunks().filter(pc.is_valid(keys)).take(groups)
    rows = pa.table(
        {
            "owner": owner,
            **{name: ports.column(f"to_{name}") for name in END_PARTS[1:]},
            "behind": behind,
            "protocol": numbers,
            "port": ports.column("port").cast(pa.uint16()),
            "to_port": ports.column("to_port").cast(pa.uint16()),
        }
    )
    return rows.filter(pc.and_(pc.is_valid(behind), pc.is_valid(numbers)))


def _numbered(tables: list[pa.Table]) -> tuple[pa.Table, Ints]:
    """The distinct rows of all, and for each row the number of its own."""
    whole = pa.concat_tables(tables).combine_chunks()
    encoded = end_keys(whole).dictionary_encode()
    codes = np.asarray(encoded.indices).astype(np.int64)
    first = np.unique(codes, return_index=True)[1]
    return whole.take(pa.array(first)), codes


def _places(owner: pa.Array) -> Ints:
    encoded = plain(owner).dictionary_encode()
    found = encoded.dictionary.to_pylist()
    number = [NO_PLACE if each == NOBODY.bytes else 1 + at for at, each in enumerate(found)]
    places: Ints = np.array([*number, NO_PLACE], dtype=np.int64)[np.asarray(encoded.indices)]
    return places


def _rules(found: pa.Table) -> tuple[str, ...]:
    """Every rule that a row may be found by, in an order of its own."""
    rules = sorted({TOLD_RULE, PAIRED_RULE, *found.column("rule").unique().to_pylist()})
    return (*rules, *(f"{rule}{BEHIND_PORT}" for rule in rules))
