"""What can go wrong with a Kubernetes API, as a reason for machines and a message and remedy for people."""

import asyncio
import ssl
from typing import Final

import aiohttp
import msgspec

from periplus_contract.tls_trouble import TlsTrouble, tls_trouble
from periplus_spoke.kit.errors import ClusterError
from periplus_spoke.kube.proxy import Proxy, ProxyError

REMEDIES: Final = {
    "unreachable": "Check that the API server's address is right and that this machine can reach it (VPN, firewall).",
    "timeout": "Check the API server's health and the network path to it.",
    "tls": "Check certificate-authority-data and the server name in the kubeconfig.",
    "unauthorized": "Renew the credentials of this context, as by logging in again: the API server does not accept its "
    "token or client certificate.",
    "expired_token": "Log in again: the token has expired.",
    "forbidden": "Grant the spoke its ClusterRole: 'periplus-spoke check' prints it.",
    "exec_plugin_missing": "Install the credential plugin that the kubeconfig names, or put it on PATH.",
    "exec_plugin_failed": "Run the credential plugin by hand and solve what it says, often a login.",
    "no_such_context": "Choose a context that 'kubectl config get-contexts' lists.",
    "bad_kubeconfig": "Check the kubeconfig with 'kubectl config view'.",
    "not_found": "Nothing: this cluster does not serve it.",
    "gone": "Nothing: what has changed meanwhile is listed again.",
    "throttled": "Nothing, or give it longer: the API server asks to wait.",
    "server_error": "Look at the API server's log.",
}
"""Every reason this package gives, with what a person should do."""

_MESSAGE_CHARS: Final = 300
_ANONYMOUS: Final = 'User "system:anonymous"'
_NO_CREDENTIALS: Final = "Log in: this context carries no credentials that the API server takes."
_PLAIN_TO_TLS: Final = "HTTP request to an HTTPS server"
"""What an API server, which is made with Go's library, says to who writes http:// for its address."""
_HTTPS: Final = "Write https:// for the server of this context's cluster in the kubeconfig."
_PROXY: Final = "Check proxy-url of this context's cluster in the kubeconfig, or HTTPS_PROXY, and that the proxy runs."
_PROXY_REFUSES: Final = "Ask whoever runs the proxy to let this address through, or mend name and password in its URL."
_PROXY_TRUST: Final = (
    "The proxy's certificate is held against certificate-authority-data of the cluster, as kubectl does: use http:// "
    "or socks5:// for proxy-url, or have that authority sign it."
)
_MAY_NOT_ACT: Final = "cannot impersonate"
_LET_ACT: Final = (
    "Grant the person behind this context the verb impersonate on whom 'as' names, or take 'as' out of the kubeconfig."
)
_TLS_ITSELF: Final = frozenset({TlsTrouble.NO_TLS, TlsTrouble.OTHER})
_TLS_REMEDIES: Final = {
    TlsTrouble.NO_TLS: "Check address and port of the cluster's server in the kubeconfig; write http:// where there is "
    "no TLS.",
    TlsTrouble.OTHER_NAME: "Name the server in the kubeconfig as its certificate does, or set tls-server-name.",
    TlsTrouble.WRONG_TIME: "Renew the API server's certificates, or set this machine's clock.",
    TlsTrouble.UNKNOWN_AUTHORITY: "Set certificate-authority-data of the cluster in the kubeconfig to the authority "
    "that signed the API server's certificate.",
}
_BY_STATUS: Final = {401: "unauthorized", 403: "forbidden", 404: "not_found", 410: "gone", 429: "throttled"}


class KubeProblem(ClusterError):
    """A request that failed. Never holds a credential."""

    def __init__(self, reason: str, message: str, remedy: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(reason, message[:_MESSAGE_CHARS], remedy or REMEDIES[reason])
        self.retry_after_s = retry_after_s


class Status(msgspec.Struct):
    """metav1.Status: how the API server says no, as a body or inside a watch."""

    code: int = 0
    reason: str = ""
    message: str = ""


def decode_status(body: bytes) -> Status:
    """The Status in `body`; of something else a line of plain text is kept, and a page (a proxy's) is not."""
    try:
        return msgspec.json.decode(body, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = body.decode(errors="replace").strip()
        return Status(message=text if text.isprintable() and not text.startswith("<") else "")


def from_status(code: int, status: Status, what: str, retry_after: str | None = None) -> KubeProblem:
    """The problem of an answer with HTTP status `code` to the request `what`."""
    reason = _BY_STATUS.get(code, "server_error")
    if code == 401 and "expired" in status.message.lower():  # noqa: PLR2004 - HTTP status
        reason = "expired_token"
    remedy = ""
    if _ANONYMOUS in status.message:
        # To grant rights to nobody in particular would be the wrong thing to do.
        reason, remedy = "unauthorized", _NO_CREDENTIALS
    if code == 403 and _MAY_NOT_ACT in status.message:  # noqa: PLR2004 - HTTP status
        remedy = _LET_ACT
    if _PLAIN_TO_TLS in status.message:
        reason, remedy = "tls", _HTTPS
    detail = status.message or f"the answer was HTTP {code}"
    return KubeProblem(reason, f"{what}: {detail}", remedy, retry_after_s=_seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; the HTTP-date form is not used by API servers and is ignored."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None


def from_exception(error: BaseException, what: str, proxy: Proxy | None = None) -> KubeProblem:
    """The problem behind an exception of aiohttp, ssl, asyncio or msgspec, in a request through `proxy` if any."""
    if proxy is not None and (trouble_ahead := _of_proxy(error, what, proxy)) is not None:
        return trouble_ahead
    match error:
        case aiohttp.ClientSSLError() | ssl.SSLError():
            trouble, said = tls_trouble(error)
            distrust = "" if trouble in _TLS_ITSELF else "the server's certificate is not trusted: "
            return KubeProblem("tls", f"{what}: {distrust}{said}", _TLS_REMEDIES.get(trouble, ""))
        case asyncio.TimeoutError():
            return KubeProblem("timeout", f"{what}: no answer in time")
        case aiohttp.InvalidURL():
            return KubeProblem("bad_kubeconfig", f"{what}: the server's address is not a URL")
        case msgspec.MsgspecError() | UnicodeDecodeError():
            return KubeProblem("server_error", f"{what}: the answer is not one of a Kubernetes API server")
        case _:
            return KubeProblem("unreachable", f"{what}: {_plain(error)}")


def _of_proxy(error: BaseException, what: str, proxy: Proxy) -> KubeProblem | None:
    """What lies at the proxy and not behind it. The library's own texts may hold the proxy's password."""
    if isinstance(error.__cause__, ProxyError):
        return KubeProblem("unreachable", f"{what}: {error.__cause__}", _PROXY)
    match error:
        case aiohttp.ClientHttpProxyError():
            said = f"the proxy {proxy.shown} refuses: HTTP {error.status}"
            return KubeProblem("unreachable", f"{what}: {said}", _PROXY_REFUSES)
        case aiohttp.ClientSSLError() if proxy.kind == "https" and error.host == proxy.host:
            said = f"TLS with the proxy {proxy.shown} fails: {tls_trouble(error)[1]}"
            return KubeProblem("tls", f"{what}: {said}", _PROXY_TRUST)
        case aiohttp.ClientConnectorError() if error.host == proxy.host and error.port == proxy.port:
            said = f"the proxy {proxy.shown} cannot be reached: {error.os_error.strerror or error.os_error}"
            return KubeProblem("unreachable", f"{what}: {said}", _PROXY)
        case _:
            return None


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__
