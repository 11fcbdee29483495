"""Why TLS with a peer failed: what a person would have to change. Both programs are clients, and say the same of it."""

from collections.abc import Iterator
from enum import Enum
from typing import Final


class TlsTrouble(Enum):
    """Each asks for another remedy."""

    NO_TLS = "the port speaks no TLS"
    OTHER_NAME = "the certificate names others"
    WRONG_TIME = "the certificate has expired, or is not valid yet"
    UNKNOWN_AUTHORITY = "nobody trusted signed the certificate"
    OTHER = "anything else"


_BY_VERIFY_CODE: Final = {
    9: TlsTrouble.WRONG_TIME,
    10: TlsTrouble.WRONG_TIME,
    62: TlsTrouble.OTHER_NAME,
    64: TlsTrouble.OTHER_NAME,
}
"""OpenSSL's X509_V_ERR_…: not yet valid, expired, other host name, other address."""
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"})
"""What OpenSSL makes of a plain answer, by its versions."""

_NO_SUCH_NAME: Final = frozenset({"TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_INTERNAL_ERROR"})
"""How servers that choose the certificate by the name end others, and who comes by address (Caddy, the latter)."""


def tls_trouble(error: BaseException) -> tuple[TlsTrouble, str]:
    """The trouble behind a failure of TLS, and a short word on it; OTHER also for what has nothing to do with TLS."""
    causes = list(_causes(error))
    for cause in causes:
        # By what they know: errors of libraries are of these classes too, and know nothing.
        if (code := getattr(cause, "verify_code", None)) is not None:
            said = str(getattr(cause, "verify_message", "")).rstrip(".")
            return _BY_VERIFY_CODE.get(code, TlsTrouble.UNKNOWN_AUTHORITY), said
        if getattr(cause, "reason", None) in _NO_SUCH_NAME:
            return TlsTrouble.OTHER_NAME, "what answers there has no certificate for this name"
        if getattr(cause, "reason", None) in _NO_TLS:
            return TlsTrouble.NO_TLS, "what answers there speaks no TLS"
    return TlsTrouble.OTHER, str(causes[-1])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of; libraries keep that in attributes of their own."""
    following: BaseException | None = error
    seen: set[int] = set()
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        named = (getattr(following, name, None) for name in ("certificate_error", "os_error"))
        following = next((each for each in named if isinstance(each, BaseException)), following.__cause__)
