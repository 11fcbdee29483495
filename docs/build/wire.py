"""docs/reference/wire.md: the contract between a spoke and the hub."""

import inspect
from types import ModuleType

import msgspec
import pyarrow as pa

import periplus_contract
from docs.build.markdown import bullets, code, fenced, page, prose, section, summary, table
from docs.build.source import attribute_docs, constants
from docs.build.types import struct_section
from periplus_contract import (
    batch,
    column_types,
    covers,
    flow_words,
    limits,
    messages,
    outcomes,
    rejections,
    tables,
    version,
)


def render() -> str:
    """The page."""
    envelope = (
        struct_section(struct)
        for struct in (batch.Header, batch.Section, batch.InventoryMark, batch.PartMark, batch.FlowsMark)
    )
    return page(
        "The wire",
        prose(periplus_contract.__doc__),
        f"This is contract version `{version.CONTRACT}`; a hub of this release takes `{version.OLDEST_ACCEPTED}` and "
        "every later minor of the same major. Minors only add, and both sides ignore fields they do not know.",
        section("Envelope", _text_and_block(batch), *envelope),
        section("What a statement covers", _coverage()),
        section("Limits", prose(limits.__doc__), _limits()),
        section("Messages", *_messages()),
        section("Accounting", _text_and_block(outcomes), struct_section(outcomes.Outcome), _drop_reasons()),
        section("Rejected rows", prose(rejections.__doc__), _reasons()),
        section("Tables", prose(tables.__doc__), *_kinds(), _column_types()),
        section("Words of flows", *_flow_words()),
    )


def _text_and_block(module: ModuleType) -> str:
    """The module's docstring with its indented parts as code."""
    blocks = prose(module.__doc__).split("\n\n")
    return "\n\n".join(fenced(inspect.cleandoc(block)) if block.startswith("    ") else block for block in blocks)


def _coverage() -> str:
    return "\n\n".join(prose(block) for block in inspect.cleandoc(covers.__doc__ or "").split("\n\n"))


def _limits() -> str:
    docs = attribute_docs(limits)
    rows = [(code(name), f"{value:,}", docs.get(name, "")) for name, value in constants(limits)]
    return table(("limit", "value", "meaning"), rows)


def _reasons() -> str:
    docs = attribute_docs(rejections)
    return table(("reason", "meaning"), [(code(each.value), docs[f"Reason.{each.name}"]) for each in rejections.Reason])


def _messages() -> list[str]:
    structs = [
        struct_section(found)
        for found in vars(messages).values()
        if inspect.isclass(found) and issubclass(found, msgspec.Struct) and found.__module__ == messages.__name__
    ]
    refused = "What the hub refuses it answers with a [problem](problems.md)."
    return [_text_and_block(messages), refused, prose(_proof()), *structs]


def _proof() -> str:
    text = summary(messages.proof_bytes.__doc__)
    layout = messages.proof_bytes("HUB_ID", "REGISTRATION", "NONCE").decode().replace("\n", "\\n")
    return f"`signature` of a credential request is over `{layout}` – {text[0].lower()}{text[1:]}"


def _drop_reasons() -> str:
    doc = attribute_docs(outcomes)["DROP_REASONS"]
    return section("Drop reasons", doc, bullets(code(reason) for reason in outcomes.DROP_REASONS), level=3)


def _column_types() -> str:
    rows = [
        (
            code(each.word),
            code(str(each.arrow(pa))),
            f"{each.bounds.least:,} to {each.bounds.most:,}" if each.bounds else "",
        )
        for each in column_types.COLUMN_TYPES
    ]
    return section("Column types", table(("type", "in Arrow", "numbers allowed"), rows), level=3)


def _kinds() -> list[str]:
    docs = attribute_docs(tables)
    taken = [section(f"Kind `{kind}`", *map(_table, known), level=3) for kind, known in tables.TABLES.items() if known]
    reserved = ", ".join(code(kind) for kind, known in tables.TABLES.items() if not known)
    return [f"{docs['TABLES']} Without tables in this version: {reserved}.", *taken]


def _table(found: tables.Table) -> str:
    docs = attribute_docs(tables)
    rows = [(code(column.name), code(column.type.word), _demands(column)) for column in found.columns]
    name = next(name for name, value in constants(tables) if value is found)
    return section(f"`{found.name}`", docs.get(name, ""), table(("column", "type", ""), rows), level=4)


def _demands(column: tables.Column) -> str:
    demands = [] if column.nullable else ["filled in every row"]
    demands += [f"{column.bounds.least:,} to {column.bounds.most:,}"] if column.bounds else []
    demands += [f"a row of `{column.refers_to}`"] if column.refers_to else []
    return "; ".join(demands)


def _flow_words() -> list[str]:
    docs = attribute_docs(flow_words)
    enums = (flow_words.Verdict, flow_words.Reporter, flow_words.FlowCollector)
    tables_of_words = [
        section(
            f"`{enum.__name__}`",
            prose(enum.__doc__),
            table(
                ("number", "word", "meaning"),
                [(str(word.value), word.name.lower(), docs.get(f"{enum.__name__}.{word.name}", "")) for word in enum],
            ),
            level=3,
        )
        for enum in enums
    ]
    texts = table(
        ("name", "text", "meaning"),
        [(code(name), code(str(value)), docs.get(name, "")) for name, value in constants(flow_words)],
    )
    return [prose(flow_words.__doc__), *tables_of_words, texts]
