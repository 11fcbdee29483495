"""Types and values as a reader writes them."""

import json
import types
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Final, Literal, Union, get_args, get_origin

import msgspec
from pydantic import SecretStr

from docs.build.markdown import code, prose, section, table
from docs.build.source import attribute_docs, module_of

Struct = type[msgspec.Struct]

_WORDS: Final[dict[object, str]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
    timedelta: "duration",
    SecretStr: "secret text",
}


def type_text(annotation: object) -> str:
    """A type in few words: enums and literals as their values, containers as `list of` and `map of`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(arguments[0])
    if origin is Literal:
        return _choices(arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(type_text(part) for part in arguments if part is not type(None))
    if origin in {tuple, list, set, frozenset}:
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return f"map of {type_text(arguments[0])} to {type_text(arguments[1])}"
    return _plain(annotation)


def _choices(values: Iterable[object]) -> str:
    return " or ".join(json.dumps(value) if isinstance(value, str) else str(value) for value in values)


def _plain(annotation: object) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _choices(member.value for member in annotation)
    return _WORDS.get(annotation) or str(getattr(annotation, "__name__", annotation))


def struct_section(struct: Struct, level: int = 3) -> str:
    """A msgspec struct: its docstring and one row per field."""
    docs = attribute_docs(module_of(struct))
    rows = [
        (
            code(field.encode_name),
            type_text(field.type),
            _default(field),
            docs.get(f"{struct.__name__}.{field.name}", ""),
        )
        for field in msgspec.structs.fields(struct)
    ]
    return section(
        struct.__name__, prose(struct.__doc__), table(("field", "type", "default", "meaning"), rows), level=level
    )


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if callable(field.default_factory):
        return code(msgspec.json.encode(field.default_factory()).decode())
    return code(msgspec.json.encode(field.default).decode())
