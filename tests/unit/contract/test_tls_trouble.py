"""What libraries and servers make of TLS that fails."""

import ssl

import pytest

from periplus_contract.tls_trouble import TlsTrouble, tls_trouble


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] said by OpenSSL")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "trouble"),
    [
        ("TLSV1_UNRECOGNIZED_NAME", TlsTrouble.OTHER_NAME),
        ("TLSV1_ALERT_INTERNAL_ERROR", TlsTrouble.OTHER_NAME),
        ("WRONG_VERSION_NUMBER", TlsTrouble.NO_TLS),
        ("RECORD_LAYER_FAILURE", TlsTrouble.NO_TLS),
        ("NO_SHARED_CIPHER", TlsTrouble.OTHER),
    ],
)
def test_what_openssl_says_is_told_in_words(reason: str, trouble: TlsTrouble) -> None:
    wrapped = RuntimeError("a library's own")
    wrapped.__cause__ = alert(reason)
    found, said = tls_trouble(wrapped)
    assert found is trouble
    assert ("SSL" in said) == (trouble is TlsTrouble.OTHER)


def test_errors_that_hold_each_other_end() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert tls_trouble(first) == (TlsTrouble.OTHER, "b")
