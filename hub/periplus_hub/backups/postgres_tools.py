"""PostgreSQL's own programs, which dump and restore. They get passwords in the environment, which others do not see."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from periplus_hub.embedded_postgres.binaries import tool
from periplus_hub.kit.errors import Refusal

_REMEDIES: Final = {
    "row-level security": "Give a role that sees all rows in PERIPLUS_BACKUP_DATABASE_URL: see docs/operate/backup.",
    "permission denied": "Give a role that may read all in PERIPLUS_BACKUP_DATABASE_URL: see docs/operate/backup.",
    "lack SELECT privilege": "Give a role that may read all in PERIPLUS_BACKUP_DATABASE_URL: see docs/operate/backup.",
    "server version mismatch": "The server is newer than these programs: dump it with its own pg_dump, as in "
    "docs/operate/backup.",
    "transaction_timeout": "This restores into PostgreSQL 17 or newer: use pg_restore of your server's version.",
    "No space left on device": "Free some space there.",
    "lock timeout": "Somebody changes the schema: wait until 'periplus hub migrate' is done.",
}
_LAST_LINES: Final = 3


async def dump(url: str, target: Path) -> None:
    """Everything in the database, as of one moment: `url` is of a role that sees all rows."""
    await _run(
        "pg_dump",
        "--format=custom",
        "--compress=gzip:1",
        "--no-password",
        "--lock-wait-timeout=30s",
        f"--file={target}",
        url=url,
    )


async def restore(url: str, source: Path) -> None:
    """All of a dump into an empty database, or nothing; what it makes belongs to the role of the URL."""
    options = ("--no-owner", "--no-privileges", "--single-transaction", "--no-password")
    await _run("pg_restore", *options, url=url, last=str(source))
    await _run("vacuumdb", "--analyze-only", "--no-password", "--quiet", url=url)


async def _run(name: str, *options: str, url: str, last: str = "") -> None:
    plain = url.replace("postgresql+asyncpg://", "postgresql://", 1)
    parts = urlsplit(plain)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment |= {"PGAPPNAME": "periplus-backup", "LC_ALL": "C"}
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
        login, _, place = parts.netloc.rpartition("@")
        plain = parts._replace(netloc=f"{login.partition(':')[0]}@{place}").geturl()
    command = (tool(name), *options, f"--dbname={plain}", *((last,) if last else ()))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C in a terminal is ours to pass on
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
    if process.returncode:
        raise _refusal(name, said.decode(errors="replace"))


def _refusal(name: str, said: str) -> Refusal:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    remedy = next((remedy for sign, remedy in _REMEDIES.items() if sign in said), "Look at the server's log.")
    return Refusal(f"{name} failed: {'; '.join(lines[-_LAST_LINES:])}", remedy, slug="postgres-failed")
