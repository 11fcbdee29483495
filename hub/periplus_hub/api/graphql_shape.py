"""What a document looks like, measured before anything expensive reads it.

Two passes: brackets and tokens from the lexer alone, then one walk over the syntax tree in which each fragment is
measured once however often it is spread. Stock limiters walk fragments per spread, which doubles with each link of
a chain like `fragment a { ...b ...b }`.
"""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Lexer,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Source,
    TokenKind,
)

from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits, over

_OPEN: Final = frozenset({TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L})
_CLOSE: Final = frozenset({TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R})
_INTROSPECTION: Final = frozenset({"__schema", "__type"})
_INTROSPECTION_LISTS: Final = frozenset(
    {"types", "directives", "fields", "args", "inputFields", "interfaces", "possibleTypes", "enumValues"}
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Measures of a selection set with all fragments expanded."""

    depth: int = 0
    introspection_depth: int = 0
    lists: int = 0
    introspection_lists: int = 0
    aliases: int = 0
    fields: int = 0
    directives: int = 0


_NUMBERS: Final = frozenset({TokenKind.INT, TokenKind.FLOAT})


def check_tokens(source: Source, limits: Limits) -> None:
    """Read the tokens once; comments count too, so that a page of them costs no more than a page of fields."""
    lexer = Lexer(source)
    position = tokens = nesting = 0
    while True:
        try:
            token = lexer.read_next_token(position)
        except GraphQLSyntaxError as error:
            raise syntax_refusal(error) from None
        if token.kind is TokenKind.EOF:
            return
        _check_length(token.end - token.start, limits)
        check_storable(token.value or "")
        if token.kind in _NUMBERS and len(token.value or "") > limits.number_chars:
            raise over(
                "number-too-long", "characters in one number", limit=limits.number_chars,
                found=len(token.value or ""), remedy="Write a number that the field takes.",
            )  # fmt: skip
        position = token.end
        tokens += 1
        nesting += (token.kind in _OPEN) - (token.kind in _CLOSE)
        if tokens > limits.tokens:
            remedy = "Split the operation, or drop comments."
            raise over("too-many-tokens", "tokens or more", limit=limits.tokens, found=tokens, remedy=remedy)
        if nesting > limits.brackets:
            remedy = "Flatten the operation."
            raise over("too-nested", "open brackets", limit=limits.brackets, found=nesting, remedy=remedy)


def check_storable(text: str) -> None:
    """Refuse the one character PostgreSQL has no place for; raises GraphQLRefusal."""
    if "\0" in text:
        shown = text.replace("\0", "\\u0000")[:60]
        raise GraphQLRefusal("invalid-text", f"The text '{shown}' holds the character U+0000.", "Leave it out.")


def _check_length(chars: int, limits: Limits) -> None:
    if chars > limits.text_chars:
        remedy = "Send long texts as variables, and no longer than this."
        raise over("text-too-long", "characters in one token", limit=limits.text_chars, found=chars, remedy=remedy)


def syntax_refusal(error: GraphQLSyntaxError) -> GraphQLRefusal:
    """The parser's words, which name line and column only through `locations`."""
    where = error.locations[0] if error.locations else None
    place = f" (line {where.line}, column {where.column})" if where else ""
    return GraphQLRefusal("syntax", f"{error.message[:300]}{place}", "Correct the GraphQL text.")


def only_operation(document: DocumentNode) -> OperationDefinitionNode:
    """The document's one operation."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    others = len(document.definitions) - len(operations)
    fragments = sum(isinstance(node, FragmentDefinitionNode) for node in document.definitions)
    if others != fragments:
        raise GraphQLRefusal("syntax", "The document defines types.", "Send operations and fragments only.")
    if len(operations) != 1:
        remedy = "Send one operation per request."
        found = len(operations)
        message = f"The document has {found} operations; exactly 1 is allowed."
        raise GraphQLRefusal("one-operation", message, remedy, limit=1, found=found)
    return operations[0]


def check_shape(document: DocumentNode, limits: Limits) -> Shape:
    """Measure the document's operation and every fragment; raises GraphQLRefusal at the first limit passed."""
    operation = only_operation(document)
    fragments = _fragments(document)
    if len(fragments) > limits.fragments:
        remedy = "Merge fragments."
        found = len(fragments)
        raise over("too-many-fragments", "fragments", limit=limits.fragments, found=found, remedy=remedy)
    walk = _Walk(fragments, limits)
    for name in fragments:
        # Also fragments that nothing spreads: validation would walk them all the same.
        _check_measures(walk.fragment(name), limits, _SUMS)
    shape = walk.selections(operation.selection_set, len(operation.directives or ()))
    _check_roots(walk.roots(operation.selection_set, frozenset()), limits)
    _check_measures(shape, limits)
    return shape


def _check_roots(roots: AbstractSet[tuple[str, str]], limits: Limits) -> None:
    found = len({response for response, _ in roots})
    if found > limits.root_fields:
        remedy = "Ask in several requests."
        raise over("too-many-root-fields", "root fields", limit=limits.root_fields, found=found, remedy=remedy)
    asked = {name for _, name in roots}
    if asked & _INTROSPECTION and asked - _INTROSPECTION - {"__typename"}:
        message = "The operation asks for the schema and for data."
        raise GraphQLRefusal("mixed-introspection", message, "Ask for the schema in an operation of its own.")


def introspects(document: DocumentNode, limits: Limits) -> bool:
    """Whether a document that passed check_shape asks for the schema, and so for nothing else."""
    roots = _Walk(_fragments(document), limits).roots(only_operation(document).selection_set, frozenset())
    return any(name in _INTROSPECTION for _, name in roots)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


_REMEDIES: Final = (
    ("fields", "too-many-fields", "selections", "Select less, or split the operation."),
    ("depth", "too-deep", "levels of fields", "Ask for the inner objects in a second operation."),
    ("introspection_depth", "too-deep", "levels of introspection", "Use the standard introspection query."),
    ("introspection_lists", "too-deep", "nested introspection lists", "Use the standard introspection query."),
    ("aliases", "too-many-aliases", "aliases", "Split the operation."),
    ("directives", "too-many-directives", "directives", "Drop directives."),
)


_SUMS: Final = tuple(entry for entry in _REMEDIES if entry[0] in {"fields", "aliases", "directives"})
"""What bounds a fragment by itself. Its depth counts where it is spread: introspection has its own allowance."""


def _check_measures(shape: Shape, limits: Limits, measures: tuple[tuple[str, str, str, str], ...] = _REMEDIES) -> None:
    for name, code, what, remedy in measures:
        found, limit = getattr(shape, name), getattr(limits, name)
        if found > limit:
            raise over(code, what, limit=limit, found=found, remedy=remedy)


@dataclass(slots=True)
class _Walk:
    fragments: dict[str, FragmentDefinitionNode]
    limits: Limits
    done: dict[str, Shape] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)

    def fragment(self, name: str) -> Shape:
        known = self.done.get(name)
        if known is not None:
            return known
        node = self.fragments.get(name)
        if node is None:
            return Shape()  # validation names the unknown fragment
        if name in self.path:
            message = f"Fragment '{name}' contains itself."
            raise GraphQLRefusal("fragment-cycle", message, "Break the circle of fragments.")
        self.path.append(name)
        shape = self.selections(node.selection_set, len(node.directives or ()))
        self.path.pop()
        self.done[name] = shape
        return shape

    def selections(self, node: SelectionSetNode | None, directives: int = 0) -> Shape:
        selections = node.selections if node is not None else ()
        self._check_names(selections)
        parts = [self._selection(selection) for selection in selections]
        return Shape(
            depth=max((part.depth for part in parts), default=0),
            introspection_depth=max((part.introspection_depth for part in parts), default=0),
            lists=max((part.lists for part in parts), default=0),
            introspection_lists=max((part.introspection_lists for part in parts), default=0),
            aliases=sum(part.aliases for part in parts),
            fields=sum(part.fields for part in parts),
            directives=directives + sum(part.directives for part in parts),
        )

    def _check_names(self, selections: tuple[SelectionNode, ...]) -> None:
        names = Counter(_response_name(selection) for selection in selections)
        for name, found in names.most_common(1):
            if found > self.limits.same_name:
                what = f"selections named '{name[:60]}' side by side"
                remedy = "Merge the repeated selections."
                raise over("repeated-field", what, limit=self.limits.same_name, found=found, remedy=remedy)

    def _selection(self, node: SelectionNode) -> Shape:
        directives = len(node.directives or ())
        if isinstance(node, FieldNode):
            return _field_shape(node, self.selections(node.selection_set, directives))
        if isinstance(node, FragmentSpreadNode):
            return _counted(self.fragment(node.name.value), directives)
        if isinstance(node, InlineFragmentNode):
            return _counted(self.selections(node.selection_set, directives))
        msg = f"a selection cannot be a {type(node).__name__}"
        raise TypeError(msg)

    def roots(self, node: SelectionSetNode, seen: frozenset[str]) -> set[tuple[str, str]]:
        """Response and field names at the top, each fragment followed once per path."""
        names: set[tuple[str, str]] = set()
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                names.add((_response_name(selection), selection.name.value))
            elif isinstance(selection, InlineFragmentNode):
                names |= self.roots(selection.selection_set, seen)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in seen:
                fragment = self.fragments.get(selection.name.value)
                seen |= {selection.name.value}
                names |= self.roots(fragment.selection_set, seen) if fragment else set()
        return names


def _response_name(node: SelectionNode) -> str:
    if isinstance(node, FieldNode):
        return node.alias.value if node.alias else node.name.value
    return f"...{node.name.value}" if isinstance(node, FragmentSpreadNode) else "..."


def _field_shape(node: FieldNode, inner: Shape) -> Shape:
    name = node.name.value
    introspects = name in _INTROSPECTION
    return Shape(
        depth=1 if introspects else inner.depth + 1,
        introspection_depth=inner.depth + 1 if introspects else inner.introspection_depth,
        lists=inner.lists + (name in _INTROSPECTION_LISTS),
        introspection_lists=inner.lists if introspects else inner.introspection_lists,
        aliases=inner.aliases + (node.alias is not None),
        fields=inner.fields + 1,
        directives=inner.directives,
    )


def _counted(inner: Shape, directives: int = 0) -> Shape:
    """A spread or inline fragment: itself a selection, else what is inside."""
    return Shape(
        depth=inner.depth,
        introspection_depth=inner.introspection_depth,
        lists=inner.lists,
        introspection_lists=inner.introspection_lists,
        aliases=inner.aliases,
        fields=inner.fields + 1,
        directives=inner.directives + directives,
    )
