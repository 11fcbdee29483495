"""Bounded inflation of a batch body: never more memory than the header declared and `header_checks` allowed."""

from typing import Final

import zstandard

from periplus_contract import limits, problems
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

FREE_BYTES: Final = 1024 * 1024
"""Up to here any ratio is harmless."""


def inflate(body: memoryview, declared: int) -> bytes:
    """Exactly one zstd frame over the whole body, inflating to exactly `declared` bytes.

    `declared` must be within the limit that `header_checks` holds. Raises SpokeRequestRefusal (invalid-batch) for
    bombs, dictionaries, windows beyond the wire's inflated limit, other lengths and trailing bytes; (malformed-batch)
    when the frame is damaged.
    """
    parameters = _parameters(body)
    if declared > FREE_BYTES and declared > limits.MAX_INFLATE_RATIO * len(body):
        raise _invalid(f"the body inflates {declared // max(len(body), 1)} times, more than {limits.MAX_INFLATE_RATIO}")
    if parameters.dict_id:
        raise _invalid("the body needs a zstd dictionary")
    if parameters.window_size > limits.MAX_INFLATED_BYTES:
        raise _invalid(f"the zstd window of {parameters.window_size} bytes exceeds {limits.MAX_INFLATED_BYTES}")
    if parameters.content_size not in (zstandard.CONTENTSIZE_UNKNOWN, declared):
        raise _invalid(f"the zstd frame holds {parameters.content_size} bytes, the header says {declared}")
    return _decompress(body, declared)


def _invalid(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.INVALID_BATCH, detail)


def _parameters(body: memoryview) -> zstandard.FrameParameters:
    try:
        return zstandard.get_frame_parameters(body)
    except zstandard.ZstdError as error:
        raise SpokeRequestRefusal(problems.MALFORMED_BATCH, "the body is not a zstd frame") from error


def _decompress(body: memoryview, declared: int) -> bytes:
    # A decompressor is not safe for concurrent use, and making one costs a microsecond.
    decompressor = zstandard.ZstdDecompressor(max_window_size=limits.MAX_INFLATED_BYTES)
    try:
        # An unknown content size allocates max_output_size, which must not be 0 ("unlimited").
        inflated = decompressor.decompress(body, max_output_size=max(declared, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise SpokeRequestRefusal(
            problems.MALFORMED_BATCH, "the body does not inflate: it is damaged, or longer than the header says"
        ) from error
    if len(inflated) != declared:
        raise _invalid(f"the body inflates to {len(inflated)} bytes, the header says {declared}")
    return inflated
