"""Parsed, measured and validated documents, kept by the digest of their text.

Validation is the expensive step (its rule on overlapping fields is super-linear), so it happens once per text, in a
worker thread, bounded beforehand by the shape limits and by graphql-core's own budget of comparisons.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from time import thread_time
from typing import Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    OperationType,
    Source,
    ValidationContext,
    get_introspection_query,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping
from graphql.validation.validate import ValidationAbortedError

from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits
from periplus_hub.api.graphql_shape import check_shape, check_tokens, introspects, only_operation, syntax_refusal

COMPARE: Final = "Compare the operation with the schema (docs/reference/graphql.md, or introspection)."
"""What to do about an operation that does not fit the schema."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that passed everything that does not depend on variables or the asker."""

    digest: str
    document: DocumentNode
    operation: OperationDefinitionNode
    trusted: bool
    introspects: bool
    """Whether it asks for the schema, and for nothing else."""

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.operation.operation

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.operation.name.value if self.operation.name else None


class Documents:
    """The least recently used cache. `trusted` are the digests of our own UI's operations."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, trusted: Iterable[str] = ()) -> None:
        self._schema = schema
        self._limits = limits
        self._trusted = frozenset(trusted)
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(1)
        overlapping.MAX_COMPLEXITY_BUDGET = limits.comparisons
        # graphql-core builds parts of a schema when they are first needed: that is not the first caller's to pay.
        validate(schema, parse(get_introspection_query()))
        for interface in (each for each in schema.type_map.values() if isinstance(each, GraphQLInterfaceType)):
            schema.get_possible_types(interface)

    def knows(self, text: str) -> bool:
        """Whether `text` was prepared before and is kept."""
        return _digest(text) in self._kept

    async def prepare(self, text: str) -> Prepared:
        """The prepared document of `text`; raises GraphQLRefusal."""
        digest = _digest(text)
        kept = self._kept.get(digest)
        if kept is not None:
            self._kept.move_to_end(digest)
            return kept
        prepared = await self._prepare_new(text, digest)
        self._kept[digest] = prepared
        while len(self._kept) > self._limits.documents:
            self._kept.popitem(last=False)
        return prepared

    async def _prepare_new(self, text: str, digest: str) -> Prepared:
        # On the loop: measured before it is parsed, it cannot take long, and a thread would cost more.
        document = parse_measured(text, self._limits)
        # One at a time: checking is pure Python, and two threads of it would take turns at one interpreter anyway, each
        # the longer.
        async with self._one_at_a_time:
            await asyncio.to_thread(check_valid, self._schema, document, self._limits)
        schema_only = introspects(document, self._limits)
        return Prepared(digest, document, only_operation(document), digest in self._trusted, schema_only)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def parse_measured(text: str, limits: Limits) -> DocumentNode:
    """Tokens, syntax and shape, in this order."""
    source = Source(text, "operation")
    check_tokens(source, limits)
    try:
        document = parse(source, max_tokens=limits.tokens)
    except GraphQLSyntaxError as error:
        raise syntax_refusal(error) from None
    check_shape(document, limits)
    return document


def check_valid(schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> None:
    """Validate against the schema within the CPU budget; raises GraphQLRefusal with the first errors.

    Asked twice before it is refused: a full garbage collection that falls into the first try is not the asker's.
    """
    for _ in range(2):
        try:
            errors = _validate_in_time(schema, document, limits)
            break
        except _OverBudgetError:
            continue
    else:
        message = f"Checking the operation takes more than {limits.validation_s * 1000:g} ms."
        raise GraphQLRefusal("validation-budget", message, "Simplify the operation.", limit=limits.validation_s)
    if errors:
        raise InvalidDocument(errors)


def _validate_in_time(schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    # The thread's own time: on a busy machine the clock on the wall would refuse what costs little.
    rules = (*specified_rules, _deadline_rule(thread_time() + limits.validation_s))
    errors = validate(schema, document, rules, max_errors=limits.validation_errors, hide_suggestions=True)
    if len(errors) == 1 and isinstance(errors[0], ValidationAbortedError):
        message = f"Merging the operation's repeated fields takes more than {limits.comparisons:,} comparisons."
        remedy = "Merge repeated selections and fragments."
        raise GraphQLRefusal("validation-budget", message, remedy, limit=limits.comparisons)
    return errors


class _OverBudgetError(Exception):
    pass


def _deadline_rule(deadline_s: float) -> type[ASTValidationRule]:
    """A rule that checks nothing but the time; graphql-core has no other way in."""

    class Deadline(ASTValidationRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)

        def enter(self, _node: Node, *_args: object) -> None:
            if thread_time() > deadline_s:
                raise _OverBudgetError

    return Deadline


class InvalidDocument(GraphQLRefusal):
    """The document does not fit the schema; carries every error found, with locations."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("invalid-operation", errors[0].message[:500], COMPARE)
        self.errors = errors

    def as_errors(self) -> list[dict[str, object]]:
        """One entry per error."""
        entries = []
        for error in self.errors:
            entry: dict[str, object] = {**self.as_error(), "message": error.message[:500]}
            if error.locations:
                entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
            entries.append(entry)
        return entries
