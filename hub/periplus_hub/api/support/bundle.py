"""The bundle itself: every text redacted, a list of what is in it, one private file."""

import asyncio
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from periplus_hub.api.config import HubConfig
from periplus_hub.api.support.collect import collect
from periplus_hub.api.support.redaction import Redactor
from periplus_hub.kit.errors import Refusal

_CONTENTS: Final = {
    "versions.json": "versions of the hub, Python and its packages",
    "settings.json": "every setting; of secrets only whether they are set",
    "doctor.json": "what periplus doctor found",
    "metrics.txt": "what the hub's metrics listener said",
    "database.json": "rows (estimated) and bytes of each table",
    "fleet.json": "state, version, clock and queue of each spoke, and how many findings there are",
    "log.txt": "the last lines of the log that was given",
}


async def pack(config: HubConfig, out: Path, log: Path | None, *, keep_addresses: bool) -> list[str]:
    """Write the file, which must not be there; returns the names of what is in it. Raises Refusal."""
    found = await collect(config, log)
    redactor = Redactor(os.urandom(32), found.names, keep_addresses=keep_addresses)
    texts = {name: redactor.text(text) for name, text in found.files.items()}
    addresses = "as they are" if keep_addresses else "pseudonyms"
    head = f"Secrets are removed, names are pseudonyms, addresses are {addresses}.\n\n"
    texts["contents.txt"] = head + "".join(f"{name}: {_CONTENTS[name]}\n" for name in texts)
    await asyncio.to_thread(_write, out, texts)
    return sorted(texts)


def _write(out: Path, texts: Mapping[str, str]) -> None:
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Refusal(f"{out} cannot be written: {error.strerror}", "Choose a new file of yours.") from error
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in sorted(texts.items()):
            member = tarfile.TarInfo(f"periplus-support/{name}")
            body = text.encode()
            member.size, member.mode = len(body), 0o600
            archive.addfile(member, io.BytesIO(body))
