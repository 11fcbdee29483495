"""Whom a kubeconfig's user acts as (`as`, `as-groups`, `as-uid`, `as-user-extra`), in every request.

A request that left it out would be answered with the rights of the person behind it, which may be more.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Headers = tuple[tuple[str, str], ...]

_USER: Final = "as"
_GROUPS: Final = "as-groups"
_UID: Final = "as-uid"
_EXTRA: Final = "as-user-extra"
_TOKEN: Final = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What may stand in a header's name, but for the percent sign, which begins what may not."""


def why_not(what: str, user: Mapping[str, Any]) -> Iterator[str]:
    """Why the kubeconfig's user `what` can act as nobody, in the file's words; nothing when it can, or need not."""
    groups, extra = user.get(_GROUPS) or [], user.get(_EXTRA) or {}
    if not _are_texts(groups):
        yield f"{_GROUPS} of {what} is not a list of texts"
        return
    if not isinstance(extra, dict) or not all(isinstance(key, str) and _are_texts(extra[key] or []) for key in extra):
        yield f"{_EXTRA} of {what} is not a mapping of lists of texts"
        return
    if not user.get(_USER):
        yield from (f"{what} has {key} and no {_USER}" for key in (_GROUPS, _UID, _EXTRA) if user.get(key))
    if not all(value.isprintable() for _, value in headers(user)):
        yield f"what {what} acts as holds characters that no request can carry"


def headers(user: Mapping[str, Any]) -> Headers:
    """Those of a user that `why_not` has nothing against; one name may come several times."""
    single = (("Impersonate-User", user.get(_USER)), ("Impersonate-Uid", user.get(_UID)))
    groups = (("Impersonate-Group", group) for group in user.get(_GROUPS) or ())
    extra = (
        (f"Impersonate-Extra-{_escaped(key)}", value)
        for key, values in (user.get(_EXTRA) or {}).items()
        for value in values or ()
    )
    return (*((name, str(value)) for name, value in single if value), *groups, *extra)


def _are_texts(listed: object) -> bool:
    return isinstance(listed, list) and all(isinstance(each, str) for each in listed)


def _escaped(key: str) -> str:
    """As API servers read it: percent signs for each byte that no header's name can have."""
    return "".join(chr(byte) if chr(byte) in _TOKEN else f"%{byte:02X}" for byte in key.encode())
