"""Hard limits of the wire. Both sides hold them; the hub never trusts the spoke to have done so."""

from typing import Final

MAX_COMPRESSED_BYTES: Final = 1024 * 1024
"""Largest sealed batch on the wire, header included."""
MAX_INFLATED_BYTES: Final = 16 * 1024 * 1024
"""Largest body after decompression."""
MAX_ROWS: Final = 50_000
"""Of one batch, over all its sections."""
MAX_SECTIONS: Final = 16
"""Of one batch, each of another table."""
MAX_SNAPSHOT_PARTS: Final = 10_000
"""Batches that one inventory snapshot may take."""
MAX_IPAM_PARTS: Final = 16
"""Batches that one complete ipam statement may take, so that a hub can hold it as a whole."""
MAX_HEADER_BYTES: Final = 64 * 1024
"""The JSON between the crc32 and the body."""
MAX_COVERS: Final = 128
"""Names in a header's `covers`."""
MAX_COVER_LENGTH: Final = 128
"""Characters of one of them."""
MAX_WINDOW_S: Final = 24 * 3600
"""Longest window of a batch."""
MAX_MEASURE: Final = 2**53
"""Largest measure of one row of flows: more bytes than pass through any machine in a day."""
MAX_SAMPLING: Final = 1_000_000
"""Largest `sampling` of a row of flows."""
MAX_FLOW_NOTES: Final = 32
"""Reasons in `lost`, and words in `conditions`, of what a flows batch says of itself."""
LATEST_S: Final = 4_102_444_800
"""2100-01-01: no time in a header or message is later."""
MAX_INFLATE_RATIO: Final = 200
"""Beyond the first MiB, a body that inflates by more than this is refused as a bomb."""
MAX_EVIDENCE: Final = 20
"""Texts in the `evidence` of one pool; a reader keeps the first so many."""
MAX_EVIDENCE_LENGTH: Final = 256
"""Characters of one of them that a reader keeps."""
MAX_ARROW_MESSAGES: Final = 64
"""Messages of one section's Arrow stream, its schema and its end included."""
MAX_ARROW_METADATA_BYTES: Final = 64 * 1024
"""Longest metadata of one Arrow message. A hundred columns need about 20 KiB."""
MAX_ARROW_COLUMNS: Final = 128
"""Columns of one section, those included that a reader does not know."""
MAX_KEY_BYTES: Final = 512
"""Longest value of a column that tells rows apart: `uid`, `provider`, `name`, `node`, `scope`, `kind`, `cidr`. What a
database indexes has to be short; Kubernetes' uids with the address of an endpoint stay below 100."""
EARLIEST_US: Final = 631_152_000_000_000
"""1990-01-01: no time in a column is earlier. Kubernetes' zero time is year 1: a spoke sends null for it."""
LATEST_US: Final = 7_258_118_400_000_000
"""2200-01-01: no time in a column is later."""
MAX_TEXT_BYTES: Final = 4_096
"""Longest single text value in a column; Kubernetes names and label values are far below it."""
MAX_LIST_ITEMS: Final = 4_096
"""Longest list in a column (labels, addresses, ports). A spoke cuts it there; a hub sets a row with more aside as
`too_many_items`."""
MAX_OUTCOMES: Final = 256
"""Of one header or heartbeat."""
MAX_DROP_REASONS: Final = 32
"""Reasons in one outcome."""
MAX_REASON_LENGTH: Final = 64
"""Characters of one of them."""
MAX_ROWS_PER_OUTCOME: Final = 2**53
"""Largest count in one outcome."""
MAX_MACHINES: Final = 100
"""`machines` of an EnrolRequest."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Largest JSON message in either direction (enrolment, heartbeat, answers). A spoke stops reading there."""
MAX_CLOCK_AHEAD_S: Final = 600
"""A window that starts further in the hub's future is quarantined."""
SKEW_WARNING_S: Final = 30
"""A clock that is further off is shown to people."""
CREDENTIAL_LIFETIME_S: Final = 24 * 3600
JOIN_TOKEN_LIFETIME_S: Final = 3600
CHALLENGE_LIFETIME_S: Final = 120
