"""Where a message differs is said; what the decoder calls it is not."""

import msgspec
import pytest

from periplus_contract.decode_errors import where_decoding_stopped
from periplus_contract.messages import Heartbeat
from periplus_contract.version import Version


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", ""),
        (b"{x", " at byte 1"),
        (b"[1]", ""),
        (b"{}", " at epoch"),
        (b'{"epoch":1}', " at epoch"),
    ],
)
def test_the_place_of_a_fault_is_named(body: bytes, place: str) -> None:
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(body, type=Heartbeat)
    assert where_decoding_stopped(caught.value) == place


@pytest.mark.parametrize("text", ["", "1", "1.x", "1." + "9" * 5_000, "9" * 5_000 + ".0"])
def test_a_version_that_is_none_is_named_in_our_words(text: str) -> None:
    with pytest.raises(ValueError, match="contract version must look like"):
        Version.parse(text)
