"""Requests that look small and would cost much. Shared by the tests of the request checks and their benchmark.

Each is a request body; the request checks refuse every one, within 50 ms of CPU, before any resolver runs.
"""

import json
from typing import Final


def _body(query: str, **variables: object) -> bytes:
    return json.dumps({"query": query, "variables": variables}).encode()


def _doubling_chain(links: int) -> str:
    chain = "".join(f"fragment f{at} on Query{{...f{at + 1} ...f{at + 1}}}" for at in range(links))
    return f"{{...f0}}{chain}fragment f{links} on Query{{__typename}}"


def _spread_web(width: int) -> str:
    """Every fragment spreads all later ones."""
    names = range(width)
    web = "".join(
        f"fragment f{at} on Query{{__typename {' '.join(f'...f{later}' for later in names[at + 1 :])}}}" for at in names
    )
    return f"{{...f0}}{web}"


def _nested_lists(depth: int) -> str:
    return "{__schema{types{" + "fields{type{" * depth + "name" + "}}" * depth + "}}}"


def _inline(width: int, depth: int) -> str:
    one = "...on Query{" * depth + "__typename" + "}" * depth
    return "{" + one * width + "}"


BOMBS: Final[dict[str, bytes]] = {
    "fragment-chain-20": _body(_doubling_chain(20)),
    "fragment-chain-90": _body(_doubling_chain(90)),
    "fragment-web-25": _body(_spread_web(25)),
    "fragment-cycle": _body("{...a} fragment a on Query{...b} fragment b on Query{...a}"),
    "fragment-self": _body("{...a} fragment a on Query{...a}"),
    "unused-fragment-cycle": _body("{__typename} fragment a on Query{...a}"),
    "inline-100x30": _body(_inline(100, 30)),
    "inline-30x10": _body(_inline(30, 10)),
    "duplicate-fields-330": _body("{viewer{" + "name " * 330 + "}}"),
    "duplicate-objects-330": _body("{" + "viewer{id}" * 330 + "}"),
    "duplicate-objects-100": _body("{" + "viewer{id}" * 100 + "}"),
    "same-alias-100": _body("{" + "x:viewer{id}" * 100 + "}"),
    "aliases-200": _body("{" + "".join(f"a{at}:__typename " for at in range(200)) + "}"),
    "root-fields-11": _body("{" + "".join(f"a{at}:__typename " for at in range(11)) + "}"),
    "directives-400": _body("{__typename " + "@skip(if:false)" * 400 + "}"),
    "unknown-directives": _body("{__typename " + "@x" * 300 + "}"),
    "deep-fields": _body("{a" * 100 + "}" * 100),
    "deep-fields-9": _body("{a" * 9 + "{b}" + "}" * 9),
    "deep-lists": _body("query($x:" + "[" * 300 + "Int" + "]" * 300 + "){__typename}"),
    "brackets-10k": _body("{a(b:" + "[" * 10_000 + "]" * 10_000 + ")}"),
    "brackets-100k": _body("[" * 100_000),
    "braces-10k": _body("{" * 10_000),
    "introspection-cycle": _body(_nested_lists(6)),
    "introspection-many": _body("{" + "".join(f"a{at}:__schema{{types{{name}}}}" for at in range(31)) + "}"),
    "comments-10k": _body("#\n" * 10_000 + "{__typename}"),
    "long-name": _body("{" + "a" * 30_000 + "}"),
    "long-string": _body('{viewer(x:"' + "x" * 30_000 + '"){id}}'),
    "block-string-bomb": _body('{viewer(x:"""' + "\n " * 12_000 + '"""){id}}'),
    "over-32-kib": _body("{__typename}" + " " * 40_000),
    "variables-many": _body("query($x:Int){__typename}", x=[0] * 5_000),
    "variables-deep": b'{"query":"{__typename}","variables":{"x":' + b"[" * 900 + b"]" * 900 + b"}}",
    "variables-recursion": b'{"query":"{__typename}","variables":{"x":' + b"[" * 15_000 + b"]" * 15_000 + b"}}",
    "variable-text": _body("query($x:String){__typename}", x="x" * 20_000),
    "batch": b"[" + b",".join([_body("{__typename}")] * 100) + b"]",
    "json-brackets": b"[" * 30_000,
    "json-number": b'{"query":' + b"9" * 30_000 + b"}",
    "invalid-utf-8": b'{"query":"{__typename \xff\xfe}"}',
    "invalid-utf-8-lone-surrogate": b'{"query":"{a(b:\\"\\ud800\\")}"}',
    "empty": b"",
    "null": b"null",
    "no-query": b"{}",
    "query-number": b'{"query":1}',
    "two-operations": _body("query a{__typename} query b{__typename}"),
    "thousand-operations": _body("".join(f"query a{at}{{b}}" for at in range(300))),
    "type-definitions": _body("type A{b:Int}" * 100),
    "no-operation": _body("fragment a on Query{__typename}"),
    "open-string": _body('{a(b:"'),
    "variable-definitions-300": _body("query(" + "".join(f"$v{at}:Int" for at in range(240)) + "){__typename}"),
    "unknown-fields-400": _body("{" + "".join(f"u{at} " for at in range(400)) + "}"),
    "enormous-int": _body("{clusters(first:" + "9" * 4_000 + "){nodes{id}}}"),
    "enormous-first": _body("{clusters(first:2147483647){nodes{id}}}"),
    "negative-first": _body("{clusters(first:-1){nodes{id}}}"),
}
