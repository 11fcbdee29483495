"""Hard limits of the wire. Both sides hold them; the hub never trusts the spoke to have done so."""

from typing import Final

MAX_COMPRESSED_BYTES: Final = 1024 * 1024
"""Largest sealed batch on the wire, header included."""
MAX_INFLATED_BYTES: Final = 16 * 1024 * 1024
"""Largest body after decompression."""
MAX_ROWS: Final = 50_000
MAX_SECTIONS: Final = 16
MAX_SNAPSHOT_PARTS: Final = 10_000
"""Batches that one inventory snapshot may take."""
MAX_IPAM_PARTS: Final = 16
"""Batches that one complete ipam statement may take, so that a hub can hold it as a whole."""
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_INFLATE_RATIO: Final = 200
"""Beyond the first MiB, a body that inflates by more than this is refused as a bomb."""
MAX_TEXT_BYTES: Final = 4_096
"""Longest single text value in a column; Kubernetes names and label values are far below it."""
MAX_LIST_ITEMS: Final = 4_096
"""Longest list in a column (labels, addresses, ports). A spoke cuts it there; a hub sets a row with more aside as
`too_many_items`."""
MAX_OUTCOMES: Final = 256
MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Largest JSON message in either direction (enrolment, heartbeat, answers). A spoke stops reading there."""
MAX_CLOCK_AHEAD_S: Final = 600
"""A window that starts further in the hub's future is quarantined."""
SKEW_WARNING_S: Final = 30
CREDENTIAL_LIFETIME_S: Final = 24 * 3600
JOIN_TOKEN_LIFETIME_S: Final = 3600
CHALLENGE_LIFETIME_S: Final = 120
